//! The latest models of products: the SQL.

use sqlx::sqlite::SqlitePool;
use sqlx::{AssertSqlSafe, SqliteConnection};
use thingcall_core::{ProductKey, UnixMillis};
use thingcall_tsl::{MODEL_VERSIONS_MAX, ModelVersion};

use crate::registry_rows;
use crate::registry_tables::Numbered;

/// A product's versions, the newest first.
pub(super) async fn of(reads: &SqlitePool, product: &ProductKey) -> Result<Vec<ModelVersion>, sqlx::Error> {
    let select = "SELECT number, description, at, published_at FROM model_versions WHERE product = ? ORDER BY at DESC";
    let found = sqlx::query(select).bind(product.to_string()).fetch_all(reads).await?;
    found.iter().map(registry_rows::model_version).collect()
}

/// The texts of one, as JSON.
pub(super) async fn texts(
    reads: &SqlitePool,
    product: &ProductKey,
    number: &str,
) -> Result<Option<String>, sqlx::Error> {
    let select = "SELECT texts FROM model_versions WHERE product = ? AND number = ? ORDER BY at DESC LIMIT 1";
    sqlx::query_scalar(select).bind(product.to_string()).bind(number.to_owned()).fetch_optional(reads).await
}

/// One more, which is the newest; the oldest goes where there are too many. The caller has the product's row.
pub(super) async fn put(
    conn: &mut SqliteConnection,
    product: &ProductKey,
    texts: &[&str],
    now: UnixMillis,
) -> Result<(), sqlx::Error> {
    let last: Option<i64> = sqlx::query_scalar("SELECT MAX(at) FROM model_versions WHERE product = ?")
        .bind(product.as_str())
        .fetch_one(&mut *conn)
        .await?;
    let at = last.map_or(now.0, |last| now.0.max(last + 1));
    let texts = serde_json::to_string(texts).unwrap_or_default();
    sqlx::query("INSERT INTO model_versions (product, at, number, texts) VALUES (?, ?, ?, ?)")
        .bind(product.as_str())
        .bind(at)
        .bind(at.to_string())
        .bind(texts)
        .execute(&mut *conn)
        .await?;
    prune(conn, product, "published_at IS NULL").await
}

/// Takes away what are too many of these.
async fn prune(conn: &mut SqliteConnection, product: &ProductKey, of: &'static str) -> Result<(), sqlx::Error> {
    let prune = format!(
        "DELETE FROM model_versions WHERE product = ?1 AND {of} AND at <= (SELECT at FROM model_versions \
         WHERE product = ?1 AND {of} ORDER BY at DESC LIMIT 1 OFFSET ?2)"
    );
    let max = i64::try_from(MODEL_VERSIONS_MAX).unwrap_or(i64::MAX);
    sqlx::query(AssertSqlSafe(prune)).bind(product.as_str()).bind(max).execute(conn).await.map(drop)
}

/// Publishes the newest one, under a number, with a description, or both.
pub(super) async fn publish(
    conn: &mut SqliteConnection,
    product: &ProductKey,
    (number, description): (Option<&str>, Option<&str>),
    now: UnixMillis,
) -> Result<Numbered, sqlx::Error> {
    let newest =
        "SELECT number, description, at, published_at FROM model_versions WHERE product = ? ORDER BY at DESC LIMIT 1";
    let newest = sqlx::query(newest).bind(product.as_str()).fetch_optional(&mut *conn).await?;
    let Some(newest) = newest else { return Ok(Numbered::NoModel) };
    let newest = registry_rows::model_version(&newest)?;
    if newest.published_at.is_some() {
        return Ok(Numbered::Published(newest.number));
    }
    let at = newest.created_at.0;
    let taken = "SELECT 1 FROM model_versions WHERE product = ? AND number = ? AND at <> ?";
    let taken = sqlx::query(taken).bind(product.as_str()).bind(number).bind(at).fetch_optional(&mut *conn).await?;
    if taken.is_some() {
        return Ok(Numbered::Taken);
    }
    let update = "UPDATE model_versions SET number = COALESCE(?, number), \
                  description = COALESCE(?, description), published_at = ? WHERE product = ? AND at = ?";
    let update = sqlx::query(update).bind(number).bind(description).bind(now.0);
    update.bind(product.as_str()).bind(at).execute(&mut *conn).await?;
    prune(conn, product, "published_at IS NOT NULL").await?;
    Ok(Numbered::Done)
}
