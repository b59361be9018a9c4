//! Reading the records of asynchronous calls: for people, and for the outbox.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use thingcall_core::{
    Args, CallId, CallMode, Delivery, Device, DeviceKey, Identifier, IotId, ModuleId, Outcome, Qos, Record, ServiceId,
    TransportKind, UnixMillis,
};

use crate::memory::Memory;
use crate::{calls, rows};

/// The records with this id, newest first.
pub(crate) async fn find(reads: &SqlitePool, memory: &Memory, id: CallId) -> Result<Vec<Record>, sqlx::Error> {
    let rows = sqlx::query("SELECT * FROM calls WHERE call_id = ? ORDER BY seq DESC")
        .bind(i64::from(id.as_u32()))
        .fetch_all(reads)
        .await?;
    rows.iter().map(|row| record(row, memory)).collect()
}

/// The records of a request, newest first. Looks at all records: for who asks now and then.
pub(crate) async fn of_request(reads: &SqlitePool, memory: &Memory, id: &str) -> Result<Vec<Record>, sqlx::Error> {
    let rows =
        sqlx::query("SELECT * FROM calls WHERE request_id = ? ORDER BY seq DESC").bind(id).fetch_all(reads).await?;
    rows.iter().map(|row| record(row, memory)).collect()
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
    let rows = sqlx::query(
        "SELECT call_id, module, service, params, raw FROM calls \
         WHERE product = ? AND device = ? AND seq > ? AND qos = 1 AND state < 2 \
         AND COALESCE(transport, 'embedded') = 'embedded' ORDER BY seq LIMIT ?",
    )
    .bind(device.product.as_str())
    .bind(device.name.as_str())
    .bind(after)
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    let delivery = |row: &SqliteRow| {
        Ok(Delivery {
            id: calls::call_id(row.try_get("call_id")?),
            device: entry.device.clone(),
            service: service(row)?,
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

/// The calls to a device that have not ended and that no plugin answers, oldest first.
pub(crate) async fn open(
    conn: &mut SqliteConnection,
    memory: &Memory,
    device: &DeviceKey,
    max: usize,
) -> Result<Vec<Record>, sqlx::Error> {
    let rows = sqlx::query(
        "SELECT * FROM calls WHERE product = ? AND device = ? AND state < 3 AND COALESCE(transport, '') != 'plugin' \
         ORDER BY seq LIMIT ?",
    )
    .bind(device.product.as_str())
    .bind(device.name.as_str())
    .bind(i64::try_from(max).unwrap_or(i64::MAX))
    .fetch_all(conn)
    .await?;
    rows.iter().map(|row| record(row, memory)).collect()
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

/// The service a row names.
pub(crate) fn service(row: &SqliteRow) -> Result<ServiceId, sqlx::Error> {
    let module = row.try_get::<Option<&str>, _>("module")?.map(ModuleId::try_from);
    Ok(ServiceId {
        module: module.transpose().map_err(rows::decode)?,
        service: Identifier::try_from(row.try_get::<&str, _>("service")?).map_err(rows::decode)?,
    })
}

/// The transport a row names.
pub(crate) fn transport(row: &SqliteRow) -> Result<Option<TransportKind>, sqlx::Error> {
    Ok(row.try_get::<Option<&str>, _>("transport")?.and_then(TransportKind::from_word))
}

/// The outcome a row names.
pub(crate) fn outcome(row: &SqliteRow) -> Result<Option<Outcome>, sqlx::Error> {
    Ok(row.try_get::<Option<&str>, _>("outcome")?.and_then(Outcome::from_word))
}

fn record(row: &SqliteRow, memory: &Memory) -> Result<Record, sqlx::Error> {
    let key = rows::device_key(row.try_get("product")?, row.try_get("device")?)?;
    let iot_id = IotId::try_from(row.try_get::<&str, _>("iot_id")?).map_err(rows::decode)?;
    let enabled = memory.device_by_key(&key).is_some_and(|entry| entry.device.enabled && entry.device.iot_id == iot_id);
    Ok(Record {
        id: calls::call_id(row.try_get("call_id")?),
        request_id: row.try_get("request_id")?,
        device: Device { key, iot_id, enabled, transport: None },
        service: service(row)?,
        params: row.try_get("params")?,
        qos: row.try_get("qos")?,
        state: calls::state_of(row.try_get("state")?),
        outcome: outcome(row)?,
        transport: transport(row)?,
        code: row.try_get("code")?,
        message: row.try_get("message")?,
        data: row.try_get("data")?,
        accepted_at: UnixMillis(row.try_get("accepted_at")?),
        sent_at: time(row, "sent_at")?,
        acked_at: time(row, "acked_at")?,
        ended_at: time(row, "ended_at")?,
    })
}

fn time(row: &SqliteRow, column: &str) -> Result<Option<UnixMillis>, sqlx::Error> {
    Ok(row.try_get::<Option<i64>, _>(column)?.map(UnixMillis))
}
