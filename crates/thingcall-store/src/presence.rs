//! Devices that come and go: memory knows at once, the file within a second. A process other than the server knows what
//! the file said when it opened it.

use thingcall_core::{
    Credentials, DeviceCredential, DeviceKey, Login, PresenceSink, SyncTopic, TransportName, UnixMillis,
};

use crate::Store;
use crate::live::Seen;

impl Store {
    /// The device answered, on this topic if that is known. Says whether the topic is new.
    pub(crate) fn device_answered(&self, device: &DeviceKey, topic: Option<SyncTopic>) -> bool {
        let Some(entry) = self.shared().memory.device_by_key(device) else { return false };
        let known = {
            let mut state = entry.live.lock();
            state.unanswered = 0;
            state.seen.sync_topic
        };
        let Some(topic) = topic.filter(|topic| known != Some(*topic)) else { return false };
        let mut is_new = false;
        self.shared().marked.change(&entry, |seen| is_new = seen.sync_topic.replace(topic) != Some(topic));
        is_new
    }

    /// It did not answer a call that was made when so many had not been answered.
    pub(crate) fn device_missed(&self, device: &DeviceKey, before: u8) {
        if let Some(entry) = self.shared().memory.device_by_key(device) {
            let mut state = entry.live.lock();
            if state.unanswered == before {
                state.unanswered = before.wrapping_add(1);
            }
        }
    }

    fn device_changed(&self, device: &DeviceKey, change: impl FnOnce(&mut Seen)) {
        if let Some(entry) = self.shared().memory.device_by_key(device) {
            self.shared().marked.change(&entry, change);
        }
    }
}

impl Credentials for Store {
    fn credential(&self, device: &DeviceKey) -> Option<DeviceCredential> {
        let entry = self.shared().memory.device_by_key(device)?;
        Some(DeviceCredential { secret: entry.secret.clone(), enabled: entry.device.enabled })
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
