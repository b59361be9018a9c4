//! The first lease of an instance, and what may be in its way for a moment.

use std::time::Duration;

use thingcall_core::{Instance, Lease, LeaseError, Leases, SlotState};
use tokio::time::{Instant, sleep};
use tracing::info;

/// How often it is looked whether another instance is gone.
const LOOKS_EACH: Duration = Duration::from_millis(500);

/// Leases a slot, and says when it was asked for. Where another instance is in the way, waits until it is seen to live, or
/// its lease is over: a server that was killed leaves one behind.
pub(crate) async fn lease(
    leases: &dyn Leases,
    me: &Instance,
    wanted: Option<u8>,
) -> Result<(Lease, Instant), LeaseError> {
    let mut before: Option<SlotState> = None;
    loop {
        let asked = Instant::now();
        let refused = match leases.take(me, wanted).await {
            Ok(lease) => return Ok((lease, asked)),
            Err(refused) => refused,
        };
        let (LeaseError::EmbeddedHere { slot, other } | LeaseError::EmbeddedThere { slot, other }) = &refused else {
            return Err(refused);
        };
        let Some(now) = leases.all().await?.into_iter().find(|state| state.slot == *slot) else { continue };
        match before.replace(now.clone()) {
            None => {
                info!(instance = other, slot, left = ?now.left, "another instance is in the way; waits whether it lives")
            }
            Some(before) if lives(&before, &now) => return Err(refused),
            Some(_) => {}
        }
        sleep(LOOKS_EACH).await;
    }
}

/// Whether the holder of a slot renewed its lease, or a new one took it.
fn lives(before: &SlotState, now: &SlotState) -> bool {
    now.holder.is_some() && (now.generation != before.generation || now.left > before.left)
}

#[cfg(test)]
mod tests;
