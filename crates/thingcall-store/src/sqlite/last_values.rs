//! The last value of each property of each device.

use std::sync::LazyLock;

use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteConnection};
use thingcall_core::{DeviceKey, LastValue, UnixMillis};

use super::many::{Many, Statement};
use crate::value_room::{Owned, Writing};

/// Of devices that are gone, or were never there, nothing is kept.
static KEEP: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (product, device, property, value, at) AS (VALUES ";
    let after = ") INSERT INTO last_values SELECT v.product, v.device, v.property, v.value, v.at FROM v \
                 JOIN devices ON devices.product = v.product AND devices.name = v.device WHERE TRUE \
                 ON CONFLICT (product, device, property) DO UPDATE SET value = excluded.value, at = excluded.at \
                 WHERE excluded.at >= last_values.at";
    Many::new(before, 5, after)
});

/// Which of them are of properties of which nothing is kept.
static NEW: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (nth, product, device, property) AS (VALUES ";
    let after = ") SELECT v.nth FROM v JOIN devices ON devices.product = v.product AND devices.name = v.device \
                 WHERE NOT EXISTS (SELECT 1 FROM last_values AS l \
                 WHERE l.product = v.product AND l.device = v.device AND l.property = v.property)";
    Many::new(before, 4, after)
});

const COUNT: &str = "SELECT COUNT(*) FROM last_values WHERE product = ? AND device = ?";

/// Keeps those that are newer than what is kept, where there is room.
pub(super) async fn keep(
    conn: &mut SqliteConnection,
    values: &[Owned],
    max: usize,
) -> Result<Vec<(DeviceKey, usize)>, sqlx::Error> {
    let numbered: Vec<(i64, &Owned)> = (0..).zip(values).collect();
    let mut new = Vec::new();
    for (statement, _) in NEW.statements(&numbered, bind_name) {
        let rows = statement.fetch_all(&mut *conn).await?;
        new.extend(rows.iter().map(|row| row.try_get::<i64, _>("nth")).collect::<Result<Vec<_>, _>>()?);
    }
    let mut writing = Writing::new(values, max, new);
    for device in writing.devices() {
        let count = sqlx::query_scalar(COUNT).bind(device.product.as_str()).bind(device.name.as_str());
        writing.has(device, count.fetch_one(&mut *conn).await?);
    }
    let (fitting, left_out) = writing.fitting();
    for (statement, _) in KEEP.statements(&fitting, bind) {
        statement.execute(&mut *conn).await?;
    }
    Ok(left_out)
}

fn bind_name(statement: Statement, (nth, (device, value)): &(i64, &Owned)) -> Statement {
    let statement = statement.bind(*nth).bind(device.product.as_str().to_owned());
    statement.bind(device.name.as_str().to_owned()).bind(value.property.clone())
}

fn bind(statement: Statement, (device, value): &&Owned) -> Statement {
    statement
        .bind(device.product.as_str().to_owned())
        .bind(device.name.as_str().to_owned())
        .bind(value.property.clone())
        .bind(value.value.clone())
        .bind(value.at.0)
}

/// What is kept of a device, by property.
pub(super) async fn of(reads: &SqlitePool, device: &DeviceKey) -> Result<Vec<LastValue>, sqlx::Error> {
    let select = "SELECT property, value, at FROM last_values WHERE product = ? AND device = ? ORDER BY property";
    let select = sqlx::query(select).bind(device.product.as_str()).bind(device.name.as_str());
    let rows = select.fetch_all(reads).await?;
    let value = |row: &sqlx::sqlite::SqliteRow| {
        Ok(LastValue {
            property: row.try_get("property")?,
            value: row.try_get("value")?,
            at: UnixMillis(row.try_get("at")?),
        })
    };
    rows.iter().map(value).collect()
}
