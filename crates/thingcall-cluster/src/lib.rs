//! Slots of an instance among others that share its store: leased, renewed, lost and leased anew; and those of an instance
//! that died, taken over.
//!
//! Read it so: `rule` is what an instance may believe, and what it asks next; [`Keeper`] asks the store, and says to
//! [`thingcall_core::Slots`] what is held. What begins in a slot that is ours is up to the [`Holder`], the program.
//!
//! **Invariant:** a slot is in `Slots` only while the store holds its lease for this instance.

mod holder;
mod rule;

mod at_odds;
mod differing;
mod seen;

mod metrics;

mod first;
mod keeper;

pub use at_odds::at_odds;
pub use differing::{Differing, Unlike, differing};
pub use holder::{Begin, Holder, Taken};
pub use keeper::{Keeper, KeeperParts};
