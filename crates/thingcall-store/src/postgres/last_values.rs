//! The last value of each property of each device.

use sqlx::{PgConnection, Row};
use thingcall_core::{DeviceKey, LastValue, UnixMillis};

use super::lists::{Lists, text};

/// Of devices that are gone, or were never there, nothing is kept. In one order, so that two instances never wait for each
/// other in a ring; whoever removes one of them meanwhile is waited for.
const KEEP: &str = "\
    INSERT INTO last_values SELECT v.product, v.device, v.property, v.value, v.at \
    FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::BIGINT[]) AS v (product, device, property, value, at) \
    JOIN devices AS d ON d.product = v.product AND d.name = v.device \
    ORDER BY v.product COLLATE \"C\", v.device COLLATE \"C\", v.property COLLATE \"C\" \
    FOR KEY SHARE OF d \
    ON CONFLICT (product, device, property) DO UPDATE SET value = excluded.value, at = excluded.at \
    WHERE excluded.at >= last_values.at";

/// Keeps those that are newer than what is kept.
pub(super) async fn keep(conn: &mut PgConnection, values: &[(DeviceKey, LastValue)]) -> Result<(), sqlx::Error> {
    let all = Lists(values);
    sqlx::query(KEEP)
        .bind(all.list(|(device, _)| device.product.as_str()))
        .bind(all.list(|(device, _)| device.name.as_str()))
        .bind(all.list(|(_, value)| text(&value.property)))
        .bind(all.list(|(_, value)| text(&value.value)))
        .bind(all.list(|(_, value)| value.at.0))
        .execute(conn)
        .await
        .map(drop)
}

/// What is kept of a device, by property.
pub(super) async fn of(conn: &mut PgConnection, device: &DeviceKey) -> Result<Vec<LastValue>, sqlx::Error> {
    let select = "SELECT property, value, at FROM last_values WHERE product = $1 AND device = $2 ORDER BY property";
    let select = sqlx::query(select).bind(device.product.as_str()).bind(device.name.as_str());
    let rows = select.fetch_all(conn).await?;
    let value = |row: &sqlx::postgres::PgRow| {
        Ok(LastValue {
            property: row.try_get("property")?,
            value: row.try_get("value")?,
            at: UnixMillis(row.try_get("at")?),
        })
    };
    rows.iter().map(value).collect()
}
