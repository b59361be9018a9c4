//! Tags of devices: the SQL.

use std::collections::BTreeMap;

use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteConnection};
use thingcall_core::DeviceKey;

use crate::registry_tables::Tagged;

/// A device's tags.
pub(super) async fn of(reads: &SqlitePool, device: &DeviceKey) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let select = sqlx::query("SELECT tag, value FROM device_tags WHERE product = ? AND device = ?");
    let found = select.bind(device.product.to_string()).bind(device.name.to_string()).fetch_all(reads).await?;
    found.iter().map(|row| Ok((row.try_get("tag")?, row.try_get("value")?))).collect()
}

/// Adds them, or gives them other texts; tells how many the device has then.
pub(super) async fn put(
    conn: &mut SqliteConnection,
    device: &DeviceKey,
    tags: &BTreeMap<String, String>,
) -> Result<Tagged, sqlx::Error> {
    let (product, name) = (device.product.as_str(), device.name.as_str());
    let there = sqlx::query("SELECT 1 FROM devices WHERE product = ? AND name = ?").bind(product).bind(name);
    if there.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(Tagged::NoDevice);
    }
    let put = "INSERT INTO device_tags (product, device, tag, value) SELECT ?, ?, key, value FROM json_each(?) WHERE TRUE \
               ON CONFLICT DO UPDATE SET value = excluded.value";
    let all = serde_json::to_string(tags).unwrap_or_default();
    sqlx::query(put).bind(product).bind(name).bind(all).execute(&mut *conn).await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM device_tags WHERE product = ? AND device = ?");
    let count: i64 = count.bind(product).bind(name).fetch_one(conn).await?;
    Ok(Tagged::With(usize::try_from(count).unwrap_or(usize::MAX)))
}

/// The device has this one no more.
pub(super) async fn remove(conn: &mut SqliteConnection, device: &DeviceKey, tag: &str) -> Result<(), sqlx::Error> {
    let remove = sqlx::query("DELETE FROM device_tags WHERE product = ? AND device = ? AND tag = ?");
    remove.bind(device.product.as_str()).bind(device.name.as_str()).bind(tag).execute(conn).await.map(drop)
}
