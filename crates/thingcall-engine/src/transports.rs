//! Which way leads to a device.

use std::sync::{Arc, PoisonError, RwLock};

use thingcall_core::{Device, DeviceKey, Presence, Transport, TransportKind, TransportName};
use thingcall_tsl::{ProductSettings, Route};

/// The attached transports.
pub(crate) struct Transports {
    attached: RwLock<Vec<Arc<dyn Transport>>>,
    /// The one for devices of which nothing is known.
    default: Option<TransportName>,
}

/// Why there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NoWay {
    /// No transport is attached.
    Nothing,
    /// The one that was set for the device or its product is not attached.
    NotHere(TransportName),
}

impl Transports {
    pub(crate) fn new(default: Option<TransportName>) -> Self {
        Self { attached: RwLock::default(), default }
    }

    pub(crate) fn attach(&self, transport: Arc<dyn Transport>) {
        self.attached.write().unwrap_or_else(PoisonError::into_inner).push(transport);
    }

    /// The one of this name.
    pub(crate) fn named(&self, name: TransportName) -> Option<Arc<dyn Transport>> {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        attached.iter().find(|transport| transport.name() == name).cloned()
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<Arc<dyn Transport>> {
        self.attached.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether devices are reached through the embedded broker alone.
    pub(crate) fn only_embedded(&self) -> bool {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        !attached.is_empty() && attached.iter().all(|transport| transport.kind() == TransportKind::Embedded)
    }

    /// Tells all of them that other slots are held than before.
    pub(crate) fn slots_changed(&self) {
        self.all().iter().for_each(|transport| transport.slots_changed());
    }

    /// What each of them knows of a device's connection.
    pub(crate) fn presence(&self, device: &DeviceKey) -> Vec<(TransportName, Presence)> {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        attached.iter().map(|transport| (transport.name(), transport.presence(device))).collect()
    }

    /// Why a transport of this kind is not ready, and which; `None` if all are.
    pub(crate) fn failure(&self, kind: TransportKind) -> Option<(TransportName, String)> {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        let mut of_kind = attached.iter().filter(|transport| transport.kind() == kind);
        of_kind.find_map(|transport| Some((transport.name(), transport.failure()?)))
    }

    /// The transport that was set for the device, else for its product; else the only one, else the one it is connected
    /// through or last came from, else the default.
    pub(crate) fn choose(
        &self,
        device: &Device,
        settings: &ProductSettings,
        route: impl FnOnce() -> Route,
    ) -> Result<Arc<dyn Transport>, NoWay> {
        let attached = self.attached.read().unwrap_or_else(PoisonError::into_inner);
        let named = |name| attached.iter().find(|transport| transport.name() == name);
        let set = device.transport.or(settings.transport);
        let set = set.map(|name| named(name).ok_or(NoWay::NotHere(name))).transpose()?;
        let only = if let [only] = attached.as_slice() { Some(only) } else { None };
        let online = || attached.iter().find(|transport| transport.presence(&device.key) == Presence::Online);
        let last = || route().last.and_then(named);
        let chosen = set.or(only).or_else(online).or_else(last);
        let chosen = chosen.or_else(|| self.default.and_then(named)).or_else(|| unheard_of(&attached, device));
        chosen.cloned().ok_or(NoWay::Nothing)
    }
}

/// For a device that was never heard of: the first transport that cannot tell, since the device may be there; else the
/// first, which knows that the device is away and may keep the message for it.
fn unheard_of<'a>(attached: &'a [Arc<dyn Transport>], device: &Device) -> Option<&'a Arc<dyn Transport>> {
    let unsure = attached.iter().find(|transport| transport.presence(&device.key) == Presence::Unknown);
    unsure.or(attached.first())
}

#[cfg(test)]
mod tests;
