//! Which way leads to a device.

use std::sync::{Arc, PoisonError, RwLock};

use thingcall_core::{DeviceKey, Presence, Transport};

/// The attached transports, the default one first.
#[derive(Default)]
pub(crate) struct Transports {
    attached: RwLock<Vec<Arc<dyn Transport>>>,
}

impl Transports {
    pub(crate) fn attach(&self, transport: Arc<dyn Transport>) {
        self.attached.write().unwrap_or_else(PoisonError::into_inner).push(transport);
    }

    pub(crate) fn any_ready(&self) -> bool {
        self.attached.read().unwrap_or_else(PoisonError::into_inner).iter().any(|transport| transport.ready())
    }

    /// The transport the device is connected through; else the first that cannot tell, since the device may be there;
    /// else the first, which knows that the device is away and may keep the message for it.
    pub(crate) fn choose(&self, device: &DeviceKey) -> Option<Arc<dyn Transport>> {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        let [only] = attached.as_slice() else {
            let mut unsure = None;
            for transport in attached.iter() {
                match transport.presence(device) {
                    Presence::Online => return Some(transport.clone()),
                    Presence::Unknown => unsure = unsure.or(Some(transport)),
                    Presence::Offline => {}
                }
            }
            return unsure.or(attached.first()).cloned();
        };
        Some(only.clone())
    }
}
