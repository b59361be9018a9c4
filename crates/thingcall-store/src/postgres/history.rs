//! What devices reported in the past.

use sqlx::{PgConnection, Row};
use thingcall_core::{DeviceKey, First, Past, PastWanted, ProductKey, UnixMillis};

use super::lists::{Lists, text};
use crate::columns::kind_number;
use crate::database::{Kept, PAST_BYTES};

/// Of devices that are gone, or were never there, nothing is kept. In one order, so that two instances never wait for each
/// other in a ring; whoever removes one of them meanwhile is waited for.
const KEEP: &str = "\
    INSERT INTO history SELECT v.product, v.device, v.kind, v.name, v.at, v.value \
    FROM UNNEST($1::TEXT[], $2::TEXT[], $3::BIGINT[], $4::TEXT[], $5::BIGINT[], $6::TEXT[]) \
    AS v (product, device, kind, name, at, value) \
    JOIN devices AS d ON d.product = v.product AND d.name = v.device \
    ORDER BY v.product COLLATE \"C\", v.device COLLATE \"C\", v.kind, v.name COLLATE \"C\", v.at \
    FOR KEY SHARE OF d \
    ON CONFLICT DO NOTHING";
const KEPT: &str = "SELECT COUNT(*) AS records, COALESCE(SUM(OCTET_LENGTH(name) + OCTET_LENGTH(value)), 0)::BIGINT AS bytes \
                    FROM history WHERE product = $1";
const DROP_OLD: &str = "DELETE FROM history WHERE (product, device, kind, name, at) IN \
                        (SELECT product, device, kind, name, at FROM history WHERE product = $1 AND at < $2 \
                        ORDER BY at LIMIT 2000)";
const DROP_EXCESS: &str = "DELETE FROM history WHERE (product, device, kind, name, at) IN \
                           (SELECT product, device, kind, name, at FROM history WHERE product = $1 ORDER BY at LIMIT $2)";
const NEWEST: &str = "SELECT name, at, value FROM history WHERE product = $1 AND device = $2 AND kind = $3 \
                      AND at BETWEEN $4 AND $5 AND ($6::TEXT IS NULL OR name = $6) ORDER BY at DESC, name DESC LIMIT $7";
const OLDEST: &str = "SELECT name, at, value FROM history WHERE product = $1 AND device = $2 AND kind = $3 \
                      AND at BETWEEN $4 AND $5 AND ($6::TEXT IS NULL OR name = $6) ORDER BY at, name LIMIT $7";

/// Keeps them; of one name and time the first stays.
pub(super) async fn keep(conn: &mut PgConnection, past: &[(DeviceKey, Past)]) -> Result<(), sqlx::Error> {
    let all = Lists(past);
    sqlx::query(KEEP)
        .bind(all.list(|(device, _)| device.product.as_str()))
        .bind(all.list(|(device, _)| device.name.as_str()))
        .bind(all.list(|(_, past)| kind_number(past.kind)))
        .bind(all.list(|(_, past)| text(&past.name)))
        .bind(all.list(|(_, past)| past.at.0))
        .bind(all.list(|(_, past)| text(&past.value)))
        .execute(conn)
        .await?;
    Ok(())
}

/// How much is kept of a product.
pub(super) async fn kept(conn: &mut PgConnection, product: &ProductKey) -> Result<Kept, sqlx::Error> {
    let row = sqlx::query(KEPT).bind(product.as_str()).fetch_one(conn).await?;
    let (records, bytes): (i64, i64) = (row.try_get("records")?, row.try_get("bytes")?);
    let records = records.unsigned_abs();
    Ok(Kept { records, bytes: bytes.unsigned_abs().saturating_add(records.saturating_mul(PAST_BYTES as u64)) })
}

/// Drops some of those from before this time, and so many of the oldest.
pub(super) async fn drop_some(
    conn: &mut PgConnection,
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
pub(super) async fn of(
    conn: &mut PgConnection,
    device: &DeviceKey,
    wanted: &PastWanted,
) -> Result<Vec<Past>, sqlx::Error> {
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
        .bind(i64::try_from(wanted.max).unwrap_or(i64::MAX))
        .fetch_all(conn)
        .await?;
    let past = |row: &sqlx::postgres::PgRow| {
        Ok(Past {
            kind: wanted.kind,
            name: row.try_get("name")?,
            value: row.try_get("value")?,
            at: UnixMillis(row.try_get("at")?),
        })
    };
    rows.iter().map(past).collect()
}
