//! What accounts have left of their quota: a key for each bucket that is not full, settled by a script in one go.

use std::num::NonZeroU32;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use thingcall_core::{Grant, SharedError, SharedQuota, Want};

use crate::connection::Redis;

/// What the keys of accounts begin with.
const ACCOUNT: &str = "thingcall:quota:";

/// [`Want::settle`] in Redis's words, for many accounts. All its numbers are whole and below 2^53.
static SETTLE: LazyLock<Script> = LazyLock::new(|| {
    Script::new(
        r"
        local max = tonumber(ARGV[1])
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local function taken(calls) return math.ceil(calls * 1000000 / max) end
        local told = {}
        for i, key in ipairs(KEYS) do
            local used, unused, ahead = tonumber(ARGV[3 * i - 1]), tonumber(ARGV[3 * i]), tonumber(ARGV[3 * i + 1])
            local full_at = math.max(tonumber(redis.call('GET', key) or 0), now)
            full_at = math.max(full_at - math.floor(unused * 1000000 / max), now) + taken(used)
            local left = math.floor(math.max(now + 1000000 - full_at, 0) * max / 1000000)
            local calls = math.min(left, ahead)
            full_at = full_at + taken(calls)
            if full_at > now then
                local millis = string.format('%.0f', math.ceil((full_at - now) / 1000))
                redis.call('SET', key, string.format('%.0f', full_at), 'PX', millis)
            else
                redis.call('DEL', key)
            end
            told[2 * i - 1], told[2 * i] = calls, full_at - now
        end
        return told
        ",
    )
});

#[async_trait]
impl SharedQuota for Redis {
    async fn reserve(&self, wants: &[Want], calls_per_second_max: NonZeroU32) -> Result<Vec<Grant>, SharedError> {
        if wants.is_empty() {
            return Ok(Vec::new());
        }
        let open = self.open().await?;
        let mut asked = SETTLE.prepare_invoke();
        asked.arg(calls_per_second_max.get());
        for Want { account, used, unused, ahead } in wants {
            asked.key(format!("{ACCOUNT}{account}")).arg(*used).arg(*unused).arg(*ahead);
        }
        let told: Result<Vec<u64>, _> = asked.invoke_async(&mut open.connection()).await;
        let told = told.map_err(|error| self.told(&open, &error))?;
        let grants = told.chunks_exact(2).filter_map(|pair| match pair {
            [calls, micros] => {
                Some(Grant { calls: u32::try_from(*calls).ok()?, full_in: Duration::from_micros(*micros) })
            }
            _ => None,
        });
        Ok(grants.collect())
    }
}
