//! Products, devices, access keys and their changes: the SQL that reads and writes them.

use std::sync::Arc;

use sqlx::{PgConnection, Row};
use thingcall_core::{AccessKey, Device, DeviceKey, DeviceName, IotId, ProductKey, Secret, TransportName, UnixMillis};
use thingcall_tsl::Product;

use super::lists::{Lists, count, text};
use super::registry;
use crate::change::{ChangeRow, Subject};
use crate::database::{DeviceChange, DeviceRow, KeyChange, Loaded, ProductRow, Registered};
use crate::memory::DeviceEntry;
use crate::rows;

/// Rows kept for processes that are behind; one that is further behind reloads everything.
const CHANGES_KEPT: i64 = 10_000;
/// Held by whoever writes changes down, until the commit: "changes", as a number.
const CHANGES_LOCK: i64 = 0x63_6861_6e67_6573;
/// On which it is told that there are changes.
pub(super) const CHANNEL: &str = "thingcall_changes";

macro_rules! products {
    ($which:literal) => {
        concat!(
            "SELECT products.*, ARRAY(SELECT text FROM models WHERE product = products.key ORDER BY position) AS texts, \
             (SELECT notes FROM product_notes WHERE product = products.key) AS notes FROM products",
            $which
        )
    };
}

/// Everything of which memory holds all.
pub(super) async fn load(conn: &mut PgConnection) -> Result<Loaded, sqlx::Error> {
    let products = sqlx::query(products!("")).fetch_all(&mut *conn).await?;
    let keys = sqlx::query("SELECT * FROM access_keys").fetch_all(conn).await?;
    Ok(Loaded {
        products: products.iter().map(product_of).collect::<Result<_, _>>()?,
        keys: keys.iter().map(rows::key).collect::<Result<_, _>>()?,
    })
}

fn product_of(row: &sqlx::postgres::PgRow) -> Result<Product, sqlx::Error> {
    rows::product(row, &row.try_get::<Vec<String>, _>("texts")?)
}

/// The product with this key.
pub(super) async fn product(conn: &mut PgConnection, key: &ProductKey) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query(products!(" WHERE key = $1")).bind(key.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(product_of).transpose()
}

/// The product with this key, whose row is locked first: whoever changed it before has written that by then.
pub(super) async fn locked_product(conn: &mut PgConnection, key: &ProductKey) -> Result<Option<Product>, sqlx::Error> {
    let lock = sqlx::query("SELECT 1 FROM products WHERE key = $1 FOR NO KEY UPDATE").bind(key.as_str());
    match lock.fetch_optional(&mut *conn).await? {
        Some(_) => product(conn, key).await,
        None => Ok(None),
    }
}

/// The device with this name.
pub(super) async fn device(conn: &mut PgConnection, key: &DeviceKey) -> Result<Option<DeviceEntry>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM devices WHERE product = $1 AND name = $2")
        .bind(key.product.as_str())
        .bind(key.name.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(rows::device).transpose()
}

/// The device with this IotId.
pub(super) async fn device_by_id(conn: &mut PgConnection, id: &IotId) -> Result<Option<DeviceEntry>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM devices WHERE iot_id = $1").bind(id.as_str()).fetch_optional(conn).await?;
    row.as_ref().map(rows::device).transpose()
}

/// A page of a product's devices, by name.
pub(super) async fn devices(
    conn: &mut PgConnection,
    product: &ProductKey,
    after: Option<&DeviceName>,
    max: usize,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let found = sqlx::query("SELECT * FROM devices WHERE product = $1 AND name > $2 ORDER BY name LIMIT $3")
        .bind(product.as_str())
        .bind(after.map_or("", DeviceName::as_str))
        .bind(i64::try_from(max).unwrap_or(i64::MAX));
    found.fetch_all(conn).await?.iter().map(rows::device).collect()
}

/// How many devices there are.
pub(super) async fn count_devices(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM devices").fetch_one(conn).await.map(count)
}

/// The access key with this id.
pub(super) async fn key(conn: &mut PgConnection, id: &str) -> Result<Option<AccessKey>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM access_keys WHERE id = $1").bind(id).fetch_optional(conn).await?;
    row.as_ref().map(rows::key).transpose()
}

/// A new product; `false` if its key is taken.
pub(super) async fn insert_product(conn: &mut PgConnection, new: &ProductRow<'_>) -> Result<bool, sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO products (key, name, settings, created_at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(new.key.as_str())
    .bind(text(new.name))
    .bind(new.settings)
    .bind(new.created_at.0);
    if insert.execute(&mut *conn).await?.rows_affected() == 0 {
        return Ok(false);
    }
    registry::put_notes(conn, new.key, new.notes).await?;
    Ok(true)
}

