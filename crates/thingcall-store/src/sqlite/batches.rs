//! Batches of devices: the SQL.

use std::sync::LazyLock;

use sqlx::SqliteConnection;
use sqlx::sqlite::SqlitePool;
use thingcall_core::{DeviceName, ProductKey};
use thingcall_tsl::{Applied, Batch, BatchId, BatchState};

use super::many::{Many, Statement};
use crate::memory::DeviceEntry;
use crate::registry_rows::{self, state_word};
use crate::registry_tables::{BatchLimits, NewBatch};
use crate::rows;
use crate::sizes::unsigned;

const BATCH: &str = "SELECT id, product, state, created, created_at FROM batches WHERE id = ?";
const DEVICES: &str = "SELECT name, nickname, problem FROM batch_devices WHERE batch = ? ORDER BY place";

static INSERT: LazyLock<Many> = LazyLock::new(|| {
    let before = "INSERT INTO batch_devices (batch, place, name, nickname, problem) SELECT * FROM (VALUES ";
    Many::new(before, 5, ") WHERE column1 IS NOT NULL")
});

/// A batch.
pub(super) async fn batch(reads: &SqlitePool, id: BatchId) -> Result<Option<Batch>, sqlx::Error> {
    let row = sqlx::query(BATCH).bind(id).fetch_optional(reads).await?;
    row.as_ref().map(registry_rows::batch).transpose()
}

/// A batch that nobody else changes until the commit.
pub(super) async fn locked(conn: &mut SqliteConnection, id: BatchId) -> Result<Option<Batch>, sqlx::Error> {
    let row = sqlx::query(BATCH).bind(id).fetch_optional(conn).await?;
    row.as_ref().map(registry_rows::batch).transpose()
}

/// Its devices, in their order.
pub(super) async fn devices(conn: &mut SqliteConnection, id: BatchId) -> Result<Vec<Applied>, sqlx::Error> {
    sqlx::query(DEVICES).bind(id).fetch_all(conn).await?.iter().map(registry_rows::applied).collect()
}

/// Those that it registered and that are still there.
pub(super) async fn page(
    reads: &SqlitePool,
    batch: &Batch,
    skipped: u64,
    max: usize,
) -> Result<Vec<DeviceEntry>, sqlx::Error> {
    let select = "SELECT devices.* FROM batch_devices AS b JOIN devices ON devices.product = ? AND devices.name = b.name \
                  WHERE b.batch = ? AND b.problem IS NULL ORDER BY b.place LIMIT ? OFFSET ?";
    let found = sqlx::query(select)
        .bind(batch.product.to_string())
        .bind(batch.id)
        .bind(i64::try_from(max).unwrap_or(i64::MAX))
        .bind(i64::try_from(skipped).unwrap_or(i64::MAX));
    found.fetch_all(reads).await?.iter().map(rows::device).collect()
}

/// How many devices that it registered are still there.
pub(super) async fn left(reads: &SqlitePool, batch: &Batch) -> Result<u64, sqlx::Error> {
    let select = "SELECT COUNT(*) FROM batch_devices AS b JOIN devices ON devices.product = ? AND devices.name = b.name \
                  WHERE b.batch = ? AND b.problem IS NULL";
    let left = sqlx::query_scalar(select).bind(batch.product.to_string()).bind(batch.id).fetch_one(reads).await;
    left.map(|left: i64| left.unsigned_abs())
}

/// How many batches there are.
pub(super) async fn count(reads: &SqlitePool) -> Result<u64, sqlx::Error> {
    sqlx::query_scalar("SELECT COUNT(*) FROM batches").fetch_one(reads).await.map(unsigned)
}

/// Which of these names a product's devices have.
pub(super) async fn taken(
    conn: &mut SqliteConnection,
    product: &ProductKey,
    names: &[DeviceName],
) -> Result<Vec<DeviceName>, sqlx::Error> {
    let select = "SELECT name FROM devices WHERE product = ? AND name IN (SELECT value FROM json_each(?))";
    let found = sqlx::query(select).bind(product.as_str()).bind(list(names));
    found.fetch_all(conn).await?.iter().map(registry_rows::name).collect()
}

fn list(names: &[DeviceName]) -> String {
    let names: Vec<_> = names.iter().map(DeviceName::as_str).collect();
    serde_json::to_string(&names).unwrap_or_default()
}

/// A new batch; the oldest go where there are too many. Tells how many there are.
pub(super) async fn insert(
    conn: &mut SqliteConnection,
    new: &NewBatch<'_>,
    limits: &BatchLimits,
) -> Result<u64, sqlx::Error> {
    let created = if new.state == BatchState::Created { new.devices.len() } else { 0 };
    let insert = "INSERT INTO batches (id, product, state, devices, created, created_at) VALUES (?, ?, ?, ?, ?, ?)";
    sqlx::query(insert)
        .bind(new.id)
        .bind(new.product.as_str())
        .bind(state_word(new.state))
        .bind(i64::try_from(new.devices.len()).unwrap_or(i64::MAX))
        .bind(i64::try_from(created).unwrap_or(i64::MAX))
        .bind(new.created_at.0)
        .execute(&mut *conn)
        .await?;
    let numbered: Vec<(i64, &Applied)> = (0..).zip(new.devices).collect();
    let bind = |statement: Statement, (place, device): &(i64, &Applied)| {
        let statement = statement.bind(new.id).bind(*place).bind(device.name.to_string());
        statement.bind(device.nickname.clone()).bind(device.problem.clone())
    };
    for (statement, _) in INSERT.statements(&numbered, bind) {
        statement.execute(&mut *conn).await?;
    }
    let prune = "DELETE FROM batches WHERE created_at < ? OR id IN (SELECT id FROM (SELECT id, ROW_NUMBER() OVER w AS nth, \
                 SUM(devices) OVER w AS total FROM batches WINDOW w AS (ORDER BY created_at DESC, id DESC)) \
                 WHERE nth > ? OR total > ?)";
    sqlx::query(prune)
        .bind(limits.since.0)
        .bind(i64::try_from(limits.batches_max).unwrap_or(i64::MAX))
        .bind(i64::try_from(limits.devices_max).unwrap_or(i64::MAX))
        .execute(&mut *conn)
        .await?;
    sqlx::query_scalar("SELECT COUNT(*) FROM batches").fetch_one(conn).await.map(unsigned)
}

/// So many of a batch's devices are registered, and these are not.
pub(super) async fn end(
    conn: &mut SqliteConnection,
    id: BatchId,
    (state, created): (BatchState, usize),
    (names, problem): (&[DeviceName], &str),
) -> Result<(), sqlx::Error> {
    let update = sqlx::query("UPDATE batches SET state = ?, created = ? WHERE id = ?").bind(state_word(state));
    update.bind(i64::try_from(created).unwrap_or(i64::MAX)).bind(id).execute(&mut *conn).await?;
    let update = "UPDATE batch_devices SET problem = ? WHERE batch = ? AND name IN (SELECT value FROM json_each(?))";
    sqlx::query(update).bind(problem).bind(id).bind(list(names)).execute(conn).await.map(drop)
}
