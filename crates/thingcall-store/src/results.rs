//! The outbox of results.
//!
//! **Invariant:** a record becomes due in the transaction that ends its call, and stays so until it was published or
//! given up.

use std::sync::LazyLock;

use async_trait::async_trait;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;
use thingcall_core::{Backlog, EndedCall, IotId, JournalError, Outcome, ResultsOutbox, UnixMillis};
use tracing::warn;

use crate::many::Many;
use crate::shared::WriteSide;
use crate::trouble::Stop;
use crate::{Store, columns};

static PUBLISHED: LazyLock<Many> =
    LazyLock::new(|| Many::new("UPDATE calls SET due = 0 WHERE seq IN (VALUES ", 1, ")"));

#[async_trait]
impl ResultsOutbox for Store {
    async fn publishing(&self, wanted: bool) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let set = set_wanted(&mut side, wanted).await;
        self.shared().ended(&mut side, set.map_err(Stop::Failed))
    }

    async fn due(&self, max: usize) -> Result<Vec<EndedCall>, JournalError> {
        let rows = sqlx::query("SELECT * FROM calls WHERE due = 1 ORDER BY ended_at, seq LIMIT ?")
            .bind(i64::try_from(max).unwrap_or(i64::MAX))
            .fetch_all(&self.shared().reads)
            .await;
        rows.map_err(failed)?.iter().map(result).collect::<Result<_, _>>().map_err(failed)
    }

    async fn published(&self, places: &[i64]) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let noted = note_published(&mut side, places).await;
        self.shared().ended(&mut side, noted.map_err(Stop::Failed))
    }

    fn due_max(&self) -> usize {
        self.shared().config.results_due_max.get()
    }

    async fn trim(&self) -> Result<Backlog, JournalError> {
        let max = i64::try_from(self.shared().config.results_due_max.get()).unwrap_or(i64::MAX);
        let mut side = self.shared().write.lock().await;
        let trimmed = give_up_oldest(&mut side, max).await;
        self.shared().ended(&mut side, trimmed.map_err(Stop::Failed))
    }

    async fn changed(&self) {
        self.shared().results.notified().await;
    }
}

/// Written only where it differs: a server whose results nobody wants starts on a full disk, too.
async fn set_wanted(side: &mut WriteSide, wanted: bool) -> Result<(), sqlx::Error> {
    let is: bool = sqlx::query_scalar("SELECT wanted FROM publishing").fetch_one(side.conn.read().await?).await?;
    if is == wanted {
        return Ok(());
    }
    let mut tx = side.conn.begin().await?;
    sqlx::query("UPDATE publishing SET wanted = ?").bind(wanted).execute(&mut *tx).await?;
    tx.commit().await
}

async fn note_published(side: &mut WriteSide, places: &[i64]) -> Result<(), sqlx::Error> {
    let mut tx = side.conn.begin().await?;
    for (statement, _) in PUBLISHED.statements(places, |statement, place| statement.bind(*place)) {
        statement.execute(&mut *tx).await?;
    }
    tx.commit().await
}

async fn give_up_oldest(side: &mut WriteSide, max: i64) -> Result<Backlog, sqlx::Error> {
    let count = "SELECT COUNT(*) FROM calls WHERE due = 1";
    let due: i64 = sqlx::query_scalar(count).fetch_one(side.conn.read().await?).await?;
    let excess = due.saturating_sub(max);
    let mut given_up = 0;
    if excess > 0 {
        let oldest = "UPDATE calls SET due = 0 WHERE seq IN \
                      (SELECT seq FROM calls WHERE due = 1 ORDER BY ended_at, seq LIMIT ?)";
        let mut tx = side.conn.begin().await?;
        given_up = sqlx::query(oldest).bind(excess).execute(&mut *tx).await?.rows_affected();
        tx.commit().await?;
        warn!(given_up, results_due_max = max, "results wait for too long to be published; the oldest are given up");
    }
    Ok(Backlog { due: u64::try_from(due).unwrap_or(0).saturating_sub(given_up), given_up })
}

fn result(row: &SqliteRow) -> Result<EndedCall, sqlx::Error> {
    let outcome = columns::outcome(row)?.unwrap_or(Outcome::NotDelivered);
    // A reply that came after the end is kept in the record alone: whether it did before the result was published is
    // chance, and a result that is published twice must say the same twice.
    let answered = matches!(outcome, Outcome::Ok | Outcome::DeviceError);
    Ok(EndedCall {
        place: row.try_get("seq")?,
        at: UnixMillis(row.try_get::<Option<i64>, _>("ended_at")?.unwrap_or_default()),
        id: columns::call_id(row.try_get("call_id")?),
        device: columns::device_key(row.try_get("product")?, row.try_get("device")?)?,
        iot_id: IotId::try_from(row.try_get::<&str, _>("iot_id")?).map_err(columns::decode)?,
        service: columns::service(row)?,
        outcome,
        code: row.try_get::<Option<_>, _>("code")?.filter(|_| answered),
        message: row.try_get("message")?,
        data: row.try_get::<Option<_>, _>("data")?.filter(|_| answered),
    })
}

fn failed(problem: sqlx::Error) -> JournalError {
    JournalError::Store(problem.to_string())
}
