//! Batches of devices: the SQL.

use sqlx::PgConnection;
use thingcall_core::{DeviceName, ProductKey};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState};

use super::lists::{Lists, count as counted, text};
use crate::memory::DeviceEntry;
use crate::registry_rows::{self, state_word};
use crate::registry_tables::{BatchLimits, NewBatch};
use crate::rows;

const DEVICES: &str = "SELECT name, nickname, problem FROM batch_devices WHERE batch = $1 ORDER BY place";

/// A batch.
pub(super) async fn batch(conn: &mut PgConnection, id: BatchId) -> Result<Option<Batch>, sqlx::Error> {
    let select = "SELECT id, product, state, created, created_at FROM batches WHERE id = $1";
    sqlx::query(select).bind(id).fetch_optional(conn).await?.as_ref().map(registry_rows::batch).transpose()
}

/// A batch that nobody else changes until the commit.
pub(super) async fn locked(conn: &mut PgConnection, id: BatchId) -> Result<Option<Batch>, sqlx::Error> {
    let select = "SELECT id, product, state, created, created_at FROM batches WHERE id = $1 FOR UPDATE";
    sqlx::query(select).bind(id).fetch_optional(conn).await?.as_ref().map(registry_rows::batch).transpose()
}

/// Its devices, in their order.
pub(super) async fn devices(conn: &mut PgConnection, id: BatchId) -> Result<Vec<Applied>, sqlx::Error> {
    sqlx::query(DEVICES).bind(id).fetch_all(conn).await?.iter().map(registry_rows::applied).collect()
}

/// Those that it registered and that are still there.
pub(super) async fn page(
    conn: &mut PgConnection,
    batch: &Batch,
    skipped: u64,
    max: usize,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let select = "SELECT devices.* FROM batch_devices AS b JOIN devices ON devices.product = $1 AND devices.name = b.name \
                  WHERE b.batch = $2 AND b.problem IS NULL ORDER BY b.place LIMIT $3 OFFSET $4";
    let found = sqlx::query(select)
        .bind(batch.product.as_str())
        .bind(batch.id)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .bind(i64::try_from(skipped).unwrap_or(i64::MAX));
    found.fetch_all(conn).await?.iter().map(rows::device).collect()
}

/// How many devices that it registered are still there.
pub(super) async fn left(conn: &mut PgConnection, batch: &Batch) -> Result<u64, sqlx::Error> {
    let select = "SELECT COUNT(*) FROM batch_devices AS b JOIN devices ON devices.product = $1 AND devices.name = b.name \
                  WHERE b.batch = $2 AND b.problem IS NULL";
    sqlx::query_scalar(select).bind(batch.product.as_str()).bind(batch.id).fetch_one(conn).await.map(counted)
}

/// How many batches there are.
pub(super) async fn count(conn: &mut PgConnection) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM batches").fetch_one(conn).await.map(counted)
}

/// Which of these names a product's devices have.
pub(super) async fn taken(
    conn: &mut PgConnection,
    product: &ProductKey,
    names: &[DeviceName],
) -> Result<Vec<DeviceName>, sqlx::Error> {
    let names: Vec<_> = names.iter().map(DeviceName::as_str).collect();
    let found = sqlx::query("SELECT name FROM devices WHERE product = $1 AND name = ANY($2)").bind(product.as_str());
    found.bind(names).fetch_all(conn).await?.iter().map(registry_rows::name).collect()
}

/// A new batch; the oldest go where there are too many. Tells how many there are.
pub(super) async fn insert(
    conn: &mut PgConnection,
    new: &NewBatch<'_>,
    limits: &BatchLimits,
) -> Result<u64, sqlx::Error> {
    let created = if new.state == BatchState::Created { new.devices.len() } else { 0 };
    let insert =
        "INSERT INTO batches (id, product, state, devices, created, created_at) VALUES ($1, $2, $3, $4, $5, $6)";
    sqlx::query(insert)
        .bind(new.id)
        .bind(new.product.as_str())
        .bind(state_word(new.state))
        .bind(i64::try_from(new.devices.len()).unwrap_or(i64::MAX))
        .bind(i64::try_from(created).unwrap_or(i64::MAX))
        .bind(new.created_at.0)
        .execute(&mut *conn)
        .await?;
    let all = Lists(new.devices);
    let insert = "INSERT INTO batch_devices (batch, place, name, nickname, problem) \
                  SELECT $1, v.place - 1, v.name, v.nickname, v.problem FROM UNNEST($2::TEXT[], $3::TEXT[], $4::TEXT[]) \
                  WITH ORDINALITY AS v (name, nickname, problem, place)";
    sqlx::query(insert)
        .bind(new.id)
        .bind(all.list(|device| device.name.to_string()))
        .bind(all.list(|device| device.nickname.as_deref().map(text)))
        .bind(all.list(|device| device.problem.clone()))
        .execute(&mut *conn)
        .await?;
    let prune = "DELETE FROM batches WHERE created_at < $1 OR id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER w AS nth, \
                 SUM(devices) OVER w AS total FROM batches WINDOW w AS (ORDER BY created_at DESC, id DESC)) AS all_of_them \
                 WHERE nth > $2 OR total > $3)";
    sqlx::query(prune)
        .bind(limits.since.0)
        .bind(i64::try_from(limits.batches_max).unwrap_or(i64::MAX))
        .bind(i64::try_from(limits.devices_max).unwrap_or(i64::MAX))
        .execute(&mut *conn)
        .await?;
    count(conn).await
}

/// So many of a batch's devices are registered, and these are not.
pub(super) async fn end(
    conn: &mut PgConnection,
    id: BatchId,
    (state, created): (BatchState, usize),
    (names, problem): (&[DeviceName], &str),
) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE batches SET state = $1, created = $2 WHERE id = $3").bind(state_word(state));
    update.bind(i64::try_from(created).unwrap_or(i64::MAX)).bind(id).execute(&mut *conn).await?;
    let names: Vec<_> = names.iter().map(DeviceName::as_str).collect();
    let update = sqlx::query("UPDATE batch_devices SET problem = $1 WHERE batch = $2 AND name = ANY($3)");
    update.bind(problem).bind(id).bind(names).execute(conn).await.map(drop)
}
