//! Products, devices, access keys and their changes: the SQL that reads and writes them.

use std::sync::Arc;

use sqlx::sqlite::{SqlitePool, SqliteRow};
use sqlx::{Row, SqliteConnection};
use thingcall_core::{AccessKey, Device, DeviceKey, DeviceName, IotId, ProductKey, Secret, TransportName, UnixMillis};
use thingcall_tsl::Product;

use super::registry::{self, is_foreign_key};
use crate::change::{ChangeRow, Subject};
use crate::database::{DeviceChange, DeviceRow, KeyChange, Loaded, ProductRow, Registered};
use crate::memory::DeviceEntry;
use crate::rows;

/// Rows kept for processes that are behind; one that is further behind reloads everything.
const CHANGES_KEPT: i64 = 10_000;

macro_rules! products {
    ($which:literal) => {
        concat!(
            "SELECT products.*, (SELECT notes FROM product_notes WHERE product = products.key) AS notes FROM products",
            $which
        )
    };
}

/// Everything of which memory holds all.
pub(crate) async fn load(conn: &mut SqliteConnection) -> Result<Loaded, sqlx::Error> {
    let mut loaded = Loaded::default();
    for row in sqlx::query(products!("")).fetch_all(&mut *conn).await? {
        loaded.products.push(product_of(conn, &row).await?);
    }
    for row in sqlx::query("SELECT * FROM access_keys").fetch_all(conn).await? {
        loaded.keys.push(rows::key(&row)?);
    }
    Ok(loaded)
}

/// The product with this key.
pub(crate) async fn product(conn: &mut SqliteConnection, key: &ProductKey) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query(products!(" WHERE key = ?")).bind(key.as_str()).fetch_optional(&mut *conn).await?;
    match row {
        Some(row) => product_of(conn, &row).await.map(Some),
        None => Ok(None),
    }
}

async fn product_of(conn: &mut SqliteConnection, row: &SqliteRow) -> Result<Product, sqlx::Error> {
    let texts: Vec<String> = sqlx::query_scalar("SELECT text FROM models WHERE product = ? ORDER BY position")
        .bind(row.try_get::<&str, _>("key")?)
        .fetch_all(conn)
        .await?;
    rows::product(row, &texts)
}

/// The device with this name.
pub(crate) async fn device(conn: &mut SqliteConnection, key: &DeviceKey) -> Result<Option<DeviceEntry>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM devices WHERE product = ? AND name = ?")
        .bind(key.product.as_str())
        .bind(key.name.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(rows::device).transpose()
}

/// The device with this IotId.
pub(crate) async fn device_by_id(reads: &SqlitePool, id: &IotId) -> Result<Option<DeviceEntry>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM devices WHERE iot_id = ?").bind(id.as_str()).fetch_optional(reads).await?;
    row.as_ref().map(rows::device).transpose()
}

/// A page of a product's devices, by name.
pub(crate) async fn devices(
    reads: &SqlitePool,
    product: &ProductKey,
    after: Option<&DeviceName>,
    max: usize,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let found = sqlx::query("SELECT * FROM devices WHERE product = ? AND name > ? ORDER BY name LIMIT ?")
        .bind(product.as_str())
        .bind(after.map_or("", DeviceName::as_str))
        .bind(i64::try_from(max).unwrap_or(i64::MAX));
    found.fetch_all(reads).await?.iter().map(rows::device).collect()
}

/// How many devices there are.
pub(crate) async fn count_devices(conn: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
    let count = sqlx::query_scalar("SELECT COUNT(*) FROM devices").fetch_one(conn);
    count.await.map(|count: i64| count.unsigned_abs())
}

/// The access key with this id.
pub(crate) async fn key(conn: &mut SqliteConnection, id: &str) -> Result<Option<AccessKey>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM access_keys WHERE id = ?").bind(id).fetch_optional(conn).await?;
    row.as_ref().map(rows::key).transpose()
}

