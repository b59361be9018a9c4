//! What is kept of the past of devices, within bounds of age, number and bytes for each product.

use std::sync::atomic::Ordering;

use thingcall_core::{ProductKey, UnixMillis};
use tracing::debug;

use crate::database::Kept;
use crate::failure::Failure;
use crate::shared::{Shared, WriteSide};

/// How many are dropped in one transaction: calls wait for no more.
const DROPPED_AT_ONCE: i64 = 2000;
/// How many transactions of them there are before the next look.
const STEPS_MAX: usize = 50;

/// Drops what is too old or too much, where anything is kept at all.
pub(crate) async fn prune(shared: &Shared, side: &mut WriteSide) -> Result<(), Failure> {
    if shared.config.history_records_per_product_max == 0 || !shared.history.is_time() {
        return Ok(());
    }
    for product in shared.memory.products() {
        prune_product(shared, side, &product.key).await?;
    }
    Ok(())
}

async fn prune_product(shared: &Shared, side: &mut WriteSide, product: &ProductKey) -> Result<(), Failure> {
    let config = &shared.config;
    let age = i64::try_from(config.history_keep.as_millis()).unwrap_or(i64::MAX);
    let since = UnixMillis(UnixMillis::now().0.saturating_sub(age));
    for _ in 0..STEPS_MAX {
        let kept = side.conn.kept_past(product).await?;
        let excess = excess(kept, config.history_records_per_product_max, config.history_bytes_per_product_max.get());
        let mut tx = side.conn.begin().await?;
        let dropped = tx.drop_past(product, since, excess.min(DROPPED_AT_ONCE)).await?;
        tx.commit().await?;
        shared.history.dropped.fetch_add(dropped, Ordering::Relaxed);
        if dropped == 0 {
            break;
        }
        debug!(%product, dropped, "what devices reported was dropped: too old, or too much");
    }
    Ok(())
}

/// How many of them are too many.
fn excess(kept: Kept, records_max: u64, bytes_max: u64) -> i64 {
    let of_records = kept.records.saturating_sub(records_max);
    let each = kept.bytes.checked_div(kept.records).unwrap_or(0).max(1);
    let of_bytes = kept.bytes.saturating_sub(bytes_max).div_ceil(each);
    i64::try_from(of_records.max(of_bytes)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    //! How much is too much.

    use super::*;

    #[test]
    fn whichever_bound_is_passed_further_says_how_many_go() {
        let kept = |records, bytes| Kept { records, bytes };
        assert_eq!(excess(kept(10, 1000), 10, 1000), 0);
        assert_eq!(excess(kept(12, 1000), 10, 1000), 2);
        assert_eq!(excess(kept(10, 1250), 10, 1000), 2);
        assert_eq!(excess(kept(20, 1250), 10, 1000), 10);
        assert_eq!(excess(kept(0, 0), 10, 1000), 0);
    }
}
