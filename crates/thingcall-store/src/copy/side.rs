//! A store that is copied from or to, as the copy sees it.

use async_trait::async_trait;

use super::tables::{Row, Table};

/// Why it could not be read or written, in the database's words.
pub(super) type Failed = Box<dyn std::error::Error + Send + Sync>;

/// A store. As long as it is held, no server starts on it.
#[async_trait]
pub(super) trait Side: Send {
    /// Which it is, for people. Names it whenever it is opened.
    fn place(&self) -> &str;

    /// Whether its texts may hold zero bytes.
    fn keeps_zero_bytes(&self) -> bool;

    /// How many rows a table has.
    async fn count(&mut self, table: &'static Table) -> Result<u64, Failed>;

    /// What names its last row.
    async fn last(&mut self, table: &'static Table) -> Result<Option<Row>, Failed>;

    /// The rows after this one, in order, `max` at most.
    async fn page(&mut self, table: &'static Table, after: Option<&Row>, max: usize) -> Result<Vec<Row>, Failed>;

    /// Writes rows that come after all there are.
    async fn write(&mut self, table: &'static Table, rows: &[Row]) -> Result<(), Failed>;

    /// Takes all rows out.
    async fn empty(&mut self, table: &'static Table) -> Result<(), Failed>;

    /// The one row of `message_log`.
    async fn message_log(&mut self) -> Result<(i64, i64, i64), Failed>;

    /// The place that it is half a copy of.
    async fn half_of(&mut self) -> Result<Option<String>, Failed>;

    /// From now on it is half a copy of this place.
    async fn begin(&mut self, of: &str) -> Result<(), Failed>;

    /// It is whole.
    async fn finish(&mut self, message_log: (i64, i64, i64)) -> Result<(), Failed>;
}
