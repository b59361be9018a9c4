//! What is known of all tokens of calls that are made once.
//!
//! **Invariant:** no account has more than its share, as of the last look at what other instances wrote. There are no more accounts
//! here than have tokens.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Config;
use crate::sizes::wide;

/// What a row takes beside its answer, about.
pub(crate) const ROW_BYTES: u64 = 400;

/// What is known of all tokens of the store.
#[derive(Debug, Default)]
pub(crate) struct Once {
    /// This process, and none before it.
    pub(crate) holder: String,
    counted: Mutex<Counted>,
}

#[derive(Debug, Default)]
struct Counted {
    all: Held,
    accounts: HashMap<String, Held>,
}

/// Tokens and their bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) tokens: u64,
    pub(crate) bytes: u64,
}

impl Once {
    /// Of this process.
    pub(crate) fn of(holder: String) -> Self {
        Self { holder, ..Self::default() }
    }

    /// Why there is no room for one more of this account.
    pub(crate) fn full(&self, config: &Config, account: &str) -> Option<String> {
        let counted = self.lock();
        let its = counted.accounts.get(account).copied().unwrap_or_default();
        let tokens = wide(config.idempotency_tokens_max.get());
        let bytes = config.idempotency_bytes_max.get();
        let (its_tokens, its_bytes) =
            (wide(config.idempotency_tokens_per_account_max.get()), config.idempotency_bytes_per_account_max.get());
        let all = "which is all that may be kept";
        let of_account = "which is all that one account may have";
        if counted.all.tokens >= tokens {
            return Some(format!("there are {tokens} idempotency tokens, {all} (store.idempotency_tokens_max)"));
        }
        if counted.all.bytes >= bytes {
            return Some(format!("idempotency tokens take {bytes} bytes, {all} (store.idempotency_bytes_max)"));
        }
        if its.tokens >= its_tokens {
            let key = "store.idempotency_tokens_per_account_max";
            return Some(format!("this account has {its_tokens} idempotency tokens, {of_account} ({key})"));
        }
        if its.bytes >= its_bytes {
            let key = "store.idempotency_bytes_per_account_max";
            return Some(format!("this account's idempotency tokens take {its_bytes} bytes, {of_account} ({key})"));
        }
        None
    }

    /// One more of an account.
    pub(crate) fn claimed(&self, account: &str) {
        self.add(account, Held { tokens: 1, bytes: ROW_BYTES });
    }

    /// One of them has an answer of so many bytes.
    pub(crate) fn answered(&self, account: &str, bytes: u64) {
        self.add(account, Held { tokens: 0, bytes });
    }

    fn add(&self, account: &str, more: Held) {
        let mut counted = self.lock();
        counted.all.add(more);
        match counted.accounts.get_mut(account) {
            Some(its) => its.add(more),
            None => drop(counted.accounts.insert(account.to_owned(), more)),
        }
    }

    /// What there is of each account, as the database says.
    pub(crate) fn counted(&self, accounts: HashMap<String, Held>) {
        let mut all = Held::default();
        accounts.values().for_each(|its| all.add(*its));
        *self.lock() = Counted { all, accounts };
    }

    /// What there is of all.
    pub(crate) fn all(&self) -> Held {
        self.lock().all
    }

    /// What the account that has most tokens has.
    pub(crate) fn most(&self) -> Held {
        self.lock().accounts.values().copied().max_by_key(|its| its.tokens).unwrap_or_default()
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Counted> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn add(&mut self, more: Self) {
        self.tokens = self.tokens.saturating_add(more.tokens);
        self.bytes = self.bytes.saturating_add(more.bytes);
    }
}
