//! The outbox of results.
//!
//! **Invariant:** a record becomes due in the transaction that ends its call, and stays so until it was published or
//! given up.

use async_trait::async_trait;
use thingcall_core::{Backlog, EndedCall, JournalError, ResultsOutbox};
use tracing::warn;

use crate::Store;
use crate::database::Slots;
use crate::failure::{Failure, Stop};
use crate::shared::WriteSide;
use crate::sizes::wide;

#[async_trait]
impl ResultsOutbox for Store {
    async fn publishing(&self, wanted: bool) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let set = set_wanted(&mut side, wanted).await;
        self.shared().ended(&mut side, set.map_err(Stop::Failed))
    }

    async fn due(&self, max: usize) -> Result<Vec<EndedCall>, JournalError> {
        let slots = self.shared().held.slots();
        let due = self.shared().reads.due(slots.as_deref(), max).await;
        due.map_err(|problem| JournalError::Store(problem.to_string()))
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
        let max = wide(self.shared().config.results_due_max.get());
        let mut side = self.shared().write.lock().await;
        let slots = self.shared().held.slots();
        let trimmed = give_up_oldest(&mut side, slots.as_deref(), max).await;
        self.shared().ended(&mut side, trimmed.map_err(Stop::Failed))
    }

    async fn changed(&self) {
        self.shared().results.notified().await;
    }
}

/// Written only where it differs: a server whose results nobody wants starts on a full disk, too.
async fn set_wanted(side: &mut WriteSide, wanted: bool) -> Result<(), Failure> {
    if side.conn.is_publishing().await? == wanted {
        return Ok(());
    }
    let mut tx = side.conn.begin().await?;
    tx.set_publishing(wanted).await?;
    tx.commit().await
}

async fn note_published(side: &mut WriteSide, places: &[i64]) -> Result<(), Failure> {
    let mut tx = side.conn.begin().await?;
    tx.published(places).await?;
    tx.commit().await
}

async fn give_up_oldest(side: &mut WriteSide, slots: Slots<'_>, max: u64) -> Result<Backlog, Failure> {
    let due = side.conn.count_due(slots).await?;
    let excess = due.saturating_sub(max);
    let mut given_up = 0;
    if excess > 0 {
        let mut tx = side.conn.begin().await?;
        given_up = tx.give_up_oldest(slots, excess).await?;
        tx.commit().await?;
        warn!(given_up, results_due_max = max, "results wait for too long to be published; the oldest are given up");
    }
    Ok(Backlog { due: due.saturating_sub(given_up), given_up })
}
