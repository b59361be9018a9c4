//! What was heard of devices, written down.

use std::sync::LazyLock;

use sqlx::SqliteConnection;
use thingcall_core::{DeviceKey, SyncTopic, TransportName, UnixMillis};

use super::many::{Many, Statement};
use crate::live::Heard;
use crate::memory::DeviceEntry;
use crate::rows;

/// A time in the row that is still to come is of a clock that was set back since.
static HEARD: LazyLock<Many> = LazyLock::new(|| {
    let before =
        "WITH v (product, name, now, online, first_at, last_at, online_at, address, came_from, sync_topic) AS (VALUES ";
    let after = ") UPDATE devices SET online = COALESCE(v.online, devices.online), \
                 activated_at = CASE WHEN devices.activated_at <= v.now THEN devices.activated_at \
                 ELSE COALESCE(v.first_at, devices.activated_at) END, \
                 last_seen_at = CASE WHEN devices.last_seen_at <= v.now \
                 THEN MAX(devices.last_seen_at, COALESCE(v.last_at, devices.last_seen_at)) \
                 ELSE COALESCE(v.last_at, devices.last_seen_at) END, \
                 online_at = CASE WHEN devices.online_at <= v.now \
                 THEN MAX(devices.online_at, COALESCE(v.online_at, devices.online_at)) \
                 ELSE COALESCE(v.online_at, devices.online_at) END, \
                 address = COALESCE(v.address, devices.address), came_from = COALESCE(v.came_from, devices.came_from), \
                 sync_topic = COALESCE(v.sync_topic, devices.sync_topic) \
                 FROM v WHERE devices.product = v.product AND devices.name = v.name";
    Many::new(before, 10, after)
});

static DEVICES: LazyLock<Many> =
    LazyLock::new(|| Many::new("SELECT * FROM devices WHERE (product, name) IN (VALUES ", 2, ")"));

/// What was heard of devices.
pub(crate) async fn write(
    conn: &mut SqliteConnection,
    devices: &[(DeviceKey, Heard)],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    for (statement, _) in HEARD.statements(devices, |statement, (key, heard)| bind(statement, key, heard, now)) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

/// No device is connected.
pub(crate) async fn none_online(conn: &mut SqliteConnection) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE devices SET online = FALSE WHERE online").execute(conn).await.map(drop)
}

fn bind(statement: Statement, key: &DeviceKey, heard: &Heard, now: UnixMillis) -> Statement {
    let by_now = |at: Option<UnixMillis>| at.map(|at| at.min(now).0);
    statement
        .bind(key.product.as_str().to_owned())
        .bind(key.name.as_str().to_owned())
        .bind(now.0)
        .bind(heard.online)
        .bind(by_now(heard.first_at))
        .bind(by_now(heard.last_at))
        .bind(by_now(heard.online_at))
        .bind(heard.address.clone())
        .bind(heard.came_from.map(TransportName::as_str))
        .bind(heard.sync_topic.map(SyncTopic::as_str))
}

/// What is known of these devices.
pub(crate) async fn of(conn: &mut SqliteConnection, devices: &[DeviceKey]) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let mut found = Vec::new();
    let bind =
        |statement: Statement, key: &DeviceKey| statement.bind(key.product.to_string()).bind(key.name.to_string());
    for (statement, _) in DEVICES.statements(devices, bind) {
        let rows = statement.fetch_all(&mut *conn).await?;
        found.extend(rows.iter().map(rows::device).collect::<Result<Vec<_>, _>>()?);
    }
    Ok(found)
}

/// The devices that are connected.
pub(crate) async fn online(conn: &mut SqliteConnection) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    sqlx::query("SELECT * FROM devices WHERE online").fetch_all(conn).await?.iter().map(rows::device).collect()
}
