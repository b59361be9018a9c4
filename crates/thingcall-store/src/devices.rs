//! The devices that are called, in memory: as many as may be. The others are looked up in the database.
//!
//! **Invariants:** many that ask for one device at once ask the database once. A change wins over a read that was under
//! way: what was read before it is neither kept nor told to who asks after it. What is heard of a device is told by memory
//! at once, whether the device is in it or comes into it later. That there is no such device is kept for a moment.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use quick_cache::sync::{Cache, PlaceholderGuard};
use quick_cache::{DefaultHashBuilder, UnitWeighter};
use thingcall_core::{DeviceKey, DeviceRef, IotId, LookUp, LookUpFailed, SyncTopic};
use thingcall_tsl::{Route, Way};
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::change::Subject;
use crate::database::Database;
use crate::failure::Failure;
use crate::live::Heard;
use crate::memory::DeviceEntry;

mod counts;
mod heard;

use counts::Counts;
use heard::Unwritten;

/// How long it is believed that there is no such device; less, where devices were registered meanwhile.
const UNKNOWN_TIME: Duration = Duration::from_secs(5);

/// The devices in memory, and the way to the others.
#[derive(Debug)]
pub(crate) struct Devices {
    me: Weak<Self>,
    database: Arc<dyn Database>,
    known: Cache<DeviceKey, Slot<Arc<Known>>>,
    names: Cache<IotId, Slot<DeviceKey>>,
    /// Held while anything comes into `known` or is heard, never across an await.
    unwritten: Mutex<Unwritten>,
    /// How often devices were registered: what was unknown before may be known.
    added: AtomicU64,
    max: usize,
    look_up_timeout: Duration,
    pub(crate) counts: Counts,
}

/// What memory has under a name.
#[derive(Debug, Clone)]
enum Slot<T> {
    Known(T),
    /// There is none, as of so many registrations.
    Unknown {
        until: Instant,
        added: u64,
    },
}

/// A device in memory, and what calls learn of the way to it. Whoever calls it holds this, also after the device is gone.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) entry: DeviceEntry,
    devices: Weak<Devices>,
}

/// The right to look a device up. Dropped, the next one who waits has it.
type Right<'a> =
    PlaceholderGuard<'a, DeviceKey, Slot<Arc<Known>>, UnitWeighter, DefaultHashBuilder, DefaultLifecycle<Known>>;
type DefaultLifecycle<T> = quick_cache::sync::DefaultLifecycle<DeviceKey, Slot<Arc<T>>>;

impl Devices {
    /// None yet; so many at most.
    pub(crate) fn new(database: Arc<dyn Database>, max: usize, look_up_timeout: Duration) -> Arc<Self> {
        Arc::new_cyclic(|me| Self {
            me: me.clone(),
            database,
            known: Cache::new(max),
            names: Cache::new(max),
            unwritten: Mutex::default(),
            added: AtomicU64::new(0),
            max,
            look_up_timeout,
            counts: Counts::default(),
        })
    }

    /// How many are in memory.
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// Of how many something waits to be written.
    pub(crate) fn unwritten(&self) -> usize {
        self.lock().len()
    }

