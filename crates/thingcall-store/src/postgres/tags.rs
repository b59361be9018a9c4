//! Tags of devices: the SQL.

use std::collections::BTreeMap;

use sqlx::{PgConnection, Row};
use thingcall_core::DeviceKey;

use super::lists::text;
use crate::registry_tables::Tagged;

/// A device's tags.
pub(super) async fn of(conn: &mut PgConnection, device: &DeviceKey) -> Result<BTreeMap<String, String>, sqlx::Error> {
    let select = sqlx::query("SELECT tag, value FROM device_tags WHERE product = $1 AND device = $2");
    let found = select.bind(device.product.as_str()).bind(device.name.as_str()).fetch_all(conn).await?;
    found.iter().map(|row| Ok((row.try_get("tag")?, row.try_get("value")?))).collect()
}

/// Adds them, or gives them other texts; tells how many the device has then. Two that do so at once come one after the other.
pub(super) async fn put(
    conn: &mut PgConnection,
    device: &DeviceKey,
    tags: &BTreeMap<String, String>,
) -> Result<Tagged, sqlx::Error> {
    let (product, name) = (device.product.as_str(), device.name.as_str());
    let there = sqlx::query("SELECT 1 FROM devices WHERE product = $1 AND name = $2 FOR NO KEY UPDATE");
    if there.bind(product).bind(name).fetch_optional(&mut *conn).await?.is_none() {
        return Ok(Tagged::NoDevice);
    }
    let put = "INSERT INTO device_tags (product, device, tag, value) SELECT $1, $2, v.tag, v.value \
               FROM UNNEST($3::TEXT[], $4::TEXT[]) AS v (tag, value) \
               ON CONFLICT (product, device, tag) DO UPDATE SET value = excluded.value";
    let names: Vec<_> = tags.keys().map(|tag| text(tag)).collect();
    let values: Vec<_> = tags.values().map(|value| text(value)).collect();
    sqlx::query(put).bind(product).bind(name).bind(names).bind(values).execute(&mut *conn).await?;
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM device_tags WHERE product = $1 AND device = $2");
    let count: i64 = count.bind(product).bind(name).fetch_one(conn).await?;
    Ok(Tagged::With(usize::try_from(count).unwrap_or(usize::MAX)))
}

/// The device has this one no more.
pub(super) async fn remove(conn: &mut PgConnection, device: &DeviceKey, tag: &str) -> Result<(), sqlx::Error> {
    let remove = sqlx::query("DELETE FROM device_tags WHERE product = $1 AND device = $2 AND tag = $3");
    remove.bind(device.product.as_str()).bind(device.name.as_str()).bind(text(tag)).execute(conn).await.map(drop)
}
