//! Which devices are connected to a broker that tells of them.
//!
//! **Invariants:** a device is away when every connection of it that was heard of has ended, and nothing is known of one of
//! which nothing was heard. What is known ends with our own connection to the broker: nobody tells what happens meanwhile.

use std::hash::{BuildHasher, RandomState};
use std::sync::{PoisonError, RwLock, RwLockWriteGuard};

use enum_map::{Enum, EnumMap};
use hashlink::LruCache;
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::{DeviceKey, Presence, TransportName};
use thingcall_metrics::{Maker, gauge_of};

/// What a message about a connection was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Told {
    /// A device's connection began.
    Connected,
    /// A device's connection ended.
    Disconnected,
    /// It was of no device, or could not be read.
    Other,
}

/// A connection that the broker told of.
#[derive(Debug, Clone, Copy)]
pub struct Session<'a> {
    /// What the broker calls it.
    pub name: &'a str,
    /// When it began, in the broker's time, where the broker says so and one may follow another under one name.
    pub since: Option<i64>,
}

/// The devices that a broker told of.
#[derive(Debug)]
pub(crate) struct Devices {
    /// The connections, by a hash of their names that is keyed by chance.
    known: RwLock<Known>,
    hasher: RandomState,
    told: EnumMap<Told, IntCounter>,
    devices: IntGauge,
}

#[derive(Debug)]
struct Known {
    /// How many connections each has.
    devices: LruCache<DeviceKey, usize>,
    connections: LruCache<u64, (DeviceKey, Option<i64>)>,
}

impl Devices {
    /// Registers what is counted. At most so many devices are known: of further ones, the one that was quiet longest is
    /// forgotten.
    pub(crate) fn register(
        registry: &Registry,
        transport: TransportName,
        max: usize,
    ) -> Result<Self, prometheus::Error> {
        let make = Maker::of(registry, "transport", transport.as_str());
        make.limit("transport_presence_devices_limit", "Of how many devices the broker's word is kept", max)?;
        let known = Known { devices: LruCache::new(max), connections: LruCache::new(max.saturating_mul(2)) };
        Ok(Self {
            known: RwLock::new(known),
            hasher: RandomState::new(),
            told: make.counters(
                "transport_presence_events_total",
                "What the broker told of connections; other: it was of no device, or could not be read",
                ["kind"],
            )?,
            devices: make.gauge("transport_presence_devices", "Devices that the broker told of since we connected")?,
        })
    }

    /// Counts what was told.
    pub(crate) fn count(&self, told: Told) {
        self.told[told].inc();
    }

    /// What is known of a device.
    pub(crate) fn presence(&self, device: &DeviceKey) -> Presence {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        match known.devices.peek(device) {
            None => Presence::Unknown,
            Some(0) => Presence::Offline,
            Some(_) => Presence::Online,
        }
    }

    /// A connection of a device began.
    pub(crate) fn connected(&self, device: &DeviceKey, session: Session<'_>) {
        let mut known = self.lock();
        let connection = self.hasher.hash_one(session.name);
        if let Some((before, _)) = known.connections.remove(&connection) {
            known.one_less(&before);
        }
        known.connections.insert(connection, (device.clone(), session.since));
        let connections = known.devices.remove(device).unwrap_or(0);
        known.devices.insert(device.clone(), connections + 1);
        self.devices.set(gauge_of(known.devices.len()));
    }

    /// A connection ended: of this device, where that is said. Returns the device that is away now. Where nothing was heard of
    /// the device, the end of one connection tells that it is away only if it is `last`: another of it may be older than ours.
    pub(crate) fn disconnected(
        &self,
        device: Option<&DeviceKey>,
        session: Session<'_>,
        last: bool,
    ) -> Option<DeviceKey> {
        let mut known = self.lock();
        let connection = self.hasher.hash_one(session.name);
        let Some((of, since)) = known.connections.peek(&connection).cloned() else {
            let device = device.filter(|device| last && !known.devices.contains_key(device))?;
            known.devices.insert(device.clone(), 0);
            self.devices.set(gauge_of(known.devices.len()));
            return Some(device.clone());
        };
        // It had a successor under its name by then.
        if session.since.zip(since).is_some_and(|(ended, present)| ended < present) {
            return None;
        }
        known.connections.remove(&connection);
        (known.one_less(&of) == Some(0)).then_some(of)
    }

    /// Nothing is known any more.
    pub(crate) fn forget_all(&self) {
        let mut known = self.lock();
        known.devices.clear();
        known.connections.clear();
        self.devices.set(0);
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> RwLockWriteGuard<'_, Known> {
        self.known.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// One connection less of a device; how many are left, if it is known.
    fn one_less(&mut self, device: &DeviceKey) -> Option<usize> {
        let connections = self.devices.get_mut(device)?;
        *connections = connections.saturating_sub(1);
        Some(*connections)
    }
}

#[cfg(test)]
mod tests;