    /// Looks a device up, for what `of` makes of it.
    pub(crate) fn look_up<'a, T>(
        &'a self,
        target: &DeviceRef,
        of: impl FnOnce(Arc<Known>) -> Option<T> + Send + 'a,
    ) -> LookUp<'a, T> {
        if let Some(found) = self.in_memory(target) {
            self.counts.hits.fetch_add(1, Ordering::Relaxed);
            return LookUp::known(found.and_then(of));
        }
        let target = target.clone();
        LookUp::sought(async move { Ok(self.find(&target).await?.and_then(of)) })
    }

    /// What memory says of a device; `None` if it cannot say.
    fn in_memory(&self, target: &DeviceRef) -> Option<Option<Arc<Known>>> {
        match target {
            DeviceRef::Key(key) => self.fresh(self.known.get(key)?),
            DeviceRef::IotId(id) => match self.fresh(self.names.get(id)?)? {
                Some(key) => {
                    let known = self.fresh(self.known.get(&key)?)??;
                    (known.entry.device.iot_id == *id).then_some(Some(known))
                }
                None => Some(None),
            },
        }
    }

    /// The same of its entry alone, where it is there.
    pub(crate) fn peek(&self, key: &DeviceKey) -> Option<Arc<Known>> {
        match self.known.peek(key)? {
            Slot::Known(known) => Some(known),
            Slot::Unknown { .. } => None,
        }
    }

    fn fresh<T>(&self, slot: Slot<T>) -> Option<Option<T>> {
        match slot {
            Slot::Known(found) => Some(Some(found)),
            unknown @ Slot::Unknown { .. } => (!self.is_old(&unknown)).then_some(None),
        }
    }

    fn is_old<T>(&self, slot: &Slot<T>) -> bool {
        match slot {
            Slot::Known(_) => false,
            Slot::Unknown { until, added } => *added != self.added.load(Ordering::Acquire) || Instant::now() >= *until,
        }
    }

    fn slot<T>(found: Option<T>, added: u64) -> Slot<T> {
        found.map_or_else(|| Slot::Unknown { until: Instant::now() + UNKNOWN_TIME, added }, Slot::Known)
    }

    #[cold]
    async fn find(&self, target: &DeviceRef) -> Result<Option<Arc<Known>>, LookUpFailed> {
        self.counts.misses.fetch_add(1, Ordering::Relaxed);
        let looking = async {
            match target {
                DeviceRef::Key(key) => self.by_key(key).await,
                DeviceRef::IotId(id) => self.by_id(id).await,
            }
        };
        let why = match timeout(self.look_up_timeout, looking).await {
            Ok(Ok(found)) => return Ok(found),
            Ok(Err(failure)) => {
                warn!(device = %target, %failure, "a device could not be looked up");
                failure.trouble().to_string()
            }
            Err(_elapsed) => format!("the store did not answer within {:?}", self.look_up_timeout),
        };
        self.counts.failures.fetch_add(1, Ordering::Relaxed);
        Err(LookUpFailed(why))
    }

    async fn by_key(&self, key: &DeviceKey) -> Result<Option<Arc<Known>>, Failure> {
        loop {
            match self.known.get_value_or_guard_async(key).await {
                Ok(slot) => match self.fresh(slot) {
                    Some(found) => return Ok(found),
                    None => drop(self.known.remove_if(key, |slot| self.is_old(slot))),
                },
                Err(right) => {
                    if let Some(found) = self.read(key, right).await? {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// Reads a device into memory; `None` if it was changed meanwhile.
    async fn read(&self, key: &DeviceKey, right: Right<'_>) -> Result<Option<Option<Arc<Known>>>, Failure> {
        let _reading = Reading::begin(self, key);
        let added = self.added.load(Ordering::Acquire);
        let entry = self.database.device(key).await?;
        let unwritten = self.lock();
        if unwritten.is_old(key) {
            return Ok(None);
        }
        Ok(self.put(&unwritten, right, entry, added))
    }

    /// Puts into memory what was just read; `None` if a change came first.
    fn put(
        &self,
        unwritten: &Unwritten,
        right: Right<'_>,
        entry: Option<DeviceEntry>,
        added: u64,
    ) -> Option<Option<Arc<Known>>> {
        let found = entry.map(|entry| {
            unwritten.add_to(&entry.device.key, &entry.live);
            Arc::new(Known { entry, devices: self.me.clone() })
        });
        right.insert(Self::slot(found.clone(), added)).is_ok().then_some(found)
    }

    async fn by_id(&self, id: &IotId) -> Result<Option<Arc<Known>>, Failure> {
        let key = loop {
            match self.names.get_value_or_guard_async(id).await {
                Ok(slot) => match self.fresh(slot) {
                    Some(Some(key)) => break key,
                    Some(None) => return Ok(None),
                    None => drop(self.names.remove_if(id, |slot| self.is_old(slot))),
                },
                Err(right) => {
                    let (changes, added) = (self.lock().changes, self.added.load(Ordering::Acquire));
                    let entry = self.database.device_by_id(id).await?;
                    let key = entry.as_ref().map(|entry| entry.device.key.clone());
                    // Its name is a device's as long as there is that device, so nothing changes in between.
                    drop(right.insert(Self::slot(key, added)));
                    let Some(entry) = entry else { return Ok(None) };
                    let key = entry.device.key.clone();
                    self.put_found(entry, changes, added).await;
                    break key;
                }
            }
        };
        let found = self.by_key(&key).await?.filter(|known| known.entry.device.iot_id == *id);
        if found.is_none() {
            self.names.remove(id);
        }
        Ok(found)
    }

    /// Spares who found a device by its IotId a second read, unless anything was changed since.
    async fn put_found(&self, entry: DeviceEntry, changes: u64, added: u64) {
        let key = entry.device.key.clone();
        if let Err(right) = self.known.get_value_or_guard_async(&key).await {
            let unwritten = self.lock();
            if unwritten.changes == changes {
                let _put = self.put(&unwritten, right, Some(entry), added);
            }
        }
    }

    /// Takes note of what was heard of a device.
    pub(crate) fn hear(&self, key: &DeviceKey, heard: Heard) {
        let mut unwritten = self.lock();
        let is_news = match self.known.peek(key) {
            Some(Slot::Known(known)) => known.entry.live.take_in(&heard),
            Some(unknown @ Slot::Unknown { .. }) if !self.is_old(&unknown) => return,
            // What it was before is not known here.
            Some(Slot::Unknown { .. }) | None => !heard.is_sign(),
        };
        let heard = Heard { is_news, ..heard };
        if !unwritten.hear(key, heard, self.max) {
            self.counts.signs_lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The device answered on another topic than before.
    fn hear_topic(&self, key: &DeviceKey, topic: SyncTopic) {
        let heard = Heard { sync_topic: Some(topic), is_news: true, ..Heard::default() };
        let mut unwritten = self.lock();
        if let Some(Slot::Known(known)) = self.known.peek(key) {
            let _news = known.entry.live.take_in(&heard);
        }
        let _taken_in = unwritten.hear(key, heard, self.max);
    }

    /// Adds to an entry that was just read for somebody, and is not put into memory, what was heard of the device.
    pub(crate) fn add_heard(&self, entry: &DeviceEntry) {
        self.lock().add_to(&entry.device.key, &entry.live);
    }

    /// What was heard and is to be written; it stays until [`Devices::wrote`].
    pub(crate) fn take_heard(&self) -> Vec<(DeviceKey, Heard)> {
        self.lock().take()
    }

    /// It is written, and others were told of these.
    pub(crate) fn wrote(&self, told: &[Subject]) {
        let mut unwritten = self.lock();
        unwritten.wrote();
        for subject in told {
            match subject {
                Subject::Heard(device) => unwritten.told.tell(device.as_ref()),
                Subject::Product(_)
                | Subject::Added(_)
                | Subject::Device(_)
                | Subject::Disabled(_)
                | Subject::Removed(_)
                | Subject::Key(_)
                | Subject::Subscribed
                | Subject::Reader(_) => {}
            }
        }
    }

    /// Somebody heard of a device; `None`: of many.
    pub(crate) fn heard(&self, device: Option<&DeviceKey>) {
        let own = self.lock().told.is_own(device);
        match device {
            _ if own => {}
            Some(device) => self.changed(device),
            None => self.all_changed(),
        }
    }

    /// Whether other instances are to know what this one hears.
    pub(crate) fn are_shared(&self) -> bool {
        self.database.is_shared()
    }

    /// Devices were registered.
    pub(crate) fn added(&self) {
        self.added.fetch_add(1, Ordering::AcqRel);
    }

    /// A device's row was changed.
    pub(crate) fn changed(&self, key: &DeviceKey) {
        self.lock().is_changed(key);
        self.known.remove(key);
    }

    /// A device is gone.
    pub(crate) fn removed(&self, key: &DeviceKey) {
        self.lock().forget(key);
        self.known.remove(key);
    }

    /// Nobody knows what was changed.
    pub(crate) fn all_changed(&self) {
        self.added();
        self.lock().all_changed();
        self.known.clear();
        self.names.clear();
    }

    fn lock(&self) -> MutexGuard<'_, Unwritten> {
        self.unwritten.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Way for Known {
    fn route(&self) -> Route {
        self.entry.live.route()
    }

    fn answered(&self, topic: SyncTopic) -> bool {
        let is_new = self.entry.live.answered_on(topic);
        // Where this is the entry in memory, it has the topic by now.
        if is_new && let Some(devices) = self.devices.upgrade() {
            devices.hear_topic(&self.entry.device.key, topic);
        }
        is_new
    }

    fn unanswered(&self, before: u8) {
        self.entry.live.unanswered(before);
    }
}

/// Somebody reads a device.
struct Reading<'a> {
    devices: &'a Devices,
    key: &'a DeviceKey,
}

impl<'a> Reading<'a> {
    fn begin(devices: &'a Devices, key: &'a DeviceKey) -> Self {
        devices.lock().begin(key);
        Self { devices, key }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        self.devices.lock().end(self.key);
    }
}

#[cfg(test)]
mod tests;
