//! The outbox: QoS 1 commands that wait for their device. Which those are stands here, for SQL and for memory.
//!
//! **Invariant:** [`WaitingCommands`] holds exactly the records that the outbox would deliver. Touched under the write lock
//! only.

use std::collections::{HashMap, HashSet};

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use thingcall_core::{
    Args, CallId, CallMode, Delivery, DeviceKey, JournalEntry, JournalError, Qos, RecordState, TransportKind,
};

use crate::columns::{self, CallKey};
use crate::memory::Memory;

/// The condition in SQL; [`waits`] is the same. The index `calls_waiting` begins with its first two terms.
macro_rules! waiting {
    () => {
        "qos = 1 AND state < 2 AND COALESCE(transport, 'embedded') = 'embedded'"
    };
}
pub(crate) use waiting;

/// Whether a command waits for its device: at QoS 1, not acknowledged, not ended, and on its way through no other transport
/// than the embedded broker.
pub(crate) const fn waits(qos: Qos, state: RecordState, transport: Option<TransportKind>) -> bool {
    let here = match transport {
        None | Some(TransportKind::Embedded) => true,
        Some(TransportKind::Mqtt | TransportKind::Amqp | TransportKind::Plugin) => false,
    };
    match (qos, state) {
        (Qos::AtLeastOnce, RecordState::Queued | RecordState::Sent) => here,
        (Qos::AtLeastOnce, RecordState::Acked | RecordState::Ended) | (Qos::AtMostOnce, _) => false,
    }
}

/// Whether a new call's command waits.
pub(crate) fn is_kept(entry: &JournalEntry) -> bool {
    let state = if entry.answer.is_some() { RecordState::Ended } else { RecordState::Queued };
    waits(entry.delivery.qos, state, None)
}

/// The commands that wait.
#[derive(Debug)]
pub(crate) struct WaitingCommands {
    devices: HashMap<DeviceKey, HashSet<CallId>>,
    calls: usize,
    calls_per_device_max: usize,
    calls_max: usize,
}

impl WaitingCommands {
    /// None yet.
    pub(crate) fn new(calls_per_device_max: usize, calls_max: usize) -> Self {
        Self { devices: HashMap::new(), calls: 0, calls_per_device_max, calls_max }
    }

    /// Takes in a new command if there is room for it.
    pub(crate) fn admit(&mut self, (device, id): &CallKey) -> Result<(), JournalError> {
        if self.devices.get(device).is_some_and(|ids| ids.contains(id)) {
            return Err(JournalError::IdInUse);
        }
        if self.of(device) >= self.calls_per_device_max {
            return Err(JournalError::DeviceFull(self.calls_per_device_max));
        }
        if self.calls >= self.calls_max {
            return Err(JournalError::QueueFull(self.calls_max));
        }
        self.insert(device.clone(), *id);
        Ok(())
    }

    /// Takes in a command that is in the file, room or not.
    pub(crate) fn insert(&mut self, device: DeviceKey, id: CallId) {
        if self.devices.entry(device).or_default().insert(id) {
            self.calls += 1;
        }
    }

    /// The command waits no more.
    pub(crate) fn leave(&mut self, (device, id): &CallKey) {
        let Some(ids) = self.devices.get_mut(device) else { return };
        if ids.remove(id) {
            self.calls -= 1;
        }
        if ids.is_empty() {
            self.devices.remove(device);
        }
    }

    /// The device is gone.
    pub(crate) fn forget(&mut self, device: &DeviceKey) {
        self.calls -= self.devices.remove(device).map_or(0, |ids| ids.len());
    }

    /// How many wait for this device.
    pub(crate) fn of(&self, device: &DeviceKey) -> usize {
        self.devices.get(device).map_or(0, HashSet::len)
    }

    /// How many wait in all.
    pub(crate) fn len(&self) -> usize {
        self.calls
    }
}

/// Fills the outbox's size from the file.
pub(crate) async fn load(conn: &mut SqliteConnection, waiting: &mut WaitingCommands) -> Result<(), sqlx::Error> {
    let rows = sqlx::query(concat!("SELECT product, device, call_id FROM calls WHERE ", waiting!()));
    for row in rows.fetch_all(conn).await? {
        let (device, id) = columns::call_key(&row)?;
        waiting.insert(device, id);
    }
    Ok(())
}

/// The commands that wait for a device, oldest first, from the one after `after` on.
pub(crate) async fn unacknowledged(
    conn: &mut SqliteConnection,
    memory: &Memory,
    device: &DeviceKey,
    after: Option<CallId>,
    max: usize,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let Some(entry) = memory.device_by_key(device) else { return Ok(Vec::new()) };
    let after = match after {
        Some(id) => seq(conn, device, id).await?,
        None => 0,
    };
    let rows = sqlx::query(concat!(
        "SELECT call_id, module, service, params, raw FROM calls WHERE product = ? AND device = ? AND seq > ? AND ",
        waiting!(),
        " ORDER BY seq LIMIT ?"
    ))
    .bind(device.product.as_str())
    .bind(device.name.as_str())
    .bind(after)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    let delivery = |row: &SqliteRow| {
        Ok(Delivery {
            id: columns::call_id(row.try_get("call_id")?),
            device: entry.device.clone(),
            service: columns::service(row)?,
            raw: row.try_get::<Option<Vec<u8>>, _>("raw")?.map(Into::into),
            params: Args::checked(row.try_get("params")?),
            mode: CallMode::Async,
            qos: Qos::AtLeastOnce,
            deadline: None,
            sync_topic: None,
        })
    };
    rows.iter().map(delivery).collect()
}

/// The place of a device's newest call with this id; 0 once it is dropped, so that nothing is left out.
async fn seq(conn: &mut SqliteConnection, device: &DeviceKey, id: CallId) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM calls WHERE call_id = ? AND product = ? AND device = ?")
        .bind(i64::from(id.as_u32()))
        .bind(device.product.as_str())
        .bind(device.name.as_str())
        .fetch_one(conn)
        .await
}

#[cfg(test)]
mod tests;
