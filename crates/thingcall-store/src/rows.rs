//! Rows of products, devices and access keys, and what they become in memory.

use std::sync::Arc;

use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};
use thingcall_core::{AccessKey, Device, DeviceKey, IotId, ProductKey, ResultShape, Secret, TransportName, UnixMillis};
use thingcall_tsl::{Product, ThingModel};
use tracing::error;

use crate::columns::{decode, device_key};
use crate::live::{Live, Seen};
use crate::memory::{DeviceEntry, Memory};

/// Fills an empty memory.
pub(crate) async fn load(conn: &mut SqliteConnection, memory: &Memory) -> Result<(), sqlx::Error> {
    for row in sqlx::query("SELECT * FROM products").fetch_all(&mut *conn).await? {
        memory.put_product(product_of(conn, &row).await?);
    }
    for row in sqlx::query("SELECT * FROM devices").fetch_all(&mut *conn).await? {
        let entry = device_of(&row)?;
        memory.put_device(&entry.device.key.clone(), Some(entry));
    }
    for row in sqlx::query("SELECT * FROM access_keys").fetch_all(&mut *conn).await? {
        let key = key_of(&row)?;
        memory.put_key(&key.id.clone(), Some(key));
    }
    Ok(())
}

/// The product with this key.
pub(crate) async fn product(conn: &mut SqliteConnection, key: &str) -> Result<Option<Product>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM products WHERE key = ?").bind(key).fetch_optional(&mut *conn).await?;
    match row {
        Some(row) => product_of(conn, &row).await.map(Some),
        None => Ok(None),
    }
}

/// The device with this name.
pub(crate) async fn device(conn: &mut SqliteConnection, key: &DeviceKey) -> Result<Option<DeviceEntry>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM devices WHERE product = ? AND name = ?")
        .bind(key.product.as_str())
        .bind(key.name.as_str())
        .fetch_optional(conn)
        .await?;
    row.as_ref().map(device_of).transpose()
}

/// The access key with this id.
pub(crate) async fn key(conn: &mut SqliteConnection, id: &str) -> Result<Option<AccessKey>, sqlx::Error> {
    let row = sqlx::query("SELECT * FROM access_keys WHERE id = ?").bind(id).fetch_optional(conn).await?;
    row.as_ref().map(key_of).transpose()
}

/// What cannot be read of settings or model is logged and left at its default: one bad product must not stop the rest.
async fn product_of(conn: &mut SqliteConnection, row: &SqliteRow) -> Result<Product, sqlx::Error> {
    let key = ProductKey::try_from(row.try_get::<&str, _>("key")?).map_err(decode)?;
    let settings = serde_json::from_str(row.try_get("settings")?).unwrap_or_else(|problem| {
        error!(product = %key, %problem, "settings of a product cannot be read; its calls are treated by default");
        thingcall_tsl::ProductSettings::default()
    });
    let texts: Vec<String> = sqlx::query_scalar("SELECT text FROM models WHERE product = ? ORDER BY position")
        .bind(key.as_str())
        .fetch_all(conn)
        .await?;
    Ok(Product {
        model: model_of(&key, &texts),
        name: row.try_get("name")?,
        settings,
        created_at: UnixMillis(row.try_get("created_at")?),
        silence: Arc::default(),
        key,
    })
}

fn model_of(key: &ProductKey, texts: &[String]) -> Option<Arc<ThingModel>> {
    let (main, modules) = texts.split_first()?;
    let modules: Vec<&str> = modules.iter().map(String::as_str).collect();
    match ThingModel::parse_stored(main, &modules) {
        Ok(model) => Some(Arc::new(model)),
        Err(problem) => {
            error!(product = %key, %problem, "stored thing model cannot be read; set it again");
            None
        }
    }
}

fn device_of(row: &SqliteRow) -> Result<DeviceEntry, sqlx::Error> {
    let device = Device {
        key: device_key(row.try_get("product")?, row.try_get("name")?)?,
        iot_id: IotId::try_from(row.try_get::<&str, _>("iot_id")?).map_err(decode)?,
        enabled: row.try_get("enabled")?,
        transport: row.try_get::<Option<&str>, _>("transport")?.and_then(TransportName::new),
    };
    let seen = Seen {
        online: row.try_get("online")?,
        activated_at: row.try_get::<Option<i64>, _>("activated_at")?.map(UnixMillis),
        last_seen_at: row.try_get::<Option<i64>, _>("last_seen_at")?.map(UnixMillis),
        address: row.try_get("address")?,
        came_from: row.try_get::<Option<&str>, _>("came_from")?.and_then(TransportName::new),
        sync_topic: row.try_get::<Option<&str>, _>("sync_topic")?.and_then(|word| word.parse().ok()),
    };
    Ok(DeviceEntry {
        device: Arc::new(device),
        secret: Secret::new(row.try_get("secret")?),
        nickname: row.try_get("nickname")?,
        created_at: UnixMillis(row.try_get("created_at")?),
        live: Arc::new(Live::new(seen)),
    })
}

fn key_of(row: &SqliteRow) -> Result<AccessKey, sqlx::Error> {
    Ok(AccessKey {
        id: row.try_get("id")?,
        secret: Secret::new(row.try_get("secret")?),
        account: row.try_get("account")?,
        enabled: row.try_get("enabled")?,
        security_token: row.try_get::<Option<&str>, _>("security_token")?.map(Secret::new),
        result: row.try_get::<Option<&str>, _>("result")?.and_then(result_of),
    })
}

fn result_of(word: &str) -> Option<ResultShape> {
    [ResultShape::Envelope, ResultShape::Data].into_iter().find(|shape| result_word(*shape) == word)
}

/// The word for a result's shape in a row.
pub(crate) const fn result_word(shape: ResultShape) -> &'static str {
    match shape {
        ResultShape::Envelope => "envelope",
        ResultShape::Data => "data",
    }
}
