//! Signatures for those who make them: how a request is signed, step by step, and why a signature is not the right one.
//!
//! Two questions, [`steps`] and [`explain`]. Both have the answer of the very code that lets requests in (`ours`): what they
//! show is what this server checks. To explain, `pasted` takes apart what somebody has at hand, `judge` holds a whole request
//! against ours and `strings` a string to sign without one; the mistakes that clients are known to make (`v1`, `acs3`, `secrets`)
//! are each made on purpose, and the one that leads to the given signature is the cause, which is proved thereby.
//!
//! **Invariants:** no answer holds a secret, and none to "why" holds a signature that was not given: who may ask why could else
//! have requests signed for him. What is pasted is bounded, and nothing in it ends the program.

mod said;

mod finding;
mod ours;
mod wire;
mod with;

mod curl;
mod pasted;
mod raw;
mod shell;
mod told;

mod mistakes;
mod secrets;
mod spelling;
mod tries;
mod words;

mod acs3;
mod v1;

mod checks;
mod judge;
mod strings;

mod ask;

pub use ask::{Ask, Signed, Style, Verb, steps};
pub use finding::{Certainty, Explanation, Finding, Mark, Step, Verdict};
pub use judge::explain;
pub use said::Said;
pub use with::With;

/// The most that is read of what somebody pastes.
pub const PASTED_BYTES_MAX: usize = 64 * 1024;

#[cfg(test)]
mod tests;
