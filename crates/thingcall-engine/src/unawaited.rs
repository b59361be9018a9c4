//! Questions of applications' own whose answers nobody waits for: they are told to whoever wants messages of devices.
//!
//! **Invariants:** a question is here from before it leaves until its device answers, or until its time is over, and no more of
//! them than may be. An answer counts once, and only from the device that was asked. Nothing here outlives this process.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use hashlink::LinkedHashMap;
use prometheus::{IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_core::{CallId, Device, DeviceKey};
use thingcall_metrics::{Maker, gauge_of};
use tokio::time::Instant;

use crate::Config;

/// What became of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Became {
    /// Its device answered.
    Answered,
    /// It did not in time.
    Expired,
}

/// The questions that have no answer yet, the oldest first.
pub(crate) struct Unawaited {
    open: Mutex<LinkedHashMap<CallId, (Arc<Device>, Instant)>>,
    /// As many as there are: mostly none, and then nothing is locked.
    count: AtomicUsize,
    max: usize,
    timeout: Duration,
    gauge: IntGauge,
    ended: EnumMap<Became, IntCounter>,
}

/// A question that is about to leave. Dropped, it did not.
pub(crate) struct Asked<'a> {
    all: &'a Unawaited,
    id: Option<CallId>,
}

impl Unawaited {
    pub(crate) fn register(make: Maker<'_>, config: &Config) -> Result<Self, prometheus::Error> {
        let (max, timeout) = (config.unawaited_questions_max.get(), config.unawaited_answer_timeout);
        make.limit("unawaited_questions_limit", "How many questions of AsyncRRpc may be without an answer", max)?;
        let help = "Questions of AsyncRRpc that ended, by how";
        Ok(Self {
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            max,
            timeout,
            gauge: make.gauge("unawaited_questions", "Questions of AsyncRRpc that have no answer yet")?,
            ended: make.counters("unawaited_questions_total", help, ["result"])?,
        })
    }

    /// Takes in a question; how many there may be, if there are as many.
    pub(crate) fn open(&self, id: CallId, device: &Arc<Device>) -> Result<Asked<'_>, usize> {
        let now = Instant::now();
        let mut open = self.lock();
        self.forget_old(&mut open, now);
        let room = open.len() < self.max;
        if room {
            open.insert(id, (device.clone(), now));
        }
        self.counted(&open);
        if room { Ok(Asked { all: self, id: Some(id) }) } else { Err(self.max) }
    }

    /// Whether there is one of this id.
    pub(crate) fn contains(&self, id: CallId) -> bool {
        self.any() && self.lock().contains_key(&id)
    }

    /// Whether this device was asked under this id.
    pub(crate) fn waits_for(&self, device: &DeviceKey, id: CallId) -> bool {
        self.any()
            && self.lock().get(&id).is_some_and(|(asked, at)| asked.key == *device && at.elapsed() < self.timeout)
    }

    /// The device answers under this id; whether it was asked.
    pub(crate) fn answered(&self, device: &DeviceKey, id: CallId) -> bool {
        let asked = self.waits_for(device, id);
        if asked && self.remove(id) {
            self.ended[Became::Answered].inc();
            return true;
        }
        false
    }

    /// Forgets those whose time is over: to be called now and then.
    pub(crate) fn sweep(&self) {
        if self.any() {
            let mut open = self.lock();
            self.forget_old(&mut open, Instant::now());
            self.counted(&open);
        }
    }

    fn any(&self) -> bool {
        self.count.load(Ordering::Relaxed) > 0
    }

    fn remove(&self, id: CallId) -> bool {
        let mut open = self.lock();
        let removed = open.remove(&id).is_some();
        self.counted(&open);
        removed
    }

    fn forget_old(&self, open: &mut LinkedHashMap<CallId, (Arc<Device>, Instant)>, now: Instant) {
        while open.front().is_some_and(|(_, (_, at))| now - *at >= self.timeout) {
            open.pop_front();
            self.ended[Became::Expired].inc();
        }
    }

    fn counted(&self, open: &LinkedHashMap<CallId, (Arc<Device>, Instant)>) {
        self.count.store(open.len(), Ordering::Relaxed);
        self.gauge.set(gauge_of(open.len()));
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, LinkedHashMap<CallId, (Arc<Device>, Instant)>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Asked<'_> {
    /// It left.
    pub(crate) fn left(mut self) {
        self.id = None;
    }
}

impl Drop for Asked<'_> {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.all.remove(id);
        }
    }
}
