//! The seam between the log of changes and its database, beside that of the rest in `database`.

use async_trait::async_trait;
use thingcall_core::{AuditDoor, AuditEntry, AuditFilter, AuditKept, UnixMillis};

use crate::columns::Columns;
use crate::failure::Failure;

/// How much there may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuditLimits {
    /// Not older than this.
    pub(crate) since: UnixMillis,
    /// So many in all.
    pub(crate) entries_max: i64,
    /// So many of them of strangers.
    pub(crate) strangers_max: i64,
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct AuditSize {
    pub(crate) entries: u64,
    pub(crate) strangers: u64,
}

/// What is read beside whoever writes.
#[async_trait]
pub(crate) trait AuditReads: Send + Sync {
    /// The newest of these.
    async fn audit_entries(&self, filter: &AuditFilter, max: usize) -> Result<Vec<AuditKept>, Failure>;

    /// How many there are.
    async fn audit_size(&self) -> Result<AuditSize, Failure>;
}

/// What is written, as part of a transaction.
#[async_trait]
pub(crate) trait AuditWrites: Send {
    /// Writes entries down in this order.
    async fn insert_audit(&mut self, entries: &[AuditEntry]) -> Result<(), Failure>;

    /// Drops what is too old or too much.
    async fn drop_audit(&mut self, limits: &AuditLimits) -> Result<(), Failure>;
}

/// An entry of a row. What a newer release calls a door that is not known here counts as the command line's.
pub(crate) fn kept(row: &impl Columns) -> Result<AuditKept, sqlx::Error> {
    let text = |column: &str| row.text(column).map(str::to_owned);
    let entry = AuditEntry {
        at: UnixMillis(row.number("at")?),
        door: row.text("door")?.parse().unwrap_or(AuditDoor::Command),
        key: Some(text("key_id")?).filter(|key| !key.is_empty()),
        action: text("action")?,
        target: text("target")?,
        outcome: text("outcome")?,
        address: row.text("address")?.parse().ok(),
    };
    Ok(AuditKept { place: row.number("seq")?, entry })
}

/// A door as rows hold it.
pub(crate) fn door_word(door: AuditDoor) -> &'static str {
    door.into()
}

/// An address as rows hold it.
pub(crate) fn address_word(entry: &AuditEntry) -> String {
    entry.address.map(|address| address.to_string()).unwrap_or_default()
}
