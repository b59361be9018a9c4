//! The log of who changed what, as those see it who write and read it.

use thingcall_core::{AuditEntry, AuditFilter, AuditKept, AuditLog, JournalError};

use crate::{Store, audit_keeper};

impl AuditLog for Store {
    fn audit(&self, entry: AuditEntry) {
        self.shared().audit.put(entry);
    }
}

impl Store {
    /// Writes what waits for the log of changes, if it can be written; else that is tried again later.
    pub async fn write_audit(&self) {
        audit_keeper::write_all(self.shared()).await;
    }

    /// The newest of these entries of the log of changes.
    ///
    /// # Errors
    /// When the database did not answer.
    pub async fn audited(&self, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, JournalError> {
        let found = self.shared().reads.audit_entries(filter, max).await;
        found.map_err(|problem| JournalError::Store(problem.to_string()))
    }
}
