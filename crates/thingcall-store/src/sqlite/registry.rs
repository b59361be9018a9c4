//! Pages and counts of devices, and what people change of products: the SQL.

use std::collections::HashMap;

use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, SqliteConnection};
use thingcall_core::ProductKey;
use thingcall_tsl::{DeviceCounts, DevicePage, PageStart};

use crate::memory::DeviceEntry;
use crate::registry_rows::{condition, counted, counts};
use crate::registry_tables::Deleted;
use crate::rows;
use crate::sizes::unsigned;

const ORDER: &str = "ORDER BY created_at DESC, name DESC LIMIT ?";

/// A page of a product's devices, the newest first.
pub(super) async fn page(
    reads: &SqlitePool,
    product: &ProductKey,
    page: &DevicePage,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let which = condition(page.status);
    let max = i64::try_from(page.max).unwrap_or(i64::MAX);
    let found = match &page.start {
        PageStart::Skip(skipped) => {
            let text = format!("SELECT * FROM devices WHERE product = ?{which} {ORDER} OFFSET ?");
            let skipped = i64::try_from(*skipped).unwrap_or(i64::MAX);
            sqlx::query(AssertSqlSafe(text)).bind(product.to_string()).bind(max).bind(skipped).fetch_all(reads).await?
        }
        PageStart::Behind(mark) => {
            let text =
                format!("SELECT * FROM devices WHERE product = ?{which} AND (created_at, name) < (?, ?) {ORDER}");
            let query = sqlx::query(AssertSqlSafe(text)).bind(product.to_string()).bind(mark.created_at.0);
            query.bind(mark.name.to_string()).bind(max).fetch_all(reads).await?
        }
    };
    found.iter().map(rows::device).collect()
}

/// A product's devices by name, of those between two names and behind a third.
pub(super) async fn named(
    reads: &SqlitePool,
    product: &ProductKey,
    (from, to): (&str, &str),
    after: &str,
    max: usize,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let select =
        "SELECT * FROM devices WHERE product = ? AND name >= ? AND name < ? AND name > ? ORDER BY name LIMIT ?";
    let query = sqlx::query(select).bind(product.as_str()).bind(from).bind(to).bind(after);
    let found = query.bind(i64::try_from(max).unwrap_or(i64::MAX)).fetch_all(reads).await?;
    found.iter().map(rows::device).collect()
}

/// How many devices these products have.
pub(super) async fn device_counts(
    reads: &SqlitePool,
    products: &[ProductKey],
) -> Result<HashMap<ProductKey, DeviceCounts>, sqlx::Error> {
    let keys: Vec<_> = products.iter().map(ProductKey::as_str).collect();
    let keys = serde_json::to_string(&keys).unwrap_or_default();
    let found = sqlx::query(counts!("product IN (SELECT value FROM json_each(?))")).bind(keys).fetch_all(reads).await?;
    counted(&found)
}

/// What people are told of a product; `false` if there is none.
pub(super) async fn change_product(
    conn: &mut SqliteConnection,
    key: &ProductKey,
    name: Option<&str>,
    notes: Option<&str>,
) -> Result<bool, sqlx::Error> {
    let update =
        sqlx::query("UPDATE products SET name = COALESCE(?, name) WHERE key = ?").bind(name).bind(key.as_str());
    if update.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(false);
    }
    if let Some(notes) = notes {
        put_notes(conn, key, notes).await?;
    }
    Ok(true)
}

/// What is said of a product that is there.
pub(super) async fn put_notes(conn: &mut SqliteConnection, key: &ProductKey, notes: &str) -> Result<(), sqlx::Error> {
    let put = "INSERT INTO product_notes (product, notes) VALUES (?, ?) \
               ON CONFLICT DO UPDATE SET notes = excluded.notes";
    sqlx::query(put).bind(key.as_str()).bind(notes).execute(conn).await.map(drop)
}

/// Forgets a product without devices.
pub(super) async fn delete_product(conn: &mut SqliteConnection, key: &ProductKey) -> Result<Deleted, sqlx::Error> {
    let deleted = sqlx::query("DELETE FROM products WHERE key = ?").bind(key.as_str()).execute(&mut *conn).await;
    if deleted.as_ref().is_err_and(is_foreign_key) {
        let count = sqlx::query_scalar("SELECT COUNT(*) FROM devices WHERE product = ?").bind(key.as_str());
        return Ok(Deleted::HasDevices(count.fetch_one(conn).await.map(unsigned)?));
    }
    Ok(if deleted?.rows_affected() == 0 { Deleted::NoProduct } else { Deleted::Done })
}

/// Whether what a row refers to is not there, or something refers to it.
pub(super) fn is_foreign_key(problem: &sqlx::Error) -> bool {
    problem.as_database_error().is_some_and(|error| error.is_foreign_key_violation())
}
