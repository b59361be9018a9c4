//! Results that an earlier release left to be published: it noted them beside the records of their calls.

use thingcall_core::{EndedCall, JournalError};

use crate::Store;
use crate::failure::{Failure, Stop};
use crate::shared::{Shared, WriteSide};

/// How many are moved at once.
const MOVED_AT_ONCE: usize = 500;

impl Store {
    /// Puts results that an earlier release left into the log of messages, for those who want results now.
    ///
    /// # Errors
    /// If the store cannot be read or written.
    pub async fn move_due_results(&self) -> Result<(), JournalError> {
        loop {
            let due = self.shared().reads.due(MOVED_AT_ONCE).await;
            let due = due.map_err(|problem| JournalError::Store(problem.to_string()))?;
            if due.is_empty() {
                return Ok(());
            }
            let mut side = self.shared().write.lock().await;
            let moved = move_results(self.shared(), &mut side, due).await;
            self.shared().ended(&mut side, moved.map_err(Stop::Failed))?;
        }
    }
}

async fn move_results(shared: &Shared, side: &mut WriteSide, due: Vec<EndedCall>) -> Result<(), Failure> {
    let places: Vec<_> = due.iter().map(|ended| ended.place).collect();
    let told = shared.of_ended(due).await?;
    let mut tx = side.conn.begin().await?;
    tx.published(&places).await?;
    let newest = shared.append_own(&mut *tx, &told).await?;
    tx.commit().await?;
    shared.appended_own(&told, newest);
    Ok(())
}
