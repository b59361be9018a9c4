//! What can be known of a PostgreSQL without writing: whether a server could use it, and which transports it names.

use sqlx::{Connection, PgConnection, Row};

use super::error::PostgresError;
use super::{open, schema};
use crate::Config;
use crate::found::Look;
use crate::store_url::StoreUrl;

/// Looks at it; there need be no schema.
pub(crate) async fn look(config: &Config, url: &StoreUrl) -> Look {
    let mut look = Look::default();
    if let Err(error) = read(config, url, &mut look).await {
        look.problems.push(error.problem());
    }
    look
}

async fn read(config: &Config, url: &StoreUrl, look: &mut Look) -> Result<(), PostgresError> {
    let options = open::options(config, url)?;
    let mut conn = open::connect(config, url, &options).await?;
    let failed = |source| PostgresError::of(url, source);
    schema::server(&mut conn).await.map_err(failed)?.check(url)?;
    let mut tx = conn.begin_with("BEGIN READ ONLY").await.map_err(failed)?;
    let found = schema::found(&mut tx).await.map_err(failed)?;
    found.check(url)?;
    if found.version == 0 {
        schema::can_be_made(&mut tx, url).await?;
    } else {
        if let Some(of) = schema::half_of(&mut tx).await.map_err(failed)? {
            return Err(PostgresError::Half { url: url.clone(), of });
        }
        transports_of(&mut tx, look).await.map_err(failed)?;
    }
    tx.rollback().await.map_err(failed)
}

async fn transports_of(conn: &mut PgConnection, look: &mut Look) -> Result<(), sqlx::Error> {
    for row in sqlx::query("SELECT key, settings FROM products ORDER BY key").fetch_all(&mut *conn).await? {
        look.product(row.try_get("key")?, row.try_get("settings")?);
    }
    let devices = "SELECT transport, count(*) AS many, min(product || '/' || name) AS first FROM devices \
                   WHERE transport IS NOT NULL GROUP BY transport";
    for row in sqlx::query(devices).fetch_all(&mut *conn).await? {
        look.devices(row.try_get("transport")?, row.try_get("first")?, row.try_get("many")?);
    }
    Ok(())
}
