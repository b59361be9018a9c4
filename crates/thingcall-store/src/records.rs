//! Reading the records of asynchronous calls.

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection, SqlitePool};
use thingcall_core::{CallId, Device, DeviceKey, IotId, Record, UnixMillis};

use crate::columns;
use crate::memory::Memory;

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

fn record(row: &SqliteRow, memory: &Memory) -> Result<Record, sqlx::Error> {
    let key = columns::device_key(row.try_get("product")?, row.try_get("device")?)?;
    let iot_id = IotId::try_from(row.try_get::<&str, _>("iot_id")?).map_err(columns::decode)?;
    let enabled = memory.device_by_key(&key).is_some_and(|entry| entry.device.enabled && entry.device.iot_id == iot_id);
    Ok(Record {
        id: columns::call_id(row.try_get("call_id")?),
        request_id: row.try_get("request_id")?,
        device: Device { key, iot_id, enabled, transport: None },
        service: columns::service(row)?,
        params: row.try_get("params")?,
        qos: row.try_get("qos")?,
        state: columns::state_of(row.try_get("state")?),
        outcome: columns::outcome(row)?,
        transport: columns::transport(row)?,
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
