//! The last value of each property of each device.

use sqlx::{PgConnection, Row};
use thingcall_core::{DeviceKey, LastValue, UnixMillis};

use super::lists::{Lists, text};
use crate::value_room::{Owned, Writing};

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

/// Which of them are of properties of which nothing is kept.
const NEW: &str = "\
    SELECT v.nth - 1 FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[]) WITH ORDINALITY AS v (product, device, property, nth) \
    JOIN devices AS d ON d.product = v.product AND d.name = v.device \
    WHERE NOT EXISTS (SELECT 1 FROM last_values AS l \
    WHERE l.product = v.product AND l.device = v.device AND l.property = v.property)";

/// How many are kept of each of these devices, in their order.
const COUNT: &str = "\
    SELECT (SELECT COUNT(*) FROM last_values AS l WHERE l.product = v.product AND l.device = v.device) \
    FROM UNNEST($1::TEXT[], $2::TEXT[]) WITH ORDINALITY AS v (product, device, nth) ORDER BY v.nth";

/// Keeps those that are newer than what is kept, where there is room. Two instances that find the same room fill it both.
pub(super) async fn keep(
    conn: &mut PgConnection,
    values: &[Owned],
    max: usize,
) -> Result<Vec<(DeviceKey, usize)>, sqlx::Error> {
    let all = Lists(values);
    let new: Vec<i64> = sqlx::query_scalar(NEW)
        .bind(all.list(|(device, _)| device.product.as_str()))
        .bind(all.list(|(device, _)| device.name.as_str()))
        .bind(all.list(|(_, value)| text(&value.property)))
        .fetch_all(&mut *conn)
        .await?;
    let mut writing = Writing::new(values, max, new);
    let devices = writing.devices();
    if !devices.is_empty() {
        let all = Lists(&devices);
        let counts: Vec<i64> = sqlx::query_scalar(COUNT)
            .bind(all.list(|device| device.product.as_str()))
            .bind(all.list(|device| device.name.as_str()))
            .fetch_all(&mut *conn)
            .await?;
        devices.into_iter().zip(counts).for_each(|(device, kept)| writing.has(device, kept));
    }
    let (fitting, left_out) = writing.fitting();
    let all = Lists(&fitting);
    sqlx::query(KEEP)
        .bind(all.list(|(device, _)| device.product.as_str()))
        .bind(all.list(|(device, _)| device.name.as_str()))
        .bind(all.list(|(_, value)| text(&value.property)))
        .bind(all.list(|(_, value)| text(&value.value)))
        .bind(all.list(|(_, value)| value.at.0))
        .execute(conn)
        .await?;
    Ok(left_out)
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
