//! What was heard of devices, written down. Other instances hear of them too: what is written is what was heard, and nothing
//! else of a device.

use sqlx::PgConnection;
use thingcall_core::{DeviceKey, SyncTopic, TransportName, UnixMillis};

use super::lists::{Lists, text};
use crate::live::Heard;
use crate::memory::DeviceEntry;
use crate::rows;

/// A time in the row that is still to come is of a clock that was set back since, or ahead elsewhere.
const HEARD: &str = "\
    UPDATE devices AS d SET online = COALESCE(v.online, d.online), \
    activated_at = CASE WHEN d.activated_at <= $9 THEN d.activated_at ELSE COALESCE(v.first_at, d.activated_at) END, \
    last_seen_at = CASE WHEN d.last_seen_at <= $9 THEN GREATEST(d.last_seen_at, v.last_at) \
    ELSE COALESCE(v.last_at, d.last_seen_at) END, \
    online_at = CASE WHEN d.online_at <= $9 THEN GREATEST(d.online_at, v.online_at) \
    ELSE COALESCE(v.online_at, d.online_at) END, \
    address = COALESCE(v.address, d.address), came_from = COALESCE(v.came_from, d.came_from), \
    sync_topic = COALESCE(v.sync_topic, d.sync_topic) \
    FROM UNNEST($1::TEXT[], $2::TEXT[], $3::BOOLEAN[], $4::BIGINT[], $5::BIGINT[], $6::TEXT[], $7::TEXT[], $8::TEXT[], $10::BIGINT[]) \
    AS v (product, name, online, first_at, last_at, address, came_from, sync_topic, online_at) \
    WHERE d.product = v.product AND d.name = v.name";

/// What a row takes without its names and its address.
const HEARD_BYTES: usize = 80;

/// What was heard of devices.
pub(super) async fn write(
    conn: &mut PgConnection,
    devices: &[(DeviceKey, Heard)],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    for piece in Lists(devices).pieces(bytes) {
        write_piece(conn, piece, now).await?;
    }
    Ok(())
}

fn bytes((key, heard): &(DeviceKey, Heard)) -> usize {
    let names = key.product.as_str().len() + key.name.as_str().len();
    HEARD_BYTES + names + heard.address.as_ref().map_or(0, |address| address.len())
}

async fn write_piece(
    conn: &mut PgConnection,
    devices: &[(DeviceKey, Heard)],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let by_now = |at: Option<UnixMillis>| at.map(|at| at.min(now).0);
    let all = Lists(devices);
    sqlx::query(HEARD)
        .bind(all.list(|(key, _)| key.product.as_str()))
        .bind(all.list(|(key, _)| key.name.as_str()))
        .bind(all.list(|(_, heard)| heard.online))
        .bind(all.list(|(_, heard)| by_now(heard.first_at)))
        .bind(all.list(|(_, heard)| by_now(heard.last_at)))
        .bind(all.list(|(_, heard)| heard.address.as_deref().map(text)))
        .bind(all.list(|(_, heard)| heard.came_from.map(TransportName::as_str)))
        .bind(all.list(|(_, heard)| heard.sync_topic.map(SyncTopic::as_str)))
        .bind(now.0)
        .bind(all.list(|(_, heard)| by_now(heard.online_at)))
        .execute(conn)
        .await
        .map(drop)
}

/// No device is connected.
pub(super) async fn none_online(conn: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE devices SET online = FALSE WHERE online").execute(conn).await.map(drop)
}

/// What is known of these devices; nobody else writes of them until the commit.
pub(super) async fn of(conn: &mut PgConnection, devices: &[DeviceKey]) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let all = Lists(devices);
    let found = sqlx::query(
        "SELECT * FROM devices WHERE (product, name) IN (SELECT * FROM UNNEST($1::TEXT[], $2::TEXT[])) \
         ORDER BY product, name FOR NO KEY UPDATE",
    );
    let found = found.bind(all.list(|key| key.product.as_str())).bind(all.list(|key| key.name.as_str()));
    found.fetch_all(conn).await?.iter().map(rows::device).collect()
}

/// The devices that are connected.
pub(super) async fn online(conn: &mut PgConnection) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    sqlx::query("SELECT * FROM devices WHERE online").fetch_all(conn).await?.iter().map(rows::device).collect()
}
