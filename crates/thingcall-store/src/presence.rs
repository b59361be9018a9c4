//! Devices that come and go: memory knows at once, the file within a second. A process other than the server knows what
//! the file said when it opened it.

use std::sync::Arc;

use thingcall_core::{
    Credentials, DeviceCredential, DeviceKey, Login, LookUp, PresenceSink, TransportName, UnixMillis,
};

use crate::Store;
use crate::live::Seen;
use crate::memory::DeviceEntry;

impl Store {
    fn device_changed(&self, device: &DeviceKey, change: impl FnOnce(&mut Seen)) {
        if let Some(entry) = self.shared().memory.device_by_key(device) {
            self.shared().marked.change(&entry.device.iot_id, &entry.live, change);
        }
    }
}

impl Credentials for Store {
    fn credential(&self, device: &DeviceKey) -> LookUp<'_, DeviceCredential> {
        let entry = self.shared().memory.device_by_key(device);
        let credential =
            |entry: Arc<DeviceEntry>| DeviceCredential { secret: entry.secret.clone(), enabled: entry.device.enabled };
        LookUp::known(entry.map(credential))
    }
}

impl PresenceSink for Store {
    fn online(&self, device: &DeviceKey, transport: TransportName, address: Option<&str>, at: UnixMillis) {
        self.device_changed(device, |seen| {
            seen.online = true;
            seen.heard(Some(transport), address, at);
        });
    }

    fn offline(&self, device: &DeviceKey, at: UnixMillis) {
        self.device_changed(device, |seen| {
            seen.online = false;
            seen.heard(None, None, at);
        });
    }

    fn seen(&self, device: &DeviceKey, transport: TransportName, at: UnixMillis) {
        self.device_changed(device, |seen| seen.heard(Some(transport), None, at));
    }

    fn logged_in(&self, device: &DeviceKey, login: &Login<'_>, at: UnixMillis) {
        self.device_changed(device, |seen| {
            // A broker that passes on no client id says nothing of the topic.
            seen.sync_topic = login.sync_topic.or(seen.sync_topic);
            seen.heard(Some(login.transport), login.address, at);
        });
    }
}
