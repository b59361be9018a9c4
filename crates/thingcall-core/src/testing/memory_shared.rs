//! What instances share, kept in memory, that can be out of reach.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::{Grant, NonceUse, NonceVerdict, SharedError, SharedNonces, SharedQuota, UnixMillis, Want};

/// Nonces, for as long as it lives.
#[derive(Debug)]
pub struct MemoryNonces {
    began: UnixMillis,
    used: Mutex<HashSet<(String, String)>>,
    failure: Mutex<Option<SharedError>>,
}

impl MemoryNonces {
    /// A set that began then.
    pub fn began(began: UnixMillis) -> Self {
        Self { began, used: Mutex::default(), failure: Mutex::default() }
    }

    /// From now on it cannot be asked, or can again.
    pub fn fails(&self, why: Option<&str>) {
        *lock(&self.failure) = why.map(|why| SharedError(why.to_owned()));
    }

    /// How many are remembered.
    pub fn count(&self) -> usize {
        lock(&self.used).len()
    }
}

#[async_trait]
impl SharedNonces for MemoryNonces {
    async fn note(&self, used: NonceUse<'_>) -> Result<NonceVerdict, SharedError> {
        if let Some(failure) = lock(&self.failure).clone() {
            return Err(failure);
        }
        if used.signed_at < self.began {
            return Ok(NonceVerdict::TooOld { began: self.began });
        }
        let new = lock(&self.used).insert((used.key.to_owned(), used.nonce.to_owned()));
        Ok(if new { NonceVerdict::New } else { NonceVerdict::Used })
    }
}

/// Buckets, by a clock that its test gives.
pub struct MemoryQuota {
    micros: Box<dyn Fn() -> i64 + Send + Sync>,
    full_at: Mutex<HashMap<String, i64>>,
    asked: Mutex<Vec<Want>>,
    failure: Mutex<Option<SharedError>>,
}

impl MemoryQuota {
    /// Full buckets; `micros` tells the time.
    pub fn new(micros: impl Fn() -> i64 + Send + Sync + 'static) -> Arc<Self> {
        let micros = Box::new(micros);
        Arc::new(Self { micros, full_at: Mutex::default(), asked: Mutex::default(), failure: Mutex::default() })
    }

    /// From now on it cannot be asked, or can again.
    pub fn fails(&self, why: Option<&str>) {
        *lock(&self.failure) = why.map(|why| SharedError(why.to_owned()));
    }

    /// What was wanted since this was asked for before.
    pub fn asked(&self) -> Vec<Want> {
        std::mem::take(&mut lock(&self.asked))
    }
}

impl fmt::Debug for MemoryQuota {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryQuota").field("full_at", &self.full_at).finish_non_exhaustive()
    }
}

#[async_trait]
impl SharedQuota for MemoryQuota {
    async fn reserve(&self, wants: &[Want], calls_per_second_max: NonZeroU32) -> Result<Vec<Grant>, SharedError> {
        if let Some(failure) = lock(&self.failure).clone() {
            return Err(failure);
        }
        let (mut buckets, now) = (lock(&self.full_at), (self.micros)());
        lock(&self.asked).extend(wants.iter().cloned());
        let settled = wants.iter().map(|want| {
            let full_at = buckets.entry(want.account.clone()).or_insert(now);
            let (settled, grant) = want.settle(*full_at, now, calls_per_second_max);
            *full_at = settled;
            grant
        });
        Ok(settled.collect())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
