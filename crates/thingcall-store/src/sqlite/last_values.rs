//! The last value of each property of each device.

use std::sync::LazyLock;

use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteConnection};
use thingcall_core::{DeviceKey, LastValue, UnixMillis};

use super::many::{Many, Statement};

/// Of devices that are gone, or were never there, nothing is kept.
static KEEP: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (product, device, property, value, at) AS (VALUES ";
    let after = ") INSERT INTO last_values SELECT v.product, v.device, v.property, v.value, v.at FROM v \
                 JOIN devices ON devices.product = v.product AND devices.name = v.device WHERE TRUE \
                 ON CONFLICT (product, device, property) DO UPDATE SET value = excluded.value, at = excluded.at \
                 WHERE excluded.at >= last_values.at";
    Many::new(before, 5, after)
});

/// Keeps those that are newer than what is kept.
pub(super) async fn keep(conn: &mut SqliteConnection, values: &[(DeviceKey, LastValue)]) -> Result<(), sqlx::Error> {
    for (statement, _) in KEEP.statements(values, bind) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

fn bind(statement: Statement, (device, value): &(DeviceKey, LastValue)) -> Statement {
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
