//! Devices that come and go: memory knows at once, the database within a second. A process other than the server knows
//! what the database said when it looked the device up.
//!
//! **Invariant:** a device that may come for its secret is not let in the first time before that is written: who comes again after a
//! crash is told nothing.

use std::sync::atomic::Ordering;

use thingcall_core::{
    Credentials, DeviceCredential, DeviceKey, DeviceRef, Login, LookUp, LookUpFailed, MessageKind, PresenceSink,
    TransportName, UnixMillis,
};

use crate::Store;
use crate::live::Heard;
use crate::turns::Turn;

/// What was heard of a device is written long before so many milliseconds are over, unless it cannot be.
const WRITTEN_WITHIN_MS: i64 = 60_000;

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

    fn first_is_written<'a>(&'a self, device: &'a DeviceKey) -> LookUp<'a, ()> {
        let shared = self.shared();
        let product = shared.memory.product(&device.product);
        let tells = product.is_some_and(|product| product.settings.registration.is_some());
        let recent = UnixMillis(UnixMillis::now().0.saturating_sub(WRITTEN_WITHIN_MS));
        let known = shared.devices.peek(device);
        let first = known.is_none_or(|known| known.entry.live.seen().activated_at.is_none_or(|at| at >= recent));
        if !tells || !first {
            return LookUp::known(None);
        }
        LookUp::sought(async move {
            self.flush().await;
            let row = self.shared().reads.device(device).await;
            let row = row.map_err(|problem| LookUpFailed(problem.trouble().to_string()))?;
            if row.is_none_or(|row| row.live.seen().activated_at.is_some()) {
                return Ok(None);
            }
            Err(LookUpFailed("it cannot be written that the device has logged in".to_owned()))
        })
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
