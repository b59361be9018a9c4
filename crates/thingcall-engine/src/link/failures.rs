//! Why a command did not reach its device, or its answer the caller, in the call's words.

use std::sync::atomic::Ordering;

use thingcall_core::{CallError, DeliverError, Executed, JournalError};
use tracing::{error, warn};

use super::Link;
use crate::lanes::NoTurn;
use crate::pending::NotOpened;
use crate::room::NoRoom;
use crate::transports::NoWay;

impl Link<'_> {
    /// What the caller is told when the time is over.
    pub(crate) fn timed_out(&self) -> CallError {
        let waited_ms = u64::try_from(self.begun.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        if self.recording.load(Ordering::Relaxed) {
            let why = format!("the store did not answer within {waited_ms} ms");
            return CallError::NotRecorded { why, executed: Executed::Maybe };
        }
        let queued = self.queued.load(Ordering::Relaxed);
        // Its commands, if it gave any, had their answers: what is missing is the plugin's.
        if !queued
            && !self.at_device.unanswered()
            && let Some(plugin) = self.engine.router.find(self.call).and_then(|handler| handler.plugin())
        {
            return CallError::PluginSilent { plugin, waited_ms, executed: self.executed() };
        }
        if !self.left.load(Ordering::Relaxed) {
            return CallError::Expired { waited_ms };
        }
        if let Some(transport) = self.transport.get() {
            self.engine.metrics.device_silent(*transport);
        }
        let device = &self.call.device.key;
        let said = self.engine.dropped.last_since(device, self.begun.started);
        if said.is_none() && self.call.letter.is_none() {
            self.device_missed();
        }
        let hint = said.map(|last| format!("the device sent {}", last.in_words()).into());
        CallError::Timeout { device: device.to_string(), waited_ms, hint }
    }

    /// What the caller is told where an operator ended the call.
    pub(crate) fn cancelled(&self) -> CallError {
        CallError::Cancelled { device: self.call.device.key.to_string(), executed: self.executed() }
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

    pub(super) fn no_turn(&self, why: NoTurn) -> CallError {
        let device = &self.call.device.key;
        CallError::Overloaded(match why {
            NoTurn::Cancelled => return self.cancelled(),
            NoTurn::DeviceFull(max) => format!(
                "device {device} gets one call at a time, as its product says (pacing), and {max} calls wait for it already \
                 (paced_waiting_calls_max)"
            ),
            NoTurn::DevicesFull(max) => {
                format!("calls to {max} devices that get one at a time are under way already (pending_calls_max)")
            }
        })
    }

    pub(super) fn not_opened(&self, error: NotOpened) -> CallError {
        match error {
            NotOpened::NoRoom(why) => {
                self.engine.metrics.no_room[why].inc();
                CallError::Overloaded(self.without_room(why))
            }
            NotOpened::InUse => CallError::Internal("the call's id is in use; the call was not sent".to_owned()),
        }
    }

    fn without_room(&self, why: NoRoom) -> String {
        let (max, now) = (self.engine.config.pending_calls_max, self.engine.pending.room.now());
        match why {
            NoRoom::Full => format!("{max} calls wait for their devices (pending_calls_max)"),
            NoRoom::Congested => format!(
                "{now} calls wait for their devices, and no more may while messages need longer than congestion_delay"
            ),
            NoRoom::Product => format!(
                "calls to product {} have their part of the {now} that may wait for devices",
                self.call.device.key.product
            ),
            NoRoom::Account => format!("calls of the account have their part of the {now} that may wait for devices"),
        }
    }

    pub(super) fn not_delivered(&self, error: DeliverError) -> CallError {
        match error {
            DeliverError::Offline => CallError::Offline(self.call.device.key.to_string()),
            DeliverError::Down => CallError::TransportDown,
            DeliverError::Lost => CallError::TransportLost,
            DeliverError::QueueFull(messages) => CallError::Overloaded(format!("{messages} messages wait to be sent")),
            DeliverError::TooLarge { .. } => CallError::TooLarge(error.to_string()),
            DeliverError::Refused(why) => CallError::NotDelivered(why),
        }
    }
}

/// Why a command could not be made durable, for the caller.
pub(super) fn not_recorded(error: JournalError) -> CallError {
    match error {
        JournalError::DeviceFull(waiting) => {
            CallError::Overloaded(format!("{waiting} commands wait for the device already"))
        }
        JournalError::QueueFull(waiting) => CallError::Overloaded(format!("{waiting} calls wait to be recorded")),
        // The store itself says it in the log, once for all calls.
        JournalError::Unwritable { why, in_doubt } => {
            CallError::NotRecorded { why, executed: if in_doubt { Executed::Maybe } else { Executed::No } }
        }
        JournalError::Store(_) | JournalError::IdInUse | JournalError::ReadersFull { .. } => {
            error!(%error, "asynchronous call not recorded");
            CallError::NotRecorded { why: "the store failed".to_owned(), executed: Executed::No }
        }
    }
}
