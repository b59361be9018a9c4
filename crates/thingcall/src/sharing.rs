//! What this server shares with other instances beside the store's content, by what `[shared]` says.
//!
//! **Invariant:** a server on SQLite is alone and shares nothing.

use std::sync::Arc;

use thingcall_api::{Instances, SharedParts};
use thingcall_core::{Conditions, SharedNonces, SharedQuota, Weight};
use thingcall_redis::Redis;
use thingcall_store::{PostgresNonces, PostgresQuota};

use crate::config::{Config, SharedBy};

/// What is shared and where, without secrets.
pub(crate) fn in_words(config: &Config) -> String {
    let redis = || config.shared.redis.as_deref().map(without_user).unwrap_or_default();
    let at = |by| match by {
        SharedBy::Store => "in the store".to_owned(),
        SharedBy::Redis => format!("in {}", redis()),
        SharedBy::Local => "for itself".to_owned(),
    };
    let (nonces, quota, max) = (at(config.shared.nonces), at(config.shared.quota), config.api.calls_per_second_max);
    format!("nonces {nonces}, a quota of {max} calls a second {quota}")
}

/// A URL without what stands before its host.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://{rest}"),
        _ => url.to_owned(),
    }
}

/// What the front asks of others; `instances` says how many live.
///
/// # Errors
/// What is wrong with the configuration.
pub(crate) fn parts(config: &Config, conditions: &Conditions, instances: Instances) -> anyhow::Result<SharedParts> {
    if config.store.url.is_none() {
        return Ok(SharedParts::default());
    }
    let redis = config.shared.redis().as_ref().map(Redis::new).transpose()?;
    let nonces: Option<Arc<dyn SharedNonces>> = match config.shared.nonces {
        SharedBy::Store => PostgresNonces::of(&config.store)?.map(|nonces| nonces as _),
        SharedBy::Redis => redis.clone().map(|redis| redis as _),
        SharedBy::Local => None,
    };
    let quota: Option<Arc<dyn SharedQuota>> = match config.shared.quota {
        SharedBy::Store => PostgresQuota::of(&config.store)?.map(|quota| quota as _),
        SharedBy::Redis => redis.map(|redis| redis as _),
        SharedBy::Local => None,
    };
    Ok(SharedParts {
        nonces: nonces.map(|nonces| (nonces, conditions.add("shared nonces", Weight::Required))),
        // Without a limit nobody is asked.
        quota: quota
            .filter(|_| config.api.calls_per_second_max > 0)
            .map(|quota| (quota, conditions.add("shared quota", Weight::Told))),
        instances: Some(instances),
        ask_timeout: config.shared.ask_timeout,
    })
}
