//! Devices that come and go: memory knows at once, the database within a second. A process other than the server knows
//! what the database said when it looked the device up.

use std::sync::atomic::Ordering;

use thingcall_core::{
    Credentials, DeviceCredential, DeviceKey, DeviceRef, Login, LookUp, MessageKind, PresenceSink, TransportName,
    UnixMillis,
};

use crate::Store;
use crate::live::Heard;
use crate::turns::Turn;

impl Credentials for Store {
    fn credential(&self, device: &DeviceKey) -> LookUp<'_, DeviceCredential> {
        self.shared().devices.look_up(&DeviceRef::Key(device.clone()), |known| {
            let (secret, enabled) = (known.entry.secret.clone(), known.entry.device.enabled);
            Some(DeviceCredential { secret, enabled })
        })
    }
}

impl PresenceSink for Store {
    fn online(&self, device: &DeviceKey, transport: TransportName, address: Option<&str>, at: UnixMillis) {
        let address = address.map(str::to_owned);
        self.turns(device, at, Heard { online: Some(true), came_from: Some(transport), address, ..Heard::came(at) });
    }

    fn offline(&self, device: &DeviceKey, at: UnixMillis) {
        self.turns(device, at, Heard { online: Some(false), ..Heard::sign(at) });
    }

    fn seen(&self, device: &DeviceKey, transport: TransportName, at: UnixMillis) {
        self.shared().devices.hear(device, Heard { came_from: Some(transport), ..Heard::sign(at) });
    }

    fn logged_in(&self, device: &DeviceKey, login: &Login<'_>, at: UnixMillis) {
        let Login { transport, sync_topic, address } = *login;
        let address = address.map(str::to_owned);
        // A broker that passes on no client id says nothing of the topic.
        let heard = Heard { came_from: Some(transport), sync_topic, address, ..Heard::came(at) };
        self.shared().devices.hear(device, heard);
    }
}

impl Store {
    /// A device came or went. Is noted as a turn, too, if anybody wants to know; whether it was one is seen where it is
    /// written.
    fn turns(&self, device: &DeviceKey, at: UnixMillis, heard: Heard) {
        let shared = self.shared();
        let online = heard.online.filter(|_| shared.tells(&device.product, MessageKind::Status).is_some());
        let Some(online) = online else { return shared.devices.hear(device, heard) };
        let last_at = shared.devices.last_heard(device);
        let turn = Turn { device: device.clone(), online, at, address: heard.address.clone(), last_at };
        let max = shared.config.messages.append_queue_messages_max.get();
        if !shared.turns.push(turn, max, || shared.devices.hear(device, heard)) {
            shared.log.counts.turns_lost.fetch_add(1, Ordering::Relaxed);
        }
    }
}
