//! What all instances know together of callers: which nonces were used, and how much of its quota an account has left.
//!
//! Each instance knows its own part by itself and asks here for the whole. What is shared may be out of reach for a
//! while; whoever asks says what happens then.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use crate::UnixMillis;

/// The nonces that were used, by all instances together.
///
/// Many ask at once, so whoever implements it asks for many in one go. A nonce is any text of any length, line ends and
/// zero bytes included; a hash of it of 128 bits or more may stand for it.
///
/// It is held to this by `testing::assert_shared_nonces`, with the feature `testing`.
#[async_trait]
pub trait SharedNonces: Send + Sync {
    /// Notes that a nonce was used, and says whether it was the first time. Of all that ask for the same one, at whatever
    /// instance and however much at once, one hears [`NonceVerdict::New`].
    ///
    /// # Errors
    /// When that cannot be said. The nonce may be noted all the same.
    async fn note(&self, used: NonceUse<'_>) -> Result<NonceVerdict, SharedError>;
}

/// A nonce that a request used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NonceUse<'a> {
    /// The access key. The same nonce of another key is another nonce.
    pub key: &'a str,
    /// The nonce.
    pub nonce: &'a str,
    /// When the request says that it was signed.
    pub signed_at: UnixMillis,
    /// How long it is to be remembered from now on at least, by the clock of what remembers it.
    pub keep: Duration,
}

/// What is known of a nonce.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NonceVerdict {
    /// It was not used before.
    New,
    /// It was used.
    Used,
    /// Its request was signed before anything was remembered, so nobody can say: the set is new, or a crash emptied it.
    TooOld {
        /// Since when all are remembered, by the clock of what remembers them: a whole second, as requests tell their
        /// time, and the next one after it began, since others of the same second may have been used before.
        began: UnixMillis,
    },
}

/// The quota of accounts, over all instances together.
///
/// For each account a bucket of as many calls as it may make in a second, which fills up within a second, by the clock of
/// what keeps it. [`Want::settle`] is the rule.
///
/// It is held to this by `testing::assert_shared_quota`, with the feature `testing`.
#[async_trait]
pub trait SharedQuota: Send + Sync {
    /// Settles what was used and reserves what is wanted. The answers are in the order of `wants`, which name an account
    /// once at most.
    ///
    /// # Errors
    /// When it cannot be done. It may have been done all the same, for some or for all.
    async fn reserve(&self, wants: &[Want], calls_per_second_max: NonZeroU32) -> Result<Vec<Grant>, SharedError>;
}

/// What an instance tells and wants of an account's quota.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Want {
    /// The account.
    pub account: String,
    /// Calls it made here that were not reserved.
    pub used: u32,
    /// Calls that were reserved and are given back.
    pub unused: u32,
    /// Calls to reserve; fewer are where there are not as many.
    pub ahead: u32,
}

/// What an instance gets of an account's quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Grant {
    /// Calls that are reserved.
    pub calls: u32,
    /// How long the bucket takes to fill up again once these are taken, if nobody takes more. Longer than a second where
    /// more were used than there were: they are paid back before anything is reserved again.
    pub full_in: Duration,
}

/// Microseconds of a second: how long an empty bucket takes to fill up.
const FULL_MICROS: i64 = 1_000_000;

impl Want {
    /// The rule: what a bucket that is full at `full_at` gives at the time `now`, and when it is full then. Both are
    /// microseconds of one clock; a bucket that is not there was full at any time, and one that is full need not be kept.
    pub fn settle(&self, full_at: i64, now: i64, calls_per_second_max: NonZeroU32) -> (i64, Grant) {
        let max = i64::from(calls_per_second_max.get());
        // In favour of the quota: what is taken is rounded up, what is given back is rounded down.
        let micros = |calls: u32| (i64::from(calls) * FULL_MICROS + max - 1) / max;
        let unused = i64::from(self.unused) * FULL_MICROS / max;
        let given_back = full_at.max(now).saturating_sub(unused).max(now);
        let settled = given_back.saturating_add(micros(self.used));
        let room = now.saturating_add(FULL_MICROS).saturating_sub(settled);
        let left = room.max(0).saturating_mul(max) / FULL_MICROS;
        let calls = u32::try_from(left).unwrap_or(u32::MAX).min(self.ahead);
        let full_at = settled.saturating_add(micros(calls));
        (full_at, Grant { calls, full_in: Duration::from_micros(full_at.abs_diff(now)) })
    }
}

/// Why what is shared could not be asked: what failed, where, and what would be right. For operators; no caller sees it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SharedError(pub String);

#[cfg(test)]
mod tests;