/// A new product; `false` if its key is taken.
pub(crate) async fn insert_product(conn: &mut SqliteConnection, new: &ProductRow<'_>) -> Result<bool, sqlx::Error> {
    let insert = sqlx::query("INSERT INTO products (key, name, settings, created_at) VALUES (?, ?, ?, ?)")
        .bind(new.key.as_str())
        .bind(new.name)
        .bind(new.settings)
        .bind(new.created_at.0);
    if !is_new(insert.execute(&mut *conn).await)? {
        return Ok(false);
    }
    registry::put_notes(conn, new.key, new.notes).await?;
    Ok(true)
}

/// A product's settings; `false` if there is none.
pub(crate) async fn set_settings(
    conn: &mut SqliteConnection,
    key: &ProductKey,
    settings: &str,
) -> Result<bool, sqlx::Error> {
    let update = sqlx::query("UPDATE products SET settings = ? WHERE key = ?").bind(settings).bind(key.as_str());
    Ok(update.execute(conn).await?.rows_affected() > 0)
}

/// The texts of a product's model; `false` if there is no such product.
pub(crate) async fn set_model(
    conn: &mut SqliteConnection,
    key: &ProductKey,
    texts: &[&str],
) -> Result<bool, sqlx::Error> {
    sqlx::query("DELETE FROM models WHERE product = ?").bind(key.as_str()).execute(&mut *conn).await?;
    for (position, text) in (0_i64..).zip(texts) {
        let insert = sqlx::query("INSERT INTO models (product, position, text) VALUES (?, ?, ?)")
            .bind(key.as_str())
            .bind(position)
            .bind(*text);
        let written = insert.execute(&mut *conn).await;
        if written.as_ref().is_err_and(is_foreign_key) {
            return Ok(false);
        }
        written?;
    }
    Ok(true)
}

/// New devices, one after the other: a statement for many would not say which is taken.
pub(crate) async fn insert_devices(conn: &mut SqliteConnection, new: &[DeviceRow]) -> Result<Registered, sqlx::Error> {
    for new in new {
        let insert = sqlx::query(
            "INSERT INTO devices (product, name, iot_id, secret, enabled, nickname, transport, created_at) \
             VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(new.key.product.as_str())
        .bind(new.key.name.as_str())
        .bind(new.iot_id.as_str())
        .bind(&new.secret)
        .bind(true)
        .bind(&new.nickname)
        .bind(new.transport.map(TransportName::as_str))
        .bind(new.created_at.0);
        let written = insert.execute(&mut *conn).await;
        if written.as_ref().is_err_and(is_foreign_key) {
            return Ok(Registered::NoProduct(new.key.product.clone()));
        }
        if !is_new(written)? {
            return Ok(Registered::Taken(new.key.clone()));
        }
    }
    Ok(Registered::All)
}

/// Changes a device; `false` if there is none.
pub(crate) async fn change_device(
    conn: &mut SqliteConnection,
    key: &DeviceKey,
    change: DeviceChange,
) -> Result<bool, sqlx::Error> {
    let update = match change {
        DeviceChange::Enabled(enabled) => {
            sqlx::query("UPDATE devices SET enabled = ? WHERE product = ? AND name = ?").bind(enabled)
        }
        DeviceChange::Transport(transport) => {
            sqlx::query("UPDATE devices SET transport = ? WHERE product = ? AND name = ?")
                .bind(transport.map(TransportName::as_str))
        }
    };
    let update = update.bind(key.product.as_str()).bind(key.name.as_str());
    Ok(update.execute(conn).await?.rows_affected() > 0)
}

/// Forgets a device, and says which it was.
pub(crate) async fn delete_device(
    conn: &mut SqliteConnection,
    key: &DeviceKey,
) -> Result<Option<Arc<Device>>, sqlx::Error> {
    let Some(entry) = device(conn, key).await? else { return Ok(None) };
    let delete = sqlx::query("DELETE FROM devices WHERE product = ? AND name = ?");
    delete.bind(key.product.as_str()).bind(key.name.as_str()).execute(conn).await?;
    Ok(Some(entry.device))
}

/// A new access key; `false` if its id is taken.
pub(crate) async fn insert_key(
    conn: &mut SqliteConnection,
    key: &AccessKey,
    at: UnixMillis,
) -> Result<bool, sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO access_keys (id, secret, account, enabled, security_token, result, created_at, allowed, made_of, ends_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
    )
    .bind(&key.id)
    .bind(key.secret.expose())
    .bind(&key.account)
    .bind(key.enabled)
    .bind(key.security_token.as_ref().map(Secret::expose))
    .bind(key.result.map(rows::result_word))
    .bind(at.0)
    .bind(key.allow.as_ref().map(|rules| rules.to_string()))
    .bind(key.temporary.as_ref().map(|temporary| temporary.of.as_str()))
    .bind(key.temporary.as_ref().map(|temporary| temporary.ends_at.0));
    is_new(insert.execute(conn).await)
}

