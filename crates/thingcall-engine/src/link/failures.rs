//! Why a command did not reach its device, or its answer the caller, in the call's words.

use std::sync::atomic::Ordering;

use thingcall_core::{CallError, DeliverError, Executed};
use tracing::warn;

use super::Link;
use crate::pending::NotOpened;
use crate::transports::NoWay;

impl Link<'_> {
    /// What the caller is told when the time is over.
    pub(crate) fn timed_out(&self) -> CallError {
        let waited_ms = u64::try_from(self.begun.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.recording.load(Ordering::Relaxed) {
            let why = format!("the store did not answer within {waited_ms} ms");
            CallError::NotRecorded { why, executed: Executed::Maybe }
        } else if self.left.load(Ordering::Relaxed) {
            CallError::Timeout { device: self.call.device.key.to_string(), waited_ms }
        } else {
            CallError::Expired { waited_ms }
        }
    }

    pub(super) fn no_way(&self, why: NoWay) -> CallError {
        match why {
            NoWay::Nothing => CallError::TransportDown,
            NoWay::NotHere(name) => {
                let device = &self.call.device.key;
                warn!(transport = %name, %device, "the transport set for a device or its product is not configured");
                CallError::NotDelivered("the transport set for the device is not configured".to_owned())
            }
        }
    }

    pub(super) fn not_opened(&self, error: NotOpened) -> CallError {
        match error {
            NotOpened::Full => {
                CallError::Overloaded(format!("{} calls wait for their devices", self.engine.config.pending_calls_max))
            }
            NotOpened::InUse => CallError::Internal("the call's id is in use; the call was not sent".to_owned()),
        }
    }

    pub(super) fn not_delivered(&self, error: DeliverError) -> CallError {
        match error {
            DeliverError::Offline => CallError::Offline(self.call.device.key.to_string()),
            DeliverError::Down => CallError::TransportDown,
            DeliverError::Lost => CallError::TransportLost,
            DeliverError::Blocked => CallError::Overloaded("the devices' broker takes no messages for now".to_owned()),
            DeliverError::QueueFull(messages) => CallError::Overloaded(format!("{messages} messages wait to be sent")),
            DeliverError::TooLarge { .. } => CallError::TooLarge(error.to_string()),
            DeliverError::Refused(why) => CallError::NotDelivered(why),
        }
    }
}
