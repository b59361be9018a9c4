//! Calls that are made once, however often they are asked for: the seam to whoever keeps their tokens.
//!
//! **Invariant:** of all who claim a token, at whatever instance, one is told that it is theirs, and it stays theirs over
//! restarts until they end it. What a claim is of is named by the request that made it: who ends another one ends nothing.

use async_trait::async_trait;

use crate::{CallId, RequestId};

/// A caller's token. The same one of another account is another token.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OnceKey {
    /// The account.
    pub account: String,
    /// What the caller chose.
    pub token: String,
}

/// Who wants to make a call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceClaim {
    /// Its token.
    pub key: OnceKey,
    /// What is asked for: the same for the same, and for nothing else.
    pub digest: [u8; 32],
    /// The request that wants to make it.
    pub request_id: RequestId,
}

/// What becomes of a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It is durable: the call may be made, by nobody else.
    Ours,
    /// Somebody was earlier.
    Theirs(OnceKept),
}

/// A token that is claimed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OnceKept {
    /// What was asked for with it.
    pub digest: Vec<u8>,
    /// The request that claimed it.
    pub request_id: String,
    /// How far it is.
    pub state: OnceState,
}

/// How far a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnceState {
    /// It is being made.
    OnItsWay,
    /// Who made it is gone, and with it whether its device was called.
    Lost {
        /// The one asynchronous call of that request, where there is one on record.
        accepted: Option<CallId>,
    },
    /// It has ended, with this answer.
    Ended(Vec<u8>),
}

/// How a claim ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnceEnd {
    /// With this answer, which is kept.
    Answer(Vec<u8>),
    /// With nothing that was done: the token is as if it was never used.
    Release,
}

/// Who keeps tokens.
#[async_trait]
pub trait OnceTokens: Send + Sync {
    /// Claims a token.
    ///
    /// # Errors
    /// When it is not claimed, or nobody can say.
    async fn claim(&self, claim: &OnceClaim) -> Result<Claimed, OnceError>;

    /// How a token stands; `None` if nobody has it.
    ///
    /// # Errors
    /// When nobody can say.
    async fn look(&self, key: &OnceKey) -> Result<Option<OnceKept>, OnceError>;

    /// Ends what this request claimed. `false` if it had ended before, or was never there.
    ///
    /// # Errors
    /// When nobody can say; it may be asked again.
    async fn end(&self, key: &OnceKey, request_id: &str, end: OnceEnd) -> Result<bool, OnceError>;
}

/// Why a token is not claimed, or ended.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OnceError {
    /// There are as many as may be; the text says of what.
    #[error("{0}")]
    Full(String),
    /// This instance holds no slot, so nobody could tell whether it lives.
    #[error("this instance has no lease")]
    NoLease,
    /// The store cannot be written.
    #[error("{why}")]
    Unwritable {
        /// Why.
        why: String,
        /// Whether it may be written all the same.
        in_doubt: bool,
    },
    /// What is kept of a token cannot be read: somebody may have it, and its device may have been called.
    #[error("{0}")]
    Unread(String),
    /// The store closes.
    #[error("the store is closing")]
    Closed,
}
