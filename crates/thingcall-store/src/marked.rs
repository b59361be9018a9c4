//! The devices of which memory knows more than the database does.
//!
//! **Invariant:** a device whose memory differs from the database is marked, and is in the list of marked ones once.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thingcall_core::{IotId, UnixMillis};

use crate::live::{Live, Seen};

/// The devices to be written. At most one entry for each device, so `devices_max` bounds it.
#[derive(Debug, Default)]
pub(crate) struct Marked(Mutex<Vec<(IotId, Arc<Live>)>>);

impl Marked {
    /// A device was not seen later than now.
    pub(crate) fn none_in_the_future(&self, id: &IotId, live: &Arc<Live>, now: UnixMillis) {
        let ahead = |at: Option<UnixMillis>| at.is_some_and(|at| at > now);
        let seen = live.seen();
        if ahead(seen.last_seen_at) || ahead(seen.activated_at) {
            self.change(id, live, |seen| {
                seen.last_seen_at = seen.last_seen_at.min(Some(now));
                seen.activated_at = seen.activated_at.min(Some(now));
            });
        }
    }

    /// Changes what is known of a device; it may be gone.
    pub(crate) fn change(&self, id: &IotId, live: &Arc<Live>, change: impl FnOnce(&mut Seen)) {
        if live.change(change) {
            self.lock().push((id.clone(), live.clone()));
        }
    }

    /// Those that are marked; they are no more.
    pub(crate) fn take(&self) -> Vec<(IotId, Arc<Live>)> {
        mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(IotId, Arc<Live>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
