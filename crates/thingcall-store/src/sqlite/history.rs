//! What devices reported in the past.

use std::sync::LazyLock;

use sqlx::sqlite::SqlitePool;
use sqlx::{Row, SqliteConnection};
use thingcall_core::{DeviceKey, First, Past, PastWanted, ProductKey, UnixMillis};

use super::many::{Many, Statement};
use crate::columns::kind_number;
use crate::database::{Kept, PAST_BYTES};

/// Of devices that are gone, or were never there, nothing is kept.
static KEEP: LazyLock<Many> = LazyLock::new(|| {
    let before = "WITH v (product, device, kind, name, at, value) AS (VALUES ";
    let after = ") INSERT INTO history SELECT v.product, v.device, v.kind, v.name, v.at, v.value FROM v \
                 JOIN devices ON devices.product = v.product AND devices.name = v.device WHERE TRUE \
                 ON CONFLICT DO NOTHING";
    Many::new(before, 6, after)
});

const KEPT: &str = "SELECT COUNT(*) AS records, COALESCE(SUM(LENGTH(name) + LENGTH(value)), 0) AS bytes FROM history \
                    WHERE product = ?";
const DROP_OLD: &str = "DELETE FROM history WHERE (product, device, kind, name, at) IN \
                        (SELECT product, device, kind, name, at FROM history WHERE product = ? AND at < ? \
                        ORDER BY at LIMIT 2000)";
const DROP_EXCESS: &str = "DELETE FROM history WHERE (product, device, kind, name, at) IN \
                           (SELECT product, device, kind, name, at FROM history WHERE product = ? ORDER BY at LIMIT ?)";
const NEWEST: &str = "SELECT name, at, value FROM history WHERE product = ? AND device = ? AND kind = ? \
                      AND at BETWEEN ? AND ? AND (? IS NULL OR name = ?) ORDER BY at DESC, name DESC LIMIT ?";
const OLDEST: &str = "SELECT name, at, value FROM history WHERE product = ? AND device = ? AND kind = ? \
                      AND at BETWEEN ? AND ? AND (? IS NULL OR name = ?) ORDER BY at, name LIMIT ?";

/// Keeps them; of one name and time the first stays.
pub(super) async fn keep(conn: &mut SqliteConnection, past: &[(DeviceKey, Past)]) -> Result<(), sqlx::Error> {
    for (statement, _) in KEEP.statements(past, bind) {
        statement.execute(&mut *conn).await?;
    }
    Ok(())
}

fn bind(statement: Statement, (device, past): &(DeviceKey, Past)) -> Statement {
    statement
        .bind(device.product.as_str().to_owned())
        .bind(device.name.as_str().to_owned())
        .bind(kind_number(past.kind))
        .bind(past.name.clone())
        .bind(past.at.0)
        .bind(past.value.clone())
}

/// How much is kept of a product.
pub(super) async fn kept(conn: &mut SqliteConnection, product: &ProductKey) -> Result<Kept, sqlx::Error> {
    let row = sqlx::query(KEPT).bind(product.as_str()).fetch_one(conn).await?;
    let (records, bytes): (i64, i64) = (row.try_get("records")?, row.try_get("bytes")?);
    let records = records.unsigned_abs();
    Ok(Kept { records, bytes: bytes.unsigned_abs().saturating_add(records.saturating_mul(PAST_BYTES as u64)) })
}

/// Drops some of those from before this time, and so many of the oldest.
pub(super) async fn drop_some(
    conn: &mut SqliteConnection,
    product: &ProductKey,
    since: UnixMillis,
    excess: i64,
) -> Result<u64, sqlx::Error> {
    let old = sqlx::query(DROP_OLD).bind(product.as_str()).bind(since.0).execute(&mut *conn).await?.rows_affected();
    let excess = excess.saturating_sub(i64::try_from(old).unwrap_or(i64::MAX));
    if excess <= 0 {
        return Ok(old);
    }
    let more = sqlx::query(DROP_EXCESS).bind(product.as_str()).bind(excess).execute(conn).await?.rows_affected();
    Ok(old + more)
}

/// What is wanted of a device's past.
pub(super) async fn of(reads: &SqlitePool, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, sqlx::Error> {
    let select = match wanted.first {
        First::Newest => NEWEST,
        First::Oldest => OLDEST,
    };
    let rows = sqlx::query(select)
        .bind(device.product.as_str())
        .bind(device.name.as_str())
        .bind(kind_number(wanted.kind))
        .bind(wanted.from.0)
        .bind(wanted.until.0)
        .bind(wanted.name.as_deref())
        .bind(wanted.name.as_deref())
        .bind(i64::try_from(wanted.max).unwrap_or(i64::MAX))
        .fetch_all(reads)
        .await?;
    let past = |row: &sqlx::sqlite::SqliteRow| {
        Ok(Past {
            kind: wanted.kind,
            name: row.try_get("name")?,
            value: row.try_get("value")?,
            at: UnixMillis(row.try_get("at")?),
        })
    };
    rows.iter().map(past).collect()
}
