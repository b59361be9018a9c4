//! Who keeps what instances share, and how a Redis is reached where it is one.
//!
//! **Invariant:** an instance on SQLite is alone and shares nothing, whatever stands here.

use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Secret, Section};

/// `[shared]` in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shared {
    /// Who remembers the nonces that were used.
    pub nonces: SharedBy,
    /// Who counts the calls of accounts.
    pub quota: SharedBy,
    /// How long an answer is waited for.
    #[serde(with = "humantime_serde")]
    pub ask_timeout: Duration,
    /// Where the Redis is.
    pub redis: Option<String>,
    /// The user there, where it is not the default one.
    pub redis_username: Option<String>,
    /// The password.
    pub redis_password: Option<Secret>,
    /// Who may vouch for it.
    pub redis_ca_file: Option<PathBuf>,
}

/// Who keeps a thing for all instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SharedBy {
    /// The PostgreSQL of the store.
    Store,
    /// A Redis.
    Redis,
    /// Nobody: each instance knows its own.
    Local,
}

/// An answer that is waited for so long holds up every call.
const ASK_TIMEOUT_MAX: Duration = Duration::from_secs(10);
const ASK_TIMEOUT_MIN: Duration = Duration::from_millis(50);

impl Default for Shared {
    fn default() -> Self {
        Self {
            nonces: SharedBy::Store,
            quota: SharedBy::Store,
            ask_timeout: Duration::from_secs(1),
            redis: None,
            redis_username: None,
            redis_password: None,
            redis_ca_file: None,
        }
    }
}

impl Shared {
    /// How its Redis is reached, if anything is kept there.
    pub(crate) fn redis(&self) -> Option<thingcall_redis::Config> {
        if self.nonces != SharedBy::Redis && self.quota != SharedBy::Redis {
            return None;
        }
        Some(thingcall_redis::Config {
            redis: self.redis.clone()?,
            redis_username: self.redis_username.clone(),
            redis_password: self.redis_password.clone(),
            redis_ca_file: self.redis_ca_file.clone(),
            ask_timeout: self.ask_timeout,
        })
    }

    /// What does not go with a store that is for one instance.
    pub(crate) fn problems_alone(&self) -> Vec<Problem> {
        let keys = [("shared.nonces", self.nonces), ("shared.quota", self.quota)];
        let with_redis = keys.into_iter().filter(|(_, by)| *by == SharedBy::Redis);
        let right = "left out, or a PostgreSQL in store.url: on SQLite there is one instance, which keeps its own";
        with_redis.map(|(key, _)| Problem::new(key, "\"redis\"", right)).collect()
    }

    /// The keys that are of a Redis and set, beside its address.
    fn set_of_redis(&self) -> impl Iterator<Item = &'static str> {
        let set = [
            ("redis_username", self.redis_username.is_some()),
            ("redis_password", self.redis_password.is_some()),
            ("redis_ca_file", self.redis_ca_file.is_some()),
        ];
        set.into_iter().filter(|(_, set)| *set).map(|(key, _)| key)
    }
}

impl Section for Shared {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.between("ask_timeout", self.ask_timeout, ASK_TIMEOUT_MIN, ASK_TIMEOUT_MAX);
        let used = self.nonces == SharedBy::Redis || self.quota == SharedBy::Redis;
        check.must(
            !used || self.redis.is_some(),
            "redis",
            "missing",
            "redis://host:port, since something is kept there",
        );
        let unused = "left out, since nothing is kept in Redis (nonces and quota say where)";
        check.must(used || self.redis.is_none(), "redis", "set", unused);
        for key in self.set_of_redis().filter(|_| !used) {
            check.must(false, key, "set", unused);
        }
        self.redis().iter().for_each(|redis| check.section("", redis));
        check.into_problems()
    }

    fn problems_of_files(&self) -> Vec<Problem> {
        self.redis().iter().flat_map(Section::problems_of_files).collect()
    }
}

#[cfg(test)]
mod tests;
