//! The outbox of results.
//!
//! **Invariant:** a record becomes due in the transaction that ends its call, and stays so until it was published or
//! given up.

use std::sync::LazyLock;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use thingcall_core::{Backlog, CallResult, IotId, JournalError, Outcome, ResultsOutbox, UnixMillis};
use tracing::warn;

use crate::many::Many;
use crate::{Store, calls, records, rows};

static PUBLISHED: LazyLock<Many> =
    LazyLock::new(|| Many::new("UPDATE calls SET due = 0 WHERE seq IN (VALUES ", 1, ")"));

#[async_trait]
impl ResultsOutbox for Store {
    async fn publishing(&self, wanted: bool) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let update = sqlx::query("UPDATE publishing SET wanted = ?").bind(wanted);
        update.execute(&mut side.conn).await.map(drop).map_err(failed)
    }

    async fn due(&self, max: usize) -> Result<Vec<CallResult>, JournalError> {
        let rows = sqlx::query("SELECT * FROM calls WHERE due = 1 ORDER BY ended_at, seq LIMIT ?")
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.shared().reads)
            .await;
        rows.map_err(failed)?.iter().map(result).collect::<Result<_, _>>().map_err(failed)
    }

    async fn published(&self, places: &[i64]) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        for (statement, _) in PUBLISHED.statements(places, |statement, place| statement.bind(*place)) {
            statement.execute(&mut side.conn).await.map_err(failed)?;
        }
        Ok(())
    }

    async fn trim(&self) -> Result<Backlog, JournalError> {
        let max = i64::try_from(self.shared().config.results_due_max).unwrap_or(i64::MAX);
        let backlog =
            |due: i64, given_up| Backlog { due: u64::try_from(due).unwrap_or(0).saturating_sub(given_up), given_up };
        let mut side = self.shared().write.lock().await;
        let count = "SELECT COUNT(*) FROM calls WHERE due = 1";
        let due: i64 = sqlx::query_scalar(count).fetch_one(&mut side.conn).await.map_err(failed)?;
        let excess = due.saturating_sub(max);
        if excess <= 0 {
            return Ok(backlog(due, 0));
        }
        let oldest = "UPDATE calls SET due = 0 WHERE seq IN \
                      (SELECT seq FROM calls WHERE due = 1 ORDER BY ended_at, seq LIMIT ?)";
        let dropped = sqlx::query(oldest).bind(excess).execute(&mut side.conn).await.map_err(failed)?.rows_affected();
        warn!(dropped, results_due_max = max, "results wait for too long to be published; the oldest are given up");
        Ok(backlog(due, dropped))
    }

    async fn changed(&self) {
        self.shared().results.notified().await;
    }
}

fn result(row: &SqliteRow) -> Result<CallResult, sqlx::Error> {
    let outcome = records::outcome(row)?.unwrap_or(Outcome::NotDelivered);
    // A reply that came after the end is kept in the record alone: whether it did before the result was published is
    // chance, and a result that is published twice must say the same twice.
    let answered = matches!(outcome, Outcome::Ok | Outcome::DeviceError);
    Ok(CallResult {
        place: row.try_get("seq")?,
        at: UnixMillis(row.try_get::<Option<i64>, _>("ended_at")?.unwrap_or_default()),
        id: calls::call_id(row.try_get("call_id")?),
        device: rows::device_key(row.try_get("product")?, row.try_get("device")?)?,
        iot_id: IotId::try_from(row.try_get::<&str, _>("iot_id")?).map_err(rows::decode)?,
        service: records::service(row)?,
        outcome,
        code: row.try_get::<Option<_>, _>("code")?.filter(|_| answered),
        message: row.try_get("message")?,
        data: row.try_get::<Option<_>, _>("data")?.filter(|_| answered),
    })
}

fn failed(problem: sqlx::Error) -> JournalError {
    JournalError::Store(problem.to_string())
}
