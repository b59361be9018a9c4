//! Results of asynchronous calls on their way to whoever wants them.
//!
//! **Invariant:** a result that is read again says the same.

use async_trait::async_trait;

use crate::{CallId, DeviceKey, IotId, JournalError, Outcome, ServiceId, UnixMillis};

/// How an asynchronous call ended, for those who are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedCall {
    /// Its place in the journal: the same each time it is read, and another call's never.
    pub place: i64,
    /// When it ended.
    pub at: UnixMillis,
    /// The call.
    pub id: CallId,
    /// The device.
    pub device: DeviceKey,
    /// The device's id.
    pub iot_id: IotId,
    /// The service.
    pub service: ServiceId,
    /// How it ended.
    pub outcome: Outcome,
    /// The device's code, if its reply ended the call.
    pub code: Option<i64>,
    /// The device's words, or the server's.
    pub message: Option<String>,
    /// The device's data, a JSON object, if its reply ended the call.
    pub data: Option<String>,
}

/// How many results wait to be published.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Backlog {
    /// Those that wait.
    pub due: u64,
    /// Those given up just now, since too many waited.
    pub given_up: u64,
}

/// Keeps results until they are published. What ended while publishing was asked for is due in the same instant, so a
/// crash loses none; one that was published when the crash came is told again.
#[async_trait]
pub trait ResultsOutbox: Send + Sync {
    /// From now on results of calls that end are due, or not.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn publishing(&self, wanted: bool) -> Result<(), JournalError>;

    /// The oldest results that are due, at most `max`, in the order in which their calls ended.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn due(&self, max: usize) -> Result<Vec<EndedCall>, JournalError>;

    /// These are published, and due no more.
    ///
    /// # Errors
    /// If the store cannot be written: they stay due.
    async fn published(&self, places: &[i64]) -> Result<(), JournalError>;

    /// How many may be due.
    fn due_max(&self) -> usize;

    /// Gives up the oldest where there are more than [`Self::due_max`].
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn trim(&self) -> Result<Backlog, JournalError>;

    /// Returns when something may have become due since the last time.
    async fn changed(&self);
}
