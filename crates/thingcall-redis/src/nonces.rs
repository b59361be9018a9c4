//! The nonces that were used: a key for each, which Redis forgets by itself.
//!
//! **Invariant:** since when they are remembered stands beside them, with the run id of the Redis that remembers: where either
//! is missing or another one, the memory begins anew, and what was signed before is told to be too old.

use async_trait::async_trait;
use redis::{RedisError, Script};
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock};
use thingcall_core::{NonceUse, NonceVerdict, SharedError, SharedNonces, UnixMillis};

use crate::connection::{Open, Redis};

/// Since when nonces are remembered, and by whom.
const BEGAN: &str = "thingcall:nonces:began";

/// What the keys of nonces begin with.
const NONCE: &[u8] = b"thingcall:nonce:";

/// So much of a hash stands for a nonce.
const HASH_BYTES: usize = 16;

/// Begins a memory in the next whole second, unless this Redis has one.
static BEGIN: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local began = redis.call('GET', KEYS[1])
        if began and string.sub(began, 1, #ARGV[1] + 1) == ARGV[1] .. ' ' then
            return began
        end
        local seconds = redis.call('TIME')[1] + 1
        began = ARGV[1] .. ' ' .. string.format('%.0f', seconds * 1000)
        redis.call('SET', KEYS[1], began)
        return began
        ",
    )
});

#[async_trait]
impl SharedNonces for Redis {
    async fn note(&self, used: NonceUse<'_>) -> Result<NonceVerdict, SharedError> {
        let open = self.open().await?;
        let noted = note(&open, &used).await;
        noted.map_err(|error| self.told(&open, &error))
    }
}

async fn note(open: &Arc<Open>, used: &NonceUse<'_>) -> Result<NonceVerdict, RedisError> {
    let mut connection = open.connection();
    let millis = u64::try_from(used.keep.as_millis()).unwrap_or(u64::MAX).clamp(1, i64::MAX as u64 / 2);
    let key = key(used);
    // In this order: a memory that was emptied before the nonce was noted is seen to have begun anew.
    let mut asked = redis::pipe();
    asked.cmd("SET").arg(&key).arg("").arg("NX").arg("PX").arg(millis).cmd("GET").arg(BEGAN);
    let (new, began): (Option<String>, Option<String>) = asked.query_async(&mut connection).await?;
    let began = match began.as_deref().and_then(|text| began_by(open, text)) {
        Some(began) => began,
        None => {
            let text: String = BEGIN.key(BEGAN).arg(open.run_id()).invoke_async(&mut connection).await?;
            // One that cannot be read never began.
            began_by(open, &text).unwrap_or(UnixMillis(i64::MAX))
        }
    };
    Ok(match new {
        _ if used.signed_at < began => NonceVerdict::TooOld { began },
        Some(_ok) => NonceVerdict::New,
        None => NonceVerdict::Used,
    })
}

/// When the Redis of this connection began, if it is the one that the text tells of.
fn began_by(open: &Open, text: &str) -> Option<UnixMillis> {
    let (run_id, millis) = text.split_once(' ')?;
    if run_id != open.run_id() {
        return None;
    }
    millis.parse().ok().map(UnixMillis)
}

fn key(used: &NonceUse<'_>) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(u64::try_from(used.key.len()).unwrap_or(u64::MAX).to_le_bytes());
    hash.update(used.key);
    hash.update(used.nonce);
    let hash = hash.finalize();
    NONCE.iter().copied().chain(hash.into_iter().take(HASH_BYTES)).collect()
}