/// A product's settings; `false` if there is none.
pub(super) async fn set_settings(
    conn: &mut PgConnection,
    key: &ProductKey,
    settings: &str,
) -> Result<bool, sqlx::Error> {
    let update = sqlx::query("UPDATE products SET settings = $1 WHERE key = $2").bind(settings).bind(key.as_str());
    Ok(update.execute(conn).await?.rows_affected() > 0)
}

/// The texts of a product's model; `false` if there is no such product. Two that are set at once come one after the other.
pub(super) async fn set_model(conn: &mut PgConnection, key: &ProductKey, texts: &[&str]) -> Result<bool, sqlx::Error> {
    let product = sqlx::query("SELECT 1 FROM products WHERE key = $1 FOR NO KEY UPDATE").bind(key.as_str());
    if product.fetch_optional(&mut *conn).await?.is_none() {
        return Ok(false);
    }
    sqlx::query("DELETE FROM models WHERE product = $1").bind(key.as_str()).execute(&mut *conn).await?;
    let insert = sqlx::query(
        "INSERT INTO models (product, position, text) SELECT $1, v.place - 1, v.text \
         FROM UNNEST($2::TEXT[]) WITH ORDINALITY AS v (text, place)",
    );
    insert.bind(key.as_str()).bind(texts).execute(conn).await?;
    Ok(true)
}

/// New devices.
pub(super) async fn insert_devices(conn: &mut PgConnection, new: &[DeviceRow]) -> Result<Registered, sqlx::Error> {
    let all = Lists(new);
    let (products, names) = (all.list(|new| new.key.product.to_string()), all.list(|new| new.key.name.to_string()));
    let iot_ids = all.list(|new| new.iot_id.to_string());
    let unknown = "SELECT v.place - 1 FROM UNNEST($1::TEXT[]) WITH ORDINALITY AS v (product, place) \
                   WHERE NOT EXISTS (SELECT 1 FROM products WHERE key = v.product) ORDER BY v.place LIMIT 1";
    let unknown: Option<i64> = sqlx::query_scalar(unknown).bind(&products).fetch_optional(&mut *conn).await?;
    if let Some(new) = unknown.and_then(|place| new.get(usize::try_from(place).ok()?)) {
        return Ok(Registered::NoProduct(new.key.product.clone()));
    }
    let insert = sqlx::query(
        "INSERT INTO devices (product, name, iot_id, secret, enabled, nickname, transport, created_at) \
         SELECT v.product, v.name, v.iot_id, v.secret, TRUE, v.nickname, v.transport, v.created_at FROM UNNEST($1::TEXT[], \
         $2::TEXT[], $3::TEXT[], $4::TEXT[], $5::TEXT[], $6::TEXT[], $7::BIGINT[]) \
         AS v (product, name, iot_id, secret, nickname, transport, created_at) ON CONFLICT (product, name) DO NOTHING",
    )
    .bind(&products)
    .bind(&names)
    .bind(&iot_ids)
    .bind(all.list(|new| new.secret.clone()))
    .bind(all.list(|new| new.nickname.as_deref().map(text)))
    .bind(all.list(|new| new.transport.map(TransportName::as_str)))
    .bind(all.list(|new| new.created_at.0));
    let written = insert.execute(&mut *conn).await?.rows_affected();
    if usize::try_from(written) == Ok(new.len()) {
        return Ok(Registered::All);
    }
    let taken = "SELECT v.place - 1 FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[]) WITH ORDINALITY \
                 AS v (product, name, iot_id, place) JOIN devices AS d ON d.product = v.product AND d.name = v.name \
                 AND d.iot_id != v.iot_id ORDER BY v.place LIMIT 1";
    let taken = sqlx::query_scalar(taken).bind(products).bind(names).bind(iot_ids);
    let place: i64 = taken.fetch_one(conn).await?;
    let taken = usize::try_from(place).ok().and_then(|place| new.get(place)).ok_or(sqlx::Error::RowNotFound)?;
    Ok(Registered::Taken(taken.key.clone()))
}

/// Changes a device; `false` if there is none.
pub(super) async fn change_device(
    conn: &mut PgConnection,
    key: &DeviceKey,
    change: DeviceChange,
) -> Result<bool, sqlx::Error> {
    let update = match change {
        DeviceChange::Enabled(enabled) => {
            sqlx::query("UPDATE devices SET enabled = $1 WHERE product = $2 AND name = $3").bind(enabled)
        }
        DeviceChange::Transport(transport) => {
            sqlx::query("UPDATE devices SET transport = $1 WHERE product = $2 AND name = $3")
                .bind(transport.map(TransportName::as_str))
        }
    };
    let update = update.bind(key.product.as_str()).bind(key.name.as_str());
    Ok(update.execute(conn).await?.rows_affected() > 0)
}

