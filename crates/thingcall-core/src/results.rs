//! Results of asynchronous calls on their way to whoever wants them.
//!
//! **Invariant:** a result that is read again says the same.

use crate::{CallId, DeviceKey, IotId, Outcome, ServiceId, TraceContext, UnixMillis};

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
    /// The place in a trace that its device was told.
    pub trace: Option<TraceContext>,
    /// Whether the device ever was there, as far as is known; looked for only where it was away.
    pub activated: bool,
}
