//! Tells those who watch a device of its coming and going.
//!
//! **Invariant:** all of it goes on to whom it is for, whether anybody watches or not.

use std::fmt::Display;
use std::sync::Arc;

use thingcall_core::{DeviceKey, Login, LookUp, PresenceSink, TransportName, UnixMillis};
use thingcall_engine::DeviceWatches;
use thingcall_store::Store;

/// Takes note of devices coming and going, and tells it.
pub(crate) struct Watched {
    store: Arc<Store>,
    watches: Arc<DeviceWatches>,
}

impl Watched {
    /// Of whom this store takes note.
    pub(crate) fn new(store: &Arc<Store>, watches: &Arc<DeviceWatches>) -> Arc<Self> {
        Arc::new(Self { store: store.clone(), watches: watches.clone() })
    }
}

impl PresenceSink for Watched {
    fn online(&self, device: &DeviceKey, transport: TransportName, address: Option<&str>, at: UnixMillis) {
        self.watches.connected(device, transport.as_str(), address);
        self.store.online(device, transport, address, at);
    }

    fn offline(&self, device: &DeviceKey, at: UnixMillis) {
        self.watches.left(device);
        self.store.offline(device, at);
    }

    fn seen(&self, device: &DeviceKey, transport: TransportName, at: UnixMillis) {
        self.store.seen(device, transport, at);
    }

    fn logged_in(&self, device: &DeviceKey, login: &Login<'_>, at: UnixMillis) {
        self.watches.connected(device, login.transport.as_str(), login.address);
        self.store.logged_in(device, login, at);
    }

    fn refused(&self, device: &DeviceKey, transport: TransportName, why: &dyn Display) {
        self.watches.refused(device, transport.as_str(), why);
        self.store.refused(device, transport, why);
    }

    fn first_is_written<'a>(&'a self, device: &'a DeviceKey) -> LookUp<'a, ()> {
        self.store.first_is_written(device)
    }
}
