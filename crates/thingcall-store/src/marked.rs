//! The devices of which memory knows more than the database does.
//!
//! **Invariant:** a device whose memory differs from the database is marked, and is in the list of marked ones once.

use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thingcall_core::{IotId, UnixMillis};

use crate::database::WriteConnection;
use crate::failure::Failure;
use crate::live::{Live, Seen};
use crate::memory::DeviceEntry;

/// The devices to be written. At most one entry for each device, so `devices_max` bounds it.
#[derive(Debug, Default)]
pub(crate) struct Marked(Mutex<Vec<(IotId, Arc<Live>)>>);

impl Marked {
    /// Changes what is known of a device.
    pub(crate) fn change(&self, entry: &DeviceEntry, change: impl FnOnce(&mut Seen)) {
        self.mark(&entry.device.iot_id, &entry.live, change);
    }

    /// A clock that ran ahead and was set back leaves times that are still to come: nobody was seen later than now.
    pub(crate) fn none_in_the_future(&self, devices: &[Arc<DeviceEntry>], now: UnixMillis) {
        let ahead = |at: Option<UnixMillis>| at.is_some_and(|at| at > now);
        for entry in devices {
            let seen = entry.live.seen();
            if ahead(seen.last_seen_at) || ahead(seen.activated_at) {
                self.change(entry, |seen| {
                    seen.last_seen_at = seen.last_seen_at.min(Some(now));
                    seen.activated_at = seen.activated_at.min(Some(now));
                });
            }
        }
    }

    fn mark(&self, id: &IotId, live: &Arc<Live>, change: impl FnOnce(&mut Seen)) {
        if live.change(change) {
            self.lock().push((id.clone(), live.clone()));
        }
    }

    /// Writes the marked devices in one transaction. What cannot be written stays marked.
    pub(crate) async fn flush(&self, conn: &mut dyn WriteConnection) -> Result<(), Failure> {
        let marked = mem::take(&mut *self.lock());
        if marked.is_empty() {
            return Ok(());
        }
        let rows: Vec<(&IotId, Seen)> = marked.iter().map(|(id, live)| (id, live.take())).collect();
        let written = write(conn, &rows).await;
        if written.is_err() {
            for (id, live) in &marked {
                self.mark(id, live, |_| {});
            }
        }
        written
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(IotId, Arc<Live>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn write(conn: &mut dyn WriteConnection, rows: &[(&IotId, Seen)]) -> Result<(), Failure> {
    let mut tx = conn.begin().await?;
    tx.write_presence(rows).await?;
    tx.commit().await
}
