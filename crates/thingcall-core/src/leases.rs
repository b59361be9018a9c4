//! The seam between an instance and the store in which all instances lease their slots.
//!
//! A slot is a number in call ids (0 to 63). Whoever holds it makes ids in it, ends its calls, and hears their replies; so
//! two instances never hold one. A lease is over by the *store's* clock, [`Lease::TIME`] after it was last renewed, and
//! each new holder gets a higher generation: what a holder of an older one writes is refused by the store.
//!
//! **Invariant:** of each slot the newest generation was given to one instance, once.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::UnixMillis;

/// What an instance tells the others of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    /// Its name, which people gave or chance did.
    pub name: String,
    /// Chosen by chance at each start: tells it from others of its name, and from itself before.
    pub run: u64,
    /// Where its API listens.
    pub api: String,
    /// Where its operator's listener is.
    pub operator: String,
    /// The program's version.
    pub version: String,
    /// When it started.
    pub since: UnixMillis,
    /// How many calls it has under way.
    pub calls: u64,
    /// Whether it runs the embedded broker, which is for one instance: it lives alone in its store.
    pub embedded: bool,
    /// The plugins that are loaded.
    pub plugins: Vec<LoadedPlugin>,
    /// What it shares with the others beside the store, and where: the same words on all that share the same.
    #[serde(default)]
    pub shares: String,
    /// As whom it is connected to brokers that know their clients by names: nobody else must be.
    #[serde(default)]
    pub clients: Vec<String>,
}

/// A plugin of an instance.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LoadedPlugin {
    /// Its name.
    pub name: String,
    /// How many times it was loaded there.
    pub generation: u64,
    /// Of its file, in hexadecimal.
    pub sha256: String,
}

/// The right to one slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lease {
    /// The slot, 0 to 63.
    pub slot: u8,
    /// Higher than that of whoever held it before.
    pub generation: u64,
}

impl Lease {
    /// How long it lasts from when it was taken or renewed. The same for all instances of a store, so nobody sets it.
    pub const TIME: Duration = Duration::from_secs(10);
    /// How often its holder renews it.
    pub const RENEWED_EACH: Duration = Duration::from_secs(2);
}

/// A slot as the store sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotState {
    /// The slot.
    pub slot: u8,
    /// Of its newest lease; 0 if nobody ever had it.
    pub generation: u64,
    /// Who holds it; `None` where nobody does, since the lease is over or was given back.
    pub holder: Option<Instance>,
    /// Whether its holder took it over from another instance, to end that one's calls, and has a slot of its own beside it.
    pub taken_over: bool,
    /// How long the lease lasts yet; zero where nobody holds it.
    pub left: Duration,
    /// Whether anything of it is left to do: calls that have not ended, or results that are due.
    pub work: bool,
}

/// What came of renewing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Renewal {
    /// Those that are ours for [`Lease::TIME`] more. The others are over, or another's.
    pub held: Vec<Lease>,
    /// Every slot that is held or has work, lowest first. Where it could not be told in time which have work, those that are
    /// held count as such and no others: nothing is taken over, and nothing given back.
    pub slots: Vec<SlotState>,
}

/// Why there is no lease.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// As many instances as there are slots live in the store.
    #[error("all 64 slots are held; end an instance, or wait until the lease of one that died is over")]
    NoneFree,
    /// The embedded broker is for one instance, it is ours, and another instance lives.
    #[error(
        "this instance runs the embedded broker, which is for one instance alone, and {other} (slot {slot}) lives in the \
         same store; end that one, or set broker.enabled = false and let devices connect to a broker that both share"
    )]
    EmbeddedHere {
        /// Its name.
        other: String,
        /// Its slot.
        slot: u8,
    },
    /// The embedded broker is for one instance, and another instance that lives has it.
    #[error(
        "{other} (slot {slot}) lives in the same store and runs the embedded broker, which is for one instance alone; end \
         that one, or set broker.enabled = false there and let devices connect to a broker that both share"
    )]
    EmbeddedThere {
        /// Its name.
        other: String,
        /// Its slot.
        slot: u8,
    },
    /// The store failed; the text is for logs.
    #[error("store: {0}")]
    Store(String),
}

/// Where slots are leased. What it says of time is by the store's clock, never by an instance's.
///
/// An implementation is held to all of this by `testing::assert_leases`, with the feature `testing`.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Leases a slot for new calls: `wanted` if it is free, else the lowest that is. Two at the same time get two.
    ///
    /// # Errors
    /// [`LeaseError::EmbeddedHere`] and [`LeaseError::EmbeddedThere`] where an embedded broker would not be alone, though two
    /// ask at the same time; [`LeaseError::NoneFree`].
    async fn take(&self, me: &Instance, wanted: Option<u8>) -> Result<Lease, LeaseError>;

    /// Renews the leases that are ours yet, and keeps what `me` says now. One that is over is not renewed, also if nobody took
    /// the slot since.
    ///
    /// # Errors
    /// When the store failed; each lease may have been renewed or not.
    async fn renew(&self, me: &Instance, held: &[Lease]) -> Result<Renewal, LeaseError>;

    /// Takes over a slot that nobody holds and that was last seen with this generation; `None` if somebody was quicker or
    /// holds it after all.
    ///
    /// # Errors
    /// When the store failed.
    async fn take_over(&self, me: &Instance, slot: u8, seen: u64) -> Result<Option<Lease>, LeaseError>;

    /// Gives leases back: their slots are free at once. Those that are not ours any more are left alone.
    ///
    /// # Errors
    /// When the store failed: they end by themselves.
    async fn release(&self, held: &[Lease]) -> Result<(), LeaseError>;

    /// Every slot that is held or has work, lowest first.
    ///
    /// # Errors
    /// When the store failed.
    async fn all(&self) -> Result<Vec<SlotState>, LeaseError>;
}
