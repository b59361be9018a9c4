//! What is told of a call that has not ended.

use std::time::Duration;

use thingcall_core::{CallId, CallMode, DeviceKey, RequestId, ServiceId, TransportName};

/// A call that waits for its end.
#[derive(Debug, Clone)]
pub struct RunningCall {
    /// The id of its command: the caller's `MessageId`, but for further commands of a plugin.
    pub id: CallId,
    /// Names the request.
    pub request_id: RequestId,
    /// The device.
    pub device: DeviceKey,
    /// The service.
    pub service: ServiceId,
    /// Whether its caller waits for the device's answer.
    pub mode: CallMode,
    /// For whom it waits.
    pub waits_for: WaitsFor,
    /// Since when.
    pub age: Duration,
}

/// For whom a call waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WaitsFor {
    /// For its turn at a device whose calls are paced.
    Turn,
    /// For its device, asked this way.
    Device(TransportName),
    /// For this plugin.
    Plugin(String),
}