/// Changes an access key; `false` if there is none.
pub(crate) async fn change_key(
    conn: &mut SqliteConnection,
    id: &str,
    change: KeyChange<'_>,
) -> Result<bool, sqlx::Error> {
    let update = match change {
        KeyChange::Enabled(enabled) => sqlx::query("UPDATE access_keys SET enabled = ? WHERE id = ?").bind(enabled),
        KeyChange::Allowed(rules) => sqlx::query("UPDATE access_keys SET allowed = ? WHERE id = ?").bind(rules),
    };
    Ok(update.bind(id).execute(conn).await?.rows_affected() > 0)
}

/// Forgets a key and those that were made of it.
pub(crate) async fn delete_key(conn: &mut SqliteConnection, id: &str) -> Result<Vec<String>, sqlx::Error> {
    let delete = "DELETE FROM access_keys WHERE id = ?1 OR made_of = ?1 RETURNING id";
    sqlx::query_scalar(delete).bind(id.to_owned()).fetch_all(conn).await
}

/// Forgets keys that ended before this, so many at most, and says which.
pub(crate) async fn remove_ended_keys(
    conn: &mut SqliteConnection,
    before: UnixMillis,
    max: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let delete = "DELETE FROM access_keys WHERE id IN (SELECT id FROM access_keys WHERE ends_at < ? ORDER BY ends_at LIMIT ?) \
                  RETURNING id";
    sqlx::query_scalar(delete).bind(before.0).bind(max).fetch_all(conn).await
}

/// Writes down what was changed.
pub(crate) async fn record_changes(conn: &mut SqliteConnection, subjects: &[Subject]) -> Result<(), sqlx::Error> {
    let mut last = 0;
    for subject in subjects {
        let (kind, subject, name) = subject.columns();
        let insert = sqlx::query("INSERT INTO changes (kind, subject, name) VALUES (?, ?, ?)");
        last = insert.bind(kind).bind(subject).bind(name).execute(&mut *conn).await?.last_insert_rowid();
    }
    sqlx::query("DELETE FROM changes WHERE seq <= ?").bind(last - CHANGES_KEPT).execute(conn).await.map(drop)
}

/// The last change there is.
pub(crate) async fn last_change(conn: &mut SqliteConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM changes").fetch_one(conn).await
}

/// The changes after this one.
pub(crate) async fn changes(conn: &mut SqliteConnection, after: i64, max: i64) -> Result<Vec<ChangeRow>, sqlx::Error> {
    let found = sqlx::query("SELECT seq, kind, subject, name FROM changes WHERE seq > ? ORDER BY seq LIMIT ?");
    found.bind(after).bind(max).fetch_all(conn).await?.iter().map(rows::change).collect()
}

/// Whether a row was written, or its key is taken.
fn is_new<T>(written: Result<T, sqlx::Error>) -> Result<bool, sqlx::Error> {
    match written {
        Ok(_) => Ok(true),
        Err(problem) if problem.as_database_error().is_some_and(|error| error.is_unique_violation()) => Ok(false),
        Err(problem) => Err(problem),
    }
}
