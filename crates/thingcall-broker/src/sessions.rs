//! Who is connected.
//!
//! **Invariants:** a device has one current connection or none. A client id belongs to one device at a time, from its
//! login on, so rmqtt, which knows sessions by client id, never hands one device's session to another. A device is
//! reported offline only when no login of it is under way: a takeover is not seen as an absence.
//!
//! The maps are touched by plain functions only, one at a time; no guard outlives its statement.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use rmqtt::types::{ClientId, Id};
use thingcall_core::{DeviceKey, PresenceSink, TransportName, UnixMillis};
use tokio::time::Instant;

use crate::connection::Connection;

/// The connected devices.
pub(crate) struct Sessions {
    devices: DashMap<DeviceKey, Slot>,
    clients: DashMap<ClientId, Claim>,
    presence: Arc<dyn PresenceSink>,
    /// How long a login may take until its connection is there.
    login_time: Duration,
    closed: AtomicBool,
}

/// A device that is connected or logs in.
#[derive(Default)]
struct Slot {
    current: Option<Arc<Connection>>,
    /// The login under way, and until when it counts.
    login: Option<(ClientId, Instant)>,
    /// The connection ended while a login was under way, so the device still counts as online.
    handover: bool,
}

/// A client id in use.
struct Claim {
    device: DeviceKey,
    ext_rrpc: bool,
    until: Instant,
    connection: Option<Arc<Connection>>,
}

/// What ended with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// The device is offline.
    Offline,
    /// The device logs in again at this moment.
    Handover,
    /// It was not the device's current connection.
    Stale,
}

/// The client id is in use by another device, or nobody may log in any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Taken;

impl Sessions {
    pub(crate) fn new(presence: Arc<dyn PresenceSink>, login_time: Duration) -> Self {
        Self { devices: DashMap::new(), clients: DashMap::new(), presence, login_time, closed: AtomicBool::new(false) }
    }

    /// Refuses logins from now on.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// Whether logins are accepted.
    pub(crate) fn is_open(&self) -> bool {
        !self.closed.load(Ordering::Acquire)
    }

    /// A device proved itself: takes the client id for it.
    pub(crate) fn login(
        &self,
        device: &DeviceKey,
        client_id: &ClientId,
        ext_rrpc: bool,
        now: Instant,
    ) -> Result<(), Taken> {
        if !self.is_open() {
            return Err(Taken);
        }
        let until = now + self.login_time;
        self.claim(client_id, device, ext_rrpc, (now, until))?;
        let abandoned = {
            let mut slot = self.devices.entry(device.clone()).or_default();
            slot.login.replace((client_id.clone(), until)).map(|(client_id, _)| client_id)
        };
        if let Some(abandoned) = abandoned.filter(|abandoned| abandoned != client_id) {
            self.clients.remove_if(&abandoned, |_, claim| claim.device == *device && claim.connection.is_none());
        }
        Ok(())
    }

    fn claim(
        &self,
        client_id: &ClientId,
        device: &DeviceKey,
        ext_rrpc: bool,
        (now, until): (Instant, Instant),
    ) -> Result<(), Taken> {
        match self.clients.entry(client_id.clone()) {
            Entry::Vacant(free) => {
                drop(free.insert(Claim { device: device.clone(), ext_rrpc, until, connection: None }));
                Ok(())
            }
            Entry::Occupied(mut held) => {
                let claim = held.get_mut();
                if claim.device != *device {
                    if claim.connection.is_some() || claim.until > now {
                        return Err(Taken);
                    }
                    claim.device = device.clone();
                }
                (claim.ext_rrpc, claim.until) = (ext_rrpc, until);
                Ok(())
            }
        }
    }

    /// The device whose login took this client id, and whether it takes calls on `/ext/rrpc/...`.
    pub(crate) fn claimed(&self, client_id: &ClientId) -> Option<(DeviceKey, bool)> {
        self.clients.get(client_id).map(|claim| (claim.device.clone(), claim.ext_rrpc))
    }

    /// The connection is there. The one it takes over from, if any.
    pub(crate) fn enter(&self, connection: &Arc<Connection>, address: Option<&str>) -> Option<Arc<Connection>> {
        if let Some(mut claim) = self.clients.get_mut(&connection.id.client_id) {
            claim.connection = Some(connection.clone());
            claim.until = Instant::now();
        }
        let old = {
            let mut slot = self.devices.entry(connection.device.clone()).or_default();
            (slot.login, slot.handover) = (None, false);
            // Under the slot's lock, as in `leave`: the sink sees online and offline in the order they happened.
            self.presence.online(&connection.device, TransportName::EMBEDDED, address, UnixMillis::now());
            slot.current.replace(connection.clone())
        };
        if let Some(old) = &old {
            old.gone.cancel();
            self.release(old);
        }
        old
    }

    /// The connection ended.
    pub(crate) fn leave(&self, connection: &Arc<Connection>, now: Instant) -> Left {
        connection.gone.cancel();
        self.release(connection);
        let Entry::Occupied(mut slot) = self.devices.entry(connection.device.clone()) else { return Left::Stale };
        match &slot.get().current {
            Some(current) if current.id == connection.id => slot.get_mut().current = None,
            Some(_) | None => return Left::Stale,
        }
        if slot.get().login.as_ref().is_some_and(|(_, until)| *until > now) {
            slot.get_mut().handover = true;
            return Left::Handover;
        }
        self.presence.offline(&connection.device, UnixMillis::now());
        drop(slot.remove());
        Left::Offline
    }

    /// Frees the connection's client id, unless a login or another connection has it by now.
    fn release(&self, connection: &Arc<Connection>) {
        let now = Instant::now();
        let ours = |claim: &Claim| claim.connection.as_ref().is_some_and(|held| held.id == connection.id);
        if let Some(mut claim) = self.clients.get_mut(&connection.id.client_id)
            && ours(&claim)
        {
            claim.connection = None;
        }
        self.clients.remove_if(&connection.id.client_id, |_, claim| claim.connection.is_none() && claim.until <= now);
    }

    /// The current connection with this session, if it is a device's current one.
    pub(crate) fn of_session(&self, id: &Id) -> Option<Arc<Connection>> {
        let claim = self.clients.get(&id.client_id)?;
        claim.connection.as_ref().filter(|connection| connection.id == *id).cloned()
    }

    /// The device's connection.
    pub(crate) fn of_device(&self, device: &DeviceKey) -> Option<Arc<Connection>> {
        self.devices.get(device)?.current.as_ref().filter(|connection| !connection.is_closed()).cloned()
    }

    /// All current connections.
    pub(crate) fn all(&self) -> Vec<Arc<Connection>> {
        self.devices.iter().filter_map(|slot| slot.current.clone()).collect()
    }

    /// Clears what ended without a word. The connections whose session is over, and the devices whose takeover did
    /// not happen, which are now reported offline.
    pub(crate) fn sweep(&self, now: Instant) -> (Vec<Arc<Connection>>, Vec<DeviceKey>) {
        let mut over = Vec::new();
        let mut absent = Vec::new();
        self.devices.retain(|device, slot| {
            if let Some(connection) = slot.current.as_ref().filter(|connection| connection.is_closed()) {
                over.push(connection.clone());
            }
            slot.login.take_if(|(_, until)| *until <= now);
            let keep = slot.current.is_some() || slot.login.is_some();
            if !keep && slot.handover {
                self.presence.offline(device, UnixMillis::now());
                absent.push(device.clone());
            }
            keep
        });
        self.clients.retain(|_, claim| claim.connection.is_some() || claim.until > now);
        (over, absent)
    }
}

#[cfg(test)]
mod tests;
