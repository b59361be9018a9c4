//! Reading the records of asynchronous calls, the commands that wait and the results that are due.

use std::ops::RangeInclusive;
use std::sync::Arc;

use sqlx::{SqliteConnection, SqlitePool};
use thingcall_core::{CallId, Delivery, Device, DeviceKey, EndedCall, OpenCall, Record};

use crate::calls::CallKey;
use crate::columns::{self, records, waiting};
use crate::rows;

/// The records with this id, newest first.
pub(crate) async fn find(reads: &SqlitePool, id: CallId) -> Result<Vec<Record>, sqlx::Error> {
    let found = sqlx::query(records!("call_id = ? ORDER BY seq DESC")).bind(i64::from(id.as_u32()));
    found.fetch_all(reads).await?.iter().map(rows::record).collect()
}

/// The records of a request, newest first.
pub(crate) async fn of_request(reads: &SqlitePool, id: &str) -> Result<Vec<Record>, sqlx::Error> {
    let found = sqlx::query(records!("request_id = ? ORDER BY seq DESC")).bind(id);
    found.fetch_all(reads).await?.iter().map(rows::record).collect()
}

/// The calls to a device that have not ended and that no plugin answers, oldest first.
pub(crate) async fn open(
    conn: &mut SqliteConnection,
    device: &DeviceKey,
    max: usize,
) -> Result<Vec<Record>, sqlx::Error> {
    let open = records!(
        "product = ? AND device = ? AND state < 3 AND COALESCE(transport, '') != 'plugin' ORDER BY seq LIMIT ?"
    );
    let found = sqlx::query(open).bind(device.product.as_str()).bind(device.name.as_str()).bind(count(max));
    found.fetch_all(conn).await?.iter().map(rows::record).collect()
}

/// The place of the newest record.
pub(crate) async fn last_place(reads: &SqlitePool) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM calls").fetch_one(reads).await
}

/// The calls of a slot that have not ended, at these places. In the order of the places, so that page by page each record is
/// looked at once, however many are open.
pub(crate) async fn open_in_slot(
    reads: &SqlitePool,
    slot: u8,
    places: &RangeInclusive<i64>,
    max: usize,
) -> Result<Vec<OpenCall>, sqlx::Error> {
    let open = "SELECT calls.*, EXISTS (SELECT 1 FROM devices WHERE devices.iot_id = calls.iot_id AND devices.enabled) \
         AS device_enabled FROM calls NOT INDEXED WHERE state < 3 AND call_id BETWEEN ? AND ? \
         AND seq BETWEEN ? AND ? AND COALESCE(transport, '') != 'plugin' ORDER BY seq LIMIT ?";
    let found = sqlx::query(open).bind(i64::from(CallId::new(slot, 0).as_u32()));
    let found = found.bind(i64::from(CallId::new(slot, u32::MAX).as_u32())).bind(*places.start()).bind(*places.end());
    found.bind(count(max)).fetch_all(reads).await?.iter().map(rows::open_call).collect()
}

/// The oldest results that an earlier release left to be published.
pub(crate) async fn due(reads: &SqlitePool, max: usize) -> Result<Vec<EndedCall>, sqlx::Error> {
    let due = sqlx::query("SELECT * FROM calls WHERE due = 1 ORDER BY ended_at, seq LIMIT ?").bind(count(max));
    due.fetch_all(reads).await?.iter().map(rows::ended_call).collect()
}

/// The commands that wait for their devices.
pub(crate) async fn waiting(conn: &mut SqliteConnection) -> Result<Vec<CallKey>, sqlx::Error> {
    let waiting = sqlx::query(concat!("SELECT product, device, call_id FROM calls WHERE ", waiting!()));
    waiting.fetch_all(conn).await?.iter().map(columns::call_key).collect()
}

/// The commands that wait for a device, oldest first, from the one after `after` on.
pub(crate) async fn waiting_for(
    conn: &mut SqliteConnection,
    device: &Arc<Device>,
    after: Option<CallId>,
    max: usize,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let after = match after {
        Some(id) => seq(conn, &device.key, id).await?,
        None => 0,
    };
    let waiting = sqlx::query(concat!(
        "SELECT call_id, module, service, params, raw, times FROM calls WHERE product = ? AND device = ? AND seq > ? AND ",
        waiting!(),
        " ORDER BY seq LIMIT ?"
    ));
    let waiting = waiting.bind(device.key.product.as_str()).bind(device.key.name.as_str()).bind(after).bind(count(max));
    waiting.fetch_all(conn).await?.iter().map(|row| rows::delivery(row, device)).collect()
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

fn count(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