/// Forgets a device, and says which it was.
pub(super) async fn delete_device(
    conn: &mut PgConnection,
    key: &DeviceKey,
) -> Result<Option<Arc<Device>>, sqlx::Error> {
    let delete = sqlx::query("DELETE FROM devices WHERE product = $1 AND name = $2 RETURNING *");
    let row = delete.bind(key.product.as_str()).bind(key.name.as_str()).fetch_optional(conn).await?;
    row.map(|row| Ok(rows::device(&row)?.device)).transpose()
}

/// A new access key; `false` if its id is taken.
pub(super) async fn insert_key(conn: &mut PgConnection, key: &AccessKey, at: UnixMillis) -> Result<bool, sqlx::Error> {
    let insert = sqlx::query(
        "INSERT INTO access_keys (id, secret, account, enabled, security_token, result, created_at, allowed, made_of, ends_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT DO NOTHING",
    )
    .bind(&key.id)
    .bind(key.secret.expose())
    .bind(text(&key.account))
    .bind(key.enabled)
    .bind(key.security_token.as_ref().map(Secret::expose))
    .bind(key.result.map(rows::result_word))
    .bind(at.0)
    .bind(key.allow.as_ref().map(|rules| rules.to_string()))
    .bind(key.temporary.as_ref().map(|temporary| temporary.of.as_str()))
    .bind(key.temporary.as_ref().map(|temporary| temporary.ends_at.0));
    Ok(insert.execute(conn).await?.rows_affected() > 0)
}

/// Changes an access key; `false` if there is none.
pub(super) async fn change_key(conn: &mut PgConnection, id: &str, change: KeyChange<'_>) -> Result<bool, sqlx::Error> {
    let update = match change {
        KeyChange::Enabled(enabled) => sqlx::query("UPDATE access_keys SET enabled = $1 WHERE id = $2").bind(enabled),
        KeyChange::Allowed(rules) => sqlx::query("UPDATE access_keys SET allowed = $1 WHERE id = $2").bind(rules),
    };
    Ok(update.bind(id).execute(conn).await?.rows_affected() > 0)
}

/// Forgets a key and those that were made of it.
pub(super) async fn delete_key(conn: &mut PgConnection, id: &str) -> Result<Vec<String>, sqlx::Error> {
    let delete = "DELETE FROM access_keys WHERE id = $1 OR made_of = $1 RETURNING id";
    sqlx::query_scalar(delete).bind(id).fetch_all(conn).await
}

/// Forgets keys that ended before this, so many at most, and says which.
pub(super) async fn remove_ended_keys(
    conn: &mut PgConnection,
    before: UnixMillis,
    max: i64,
) -> Result<Vec<String>, sqlx::Error> {
    let delete = "DELETE FROM access_keys WHERE id IN (SELECT id FROM access_keys WHERE ends_at < $1 ORDER BY ends_at LIMIT $2) \
                  RETURNING id";
    sqlx::query_scalar(delete).bind(before.0).bind(max).fetch_all(conn).await
}

/// Writes down what was changed, and tells all who listen once that is committed. The lock keeps the numbers without gaps and
/// in the order of the commits: whoever follows them takes a gap for changes that are gone.
pub(super) async fn record_changes(conn: &mut PgConnection, subjects: &[Subject]) -> Result<(), sqlx::Error> {
    let all = Lists(subjects);
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(CHANGES_LOCK).execute(&mut *conn).await?;
    let insert = sqlx::query(
        "INSERT INTO changes (seq, kind, subject, name) \
         SELECT (SELECT COALESCE(MAX(seq), 0) FROM changes) + v.place, v.kind, v.subject, v.name \
         FROM UNNEST($1::TEXT[], $2::TEXT[], $3::TEXT[]) WITH ORDINALITY AS v (kind, subject, name, place)",
    )
    .bind(all.list(|subject| subject.columns().0))
    .bind(all.list(|subject| subject.columns().1))
    .bind(all.list(|subject| subject.columns().2));
    insert.execute(&mut *conn).await?;
    let drop_old = sqlx::query("DELETE FROM changes WHERE seq <= (SELECT MAX(seq) FROM changes) - $1");
    drop_old.bind(CHANGES_KEPT).execute(&mut *conn).await?;
    sqlx::query("SELECT pg_notify($1, '')").bind(CHANNEL).execute(conn).await.map(drop)
}

/// The last change there is.
pub(super) async fn last_change(conn: &mut PgConnection) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar("SELECT COALESCE(MAX(seq), 0) FROM changes").fetch_one(conn).await
}

/// The changes after this one.
pub(super) async fn changes(conn: &mut PgConnection, after: i64, max: i64) -> Result<Vec<ChangeRow>, sqlx::Error> {
    let found = sqlx::query("SELECT seq, kind, subject, name FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2");
    found.bind(after).bind(max).fetch_all(conn).await?.iter().map(rows::change).collect()
}
