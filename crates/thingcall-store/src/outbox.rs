//! The outbox: QoS 1 commands that wait for their device.
//!
//! **Invariant:** [`WaitingCommands`] holds exactly the records that the outbox would deliver. Touched under the write lock
//! only.

use std::collections::{HashMap, HashSet};

use thingcall_core::{CallId, DeviceKey, JournalEntry, JournalError, Qos, RecordState, TransportKind};

/// Whether a command waits for its device (`columns::waiting` is the same in SQL): at QoS 1, not acknowledged, not ended, and on its way through no other transport
/// than the embedded broker.
pub(crate) const fn waits(qos: Qos, state: RecordState, transport: Option<TransportKind>) -> bool {
    let here = match transport {
        None | Some(TransportKind::Embedded) => true,
        Some(TransportKind::Mqtt | TransportKind::Amqp | TransportKind::Plugin) => false,
    };
    match (qos, state) {
        (Qos::AtLeastOnce, RecordState::Queued | RecordState::Sent) => here,
        (Qos::AtLeastOnce, RecordState::Acked | RecordState::Ended) | (Qos::AtMostOnce, _) => false,
    }
}

/// Whether a new call's command waits.
pub(crate) fn is_kept(entry: &JournalEntry) -> bool {
    let state = if entry.answer.is_some() { RecordState::Ended } else { RecordState::Queued };
    waits(entry.delivery.qos, state, None)
}

/// The commands that wait.
#[derive(Debug)]
pub(crate) struct WaitingCommands {
    devices: HashMap<DeviceKey, HashSet<CallId>>,
    calls: usize,
    calls_per_device_max: usize,
    calls_max: usize,
}

impl WaitingCommands {
    /// None yet.
    pub(crate) fn new(calls_per_device_max: usize, calls_max: usize) -> Self {
        Self { devices: HashMap::new(), calls: 0, calls_per_device_max, calls_max }
    }

    /// Takes in a new command if there is room for it.
    pub(crate) fn admit(&mut self, (device, id): &(DeviceKey, CallId)) -> Result<(), JournalError> {
        if self.devices.get(device).is_some_and(|ids| ids.contains(id)) {
            return Err(JournalError::IdInUse);
        }
        if self.of(device) >= self.calls_per_device_max {
            return Err(JournalError::DeviceFull(self.calls_per_device_max));
        }
        if self.calls >= self.calls_max {
            return Err(JournalError::QueueFull(self.calls_max));
        }
        self.insert(device.clone(), *id);
        Ok(())
    }

    /// Takes in a command that is in the file, room or not.
    pub(crate) fn insert(&mut self, device: DeviceKey, id: CallId) {
        if self.devices.entry(device).or_default().insert(id) {
            self.calls += 1;
        }
    }

    /// Those in the database, in place of those here.
    pub(crate) fn replace(&mut self, commands: Vec<(DeviceKey, CallId)>) {
        (self.devices, self.calls) = (HashMap::new(), 0);
        commands.into_iter().for_each(|(device, id)| self.insert(device, id));
    }

    /// The command waits no more.
    pub(crate) fn leave(&mut self, (device, id): &(DeviceKey, CallId)) {
        let Some(ids) = self.devices.get_mut(device) else { return };
        if ids.remove(id) {
            self.calls -= 1;
        }
        if ids.is_empty() {
            self.devices.remove(device);
        }
    }

    /// The device is gone.
    pub(crate) fn forget(&mut self, device: &DeviceKey) {
        self.calls -= self.devices.remove(device).map_or(0, |ids| ids.len());
    }

    /// How many wait for this device.
    pub(crate) fn of(&self, device: &DeviceKey) -> usize {
        self.devices.get(device).map_or(0, HashSet::len)
    }

    /// How many wait in all.
    pub(crate) fn len(&self) -> usize {
        self.calls
    }
}
