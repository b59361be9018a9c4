//! What columns hold, and what it becomes in memory.

use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use thingcall_core::{
    CallId, DeviceKey, DeviceName, Identifier, InvalidId, JournalEntry, ModuleId, Outcome, ProductKey, RecordState,
    ServiceId, TransportKind,
};

/// Names an open call.
pub(crate) type CallKey = (DeviceKey, CallId);

/// The key of an entry's record.
pub(crate) fn key_of(entry: &JournalEntry) -> CallKey {
    (entry.delivery.device.key.clone(), entry.delivery.id)
}

/// The call a row is about.
pub(crate) fn call_key(row: &SqliteRow) -> Result<CallKey, sqlx::Error> {
    let device = device_key(row.try_get("product")?, row.try_get("device")?)?;
    Ok((device, call_id(row.try_get("call_id")?)))
}

/// An id as rows hold it.
pub(crate) fn call_id(number: i64) -> CallId {
    CallId::from_u32(u32::try_from(number).unwrap_or(u32::MAX))
}

/// A state as rows hold it.
pub(crate) const fn rank(state: RecordState) -> i64 {
    match state {
        RecordState::Queued => 0,
        RecordState::Sent => 1,
        RecordState::Acked => 2,
        RecordState::Ended => 3,
    }
}

/// The state of a row; one that is unknown is an open call's.
pub(crate) const fn state_of(rank: i64) -> RecordState {
    match rank {
        0 => RecordState::Queued,
        1 => RecordState::Sent,
        2 => RecordState::Acked,
        _ => RecordState::Ended,
    }
}

/// The service a row names.
pub(crate) fn service(row: &SqliteRow) -> Result<ServiceId, sqlx::Error> {
    let module = row.try_get::<Option<&str>, _>("module")?.map(ModuleId::try_from);
    Ok(ServiceId {
        module: module.transpose().map_err(decode)?,
        service: Identifier::try_from(row.try_get::<&str, _>("service")?).map_err(decode)?,
    })
}

/// The transport a row names.
pub(crate) fn transport(row: &SqliteRow) -> Result<Option<TransportKind>, sqlx::Error> {
    Ok(row.try_get::<Option<&str>, _>("transport")?.and_then(|word| word.parse().ok()))
}

/// The outcome a row names.
pub(crate) fn outcome(row: &SqliteRow) -> Result<Option<Outcome>, sqlx::Error> {
    Ok(row.try_get::<Option<&str>, _>("outcome")?.and_then(|word| word.parse().ok()))
}

/// A name and its product, as rows hold them.
pub(crate) fn device_key(product: &str, name: &str) -> Result<DeviceKey, sqlx::Error> {
    Ok(DeviceKey {
        product: ProductKey::try_from(product).map_err(decode)?,
        name: DeviceName::try_from(name).map_err(decode)?,
    })
}

/// An id in a row that is none: somebody else wrote into the file.
pub(crate) fn decode(error: InvalidId) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
