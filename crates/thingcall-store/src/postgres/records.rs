//! Reading the records of asynchronous calls, the commands that wait and the results that are due.

use std::ops::RangeInclusive;
use std::sync::Arc;

use sqlx::PgConnection;
use thingcall_core::{CallId, Delivery, Device, DeviceKey, EndedCall, OpenCall, Record};

use super::lists::{count, numbers};
use crate::calls::CallKey;
use crate::columns::{self, records, waiting};
use crate::database::Slots;
use crate::rows;

/// The records with this id, newest first.
pub(super) async fn find(conn: &mut PgConnection, id: CallId) -> Result<Vec<Record>, sqlx::Error> {
    let found = sqlx::query(records!("call_id = $1 ORDER BY seq DESC")).bind(i64::from(id.as_u32()));
    found.fetch_all(conn).await?.iter().map(rows::record).collect()
}

/// The records of a request, newest first.
pub(super) async fn of_request(conn: &mut PgConnection, id: &str) -> Result<Vec<Record>, sqlx::Error> {
    let found = sqlx::query(records!("request_id = $1 ORDER BY seq DESC")).bind(id);
    found.fetch_all(conn).await?.iter().map(rows::record).collect()
}

/// The calls to a device that have not ended and that no plugin answers, oldest first.
pub(super) async fn open(conn: &mut PgConnection, device: &DeviceKey, max: usize) -> Result<Vec<Record>, sqlx::Error> {
    let open = sqlx::query(records!(
        "product = $1 AND device = $2 AND state < 3 AND COALESCE(transport, '') != 'plugin' ORDER BY seq LIMIT $3"
    ));
    let open = open.bind(device.product.as_str()).bind(device.name.as_str()).bind(limit(max));
    open.fetch_all(conn).await?.iter().map(rows::record).collect()
}

/// The place of the newest record.
pub(super) async fn last_place(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM calls").fetch_one(conn).await
}

/// The calls of a slot that have not ended and that no plugin answers, at these places.
pub(super) async fn open_in_slot(
    conn: &mut PgConnection,
    slot: u8,
    places: &RangeInclusive<i64>,
    max: usize,
) -> Result<Vec<OpenCall>, sqlx::Error> {
    let open = sqlx::query(records!(
        "slot = $1 AND state < 3 AND seq BETWEEN $2 AND $3 AND COALESCE(transport, '') != 'plugin' ORDER BY seq LIMIT $4"
    ));
    let open = open.bind(i16::from(slot)).bind(*places.start()).bind(*places.end()).bind(limit(max));
    open.fetch_all(conn).await?.iter().map(rows::open_call).collect()
}

/// The oldest results that an earlier release left to be published.
pub(super) async fn due(conn: &mut PgConnection, max: usize) -> Result<Vec<EndedCall>, sqlx::Error> {
    let due = sqlx::query("SELECT * FROM calls WHERE due ORDER BY ended_at, seq LIMIT $1");
    due.bind(limit(max)).fetch_all(conn).await?.iter().map(rows::ended_call).collect()
}

/// How many records there are.
pub(super) async fn count_all(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM calls").fetch_one(conn).await.map(count)
}

/// The commands of these slots that wait for their devices; `None`: of all.
pub(super) async fn waiting(conn: &mut PgConnection, slots: Slots<'_>) -> Result<Vec<CallKey>, sqlx::Error> {
    let waiting = sqlx::query(concat!(
        "SELECT product, device, call_id FROM calls WHERE ",
        waiting!(),
        " AND ($1::SMALLINT[] IS NULL OR slot = ANY($1))"
    ));
    waiting.bind(numbers(slots)).fetch_all(conn).await?.iter().map(columns::call_key).collect()
}

/// The commands that wait for a device, oldest first, from the one after `after` on.
pub(super) async fn waiting_for(
    conn: &mut PgConnection,
    device: &Arc<Device>,
    after: Option<CallId>,
    max: usize,
) -> Result<Vec<Delivery>, sqlx::Error> {
    let waiting = sqlx::query(concat!(
        "SELECT call_id, module, service, params, raw, times FROM calls WHERE product = $1 AND device = $2 AND seq > \
         COALESCE((SELECT MAX(seq) FROM calls WHERE call_id = $3 AND product = $1 AND device = $2), 0) AND ",
        waiting!(),
        " ORDER BY seq LIMIT $4"
    ));
    let waiting = waiting
        .bind(device.key.product.as_str())
        .bind(device.key.name.as_str())
        .bind(after.map(|id| i64::from(id.as_u32())))
        .bind(limit(max));
    waiting.fetch_all(conn).await?.iter().map(|row| rows::delivery(row, device)).collect()
}

fn limit(max: usize) -> i64 {
    i64::try_from(max).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests;
