//! The seam between records of calls and their database, beside that of the rest in `database`.

use async_trait::async_trait;
use thingcall_core::{CallFilter, CallOrder, CallSource, KeptCall, ServiceCalls};

use crate::failure::Failure;
use crate::message_tables::Limits;

/// A record as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RecordRow {
    pub(crate) call_id: Option<i64>,
    pub(crate) request_id: String,
    pub(crate) action: Option<String>,
    pub(crate) product: String,
    pub(crate) device: String,
    pub(crate) service: String,
    pub(crate) key_id: Option<String>,
    pub(crate) outcome: &'static str,
    pub(crate) accepted_at: i64,
    /// JSON.
    pub(crate) body: String,
}

/// An answer that came after its call had ended, as it is added to the call's record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LateRow {
    pub(crate) call_id: i64,
    pub(crate) request_id: String,
    /// What the record's JSON gets before its last brace.
    pub(crate) member: String,
}

/// What [`LateRow::member`] begins with. Within a text of JSON a quote follows a backslash, so it stands in no text.
pub(crate) const LATE: &str = r#","late":{"#;

/// What a record counts beside its texts, about what its row and its places in indexes take.
const RECORD_BYTES: usize = 120;

impl RecordRow {
    /// What it counts.
    pub(crate) fn bytes(&self) -> i64 {
        let Self { request_id, product, device, service, body, .. } = self;
        let action = self.action.as_ref().map_or(0, String::len);
        let names = request_id.len() + action + 2 * (product.len() + device.len()) + service.len();
        i64::try_from(RECORD_BYTES + names + body.len()).unwrap_or(i64::MAX)
    }
}

impl LateRow {
    /// What it counts.
    pub(crate) fn bytes(&self) -> i64 {
        i64::try_from(self.member.len()).unwrap_or(i64::MAX)
    }
}

/// How much there is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct RecordSize {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
}

/// What is read of them beside whoever writes.
#[async_trait]
pub(crate) trait RecordReads: Send + Sync {
    /// The calls of one kind, from this place on in this order.
    async fn kept_calls(
        &self,
        source: CallSource,
        filter: &CallFilter,
        from: (CallOrder, i64),
        max: usize,
    ) -> Result<Vec<KeptCall>, Failure>;

    /// The calls of a device's services of one kind, in the order of their times.
    async fn service_calls(
        &self,
        source: CallSource,
        calls: &ServiceCalls,
        max: usize,
    ) -> Result<Vec<KeptCall>, Failure>;

    /// The place of the newest record; 0 where there is none.
    async fn last_record(&self) -> Result<i64, Failure>;

    /// How many records there are, about, and what they count together.
    async fn record_size(&self) -> Result<RecordSize, Failure>;

    /// How far they are over their limits: the place up to which records are to be dropped now, `at_most` of them.
    async fn record_excess(&self, limits: &Limits, at_most: i64) -> Result<Option<i64>, Failure>;
}

/// What is written of them, as part of a transaction.
#[async_trait]
pub(crate) trait RecordWrites: Send {
    /// Writes records down in this order.
    async fn insert_records(&mut self, rows: &[RecordRow]) -> Result<(), Failure>;

    /// Adds answers to the records of their calls, to each the first one. Says whose records there are; a call may be named more
    /// than once.
    async fn add_late(&mut self, rows: &[&LateRow]) -> Result<Vec<i64>, Failure>;

    /// Drops what stands up to this place.
    async fn drop_records(&mut self, up_to: i64) -> Result<(), Failure>;
}
