//! Pages and counts of devices, and what people change of products: the SQL.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, PgConnection};
use thingcall_core::ProductKey;
use thingcall_tsl::{DeviceCounts, DevicePage, PageStart};

use super::lists::{count, text};
use crate::memory::DeviceEntry;
use crate::registry_rows::{condition, counted, counts};
use crate::registry_tables::Deleted;
use crate::rows;

const ORDER: &str = "ORDER BY created_at DESC, name DESC LIMIT $2";

/// A page of a product's devices, the newest first.
pub(super) async fn page(
    conn: &mut PgConnection,
    product: &ProductKey,
    page: &DevicePage,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let which = condition(page.status);
    let max = i64::try_from(page.max).unwrap_or(i64::MAX);
    let found = match &page.start {
        PageStart::Skip(skipped) => {
            let text = format!("SELECT * FROM devices WHERE product = $1{which} {ORDER} OFFSET $3");
            let skipped = i64::try_from(*skipped).unwrap_or(i64::MAX);
            sqlx::query(AssertSqlSafe(text)).bind(product.as_str()).bind(max).bind(skipped).fetch_all(conn).await?
        }
        PageStart::Behind(mark) => {
            let text =
                format!("SELECT * FROM devices WHERE product = $1{which} AND (created_at, name) < ($3, $4) {ORDER}");
            let query = sqlx::query(AssertSqlSafe(text)).bind(product.as_str()).bind(max);
            query.bind(mark.created_at.0).bind(mark.name.as_str()).fetch_all(conn).await?
        }
    };
    found.iter().map(rows::device).collect()
}

/// A product's devices by name, of those between two names and behind a third.
pub(super) async fn named(
    conn: &mut PgConnection,
    product: &ProductKey,
    (from, to): (&str, &str),
    after: &str,
    max: usize,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let select =
        "SELECT * FROM devices WHERE product = $1 AND name >= $2 AND name < $3 AND name > $4 ORDER BY name LIMIT $5";
    let query = sqlx::query(select).bind(product.as_str()).bind(from).bind(to).bind(after);
    let found = query.bind(i64::try_from(max).unwrap_or(i64::MAX)).fetch_all(conn).await?;
    found.iter().map(rows::device).collect()
}

/// How many devices these products have.
pub(super) async fn device_counts(
    conn: &mut PgConnection,
    products: &[ProductKey],
) -> Result<HashMap<ProductKey, DeviceCounts>, sqlx::Error> {
    let keys: Vec<_> = products.iter().map(ProductKey::as_str).collect();
    let found = sqlx::query(counts!("product = ANY($1)")).bind(keys).fetch_all(conn).await?;
    counted(&found)
}

/// What people are told of a product; `false` if there is none.
pub(super) async fn change_product(
    conn: &mut PgConnection,
    key: &ProductKey,
    name: Option<&str>,
    notes: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let update = sqlx::query("UPDATE products SET name = COALESCE($1, name) WHERE key = $2");
    let updated = update.bind(name.map(text)).bind(key.as_str()).execute(&mut *conn).await?;
    if updated.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(notes) = notes {
        put_notes(conn, key, notes).await?;
    }
    Ok(true)
}

/// What is said of a product that is there.
pub(super) async fn put_notes(conn: &mut PgConnection, key: &ProductKey, notes: &str) -> Result<(), sqlx::Error> {
    let put = "INSERT INTO product_notes (product, notes) VALUES ($1, $2) \
               ON CONFLICT (product) DO UPDATE SET notes = excluded.notes";
    sqlx::query(put).bind(key.as_str()).bind(text(notes)).execute(conn).await.map(drop)
}

/// Forgets a product without devices: nobody registers one until the commit.
pub(super) async fn delete_product(conn: &mut PgConnection, key: &ProductKey) -> Result<Deleted, sqlx::Error> {
    let lock = sqlx::query("SELECT 1 FROM products WHERE key = $1 FOR UPDATE").bind(key.as_str());
    if lock.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(Deleted::NoProduct);
    }
    let devices = sqlx::query_scalar("SELECT COUNT(*) FROM devices WHERE product = $1").bind(key.as_str());
    match devices.fetch_one(&mut *conn).await.map(count)? {
        0 => {}
        devices => return Ok(Deleted::HasDevices(devices)),
    }
    sqlx::query("DELETE FROM products WHERE key = $1").bind(key.as_str()).execute(conn).await?;
    Ok(Deleted::Done)
}
