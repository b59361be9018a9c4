//! Who watches what happens to devices.
//!
//! **Invariants:** while nobody watches, what happens costs one look at a counter. Whoever tells never waits: a watch that is not read
//! loses what comes, and is told how much. There are as many watches as somebody holds, who bounds them.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use thingcall_core::{
    DeliverError, Delivery, DeviceEvent, DeviceKey, DeviceWatch, Dropped, Happened, PeerText, Seen, Sent,
    TransportName, UnixMillis,
};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// How many events wait for one watch.
const EVENTS_MAX: usize = 256;
/// How many it is given at once.
const AT_ONCE: usize = 64;
/// As much of a topic, or of a reason, is told as a topic of ours can have.
const TEXT_CHARS_MAX: usize = 200;

/// All watches.
#[derive(Debug, Default)]
pub struct DeviceWatches {
    count: AtomicUsize,
    all: Mutex<Vec<Arc<Watched>>>,
}

#[derive(Debug)]
struct Watched {
    device: DeviceKey,
    out: Sender<DeviceEvent>,
    missed: AtomicU64,
}

impl DeviceWatches {
    /// Begins to watch a device.
    pub fn watch(self: &Arc<Self>, device: DeviceKey) -> Box<dyn DeviceWatch> {
        let (out, events) = channel(EVENTS_MAX);
        let watched = Arc::new(Watched { device, out, missed: AtomicU64::new(0) });
        self.all().push(watched.clone());
        self.count.fetch_add(1, Ordering::Relaxed);
        Box::new(Watch { all: self.clone(), watched, events })
    }

    /// Tells those who watch this device; `what` is made only for them.
    fn tell(&self, device: &DeviceKey, by: &'static str, what: impl FnOnce() -> Happened) {
        if self.count.load(Ordering::Relaxed) > 0 {
            self.tell_them(device, by, what);
        }
    }

    #[cold]
    fn tell_them(&self, device: &DeviceKey, by: &'static str, what: impl FnOnce() -> Happened) {
        let all = self.all();
        let mut watching = all.iter().filter(|watched| watched.device == *device).peekable();
        if watching.peek().is_none() {
            return;
        }
        let event = DeviceEvent { at: UnixMillis::now(), by, what: what() };
        for watched in watching {
            if watched.out.try_send(event.clone()).is_err() {
                watched.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// A device connected, from this address where that is known.
    pub fn connected(&self, device: &DeviceKey, by: &'static str, address: Option<&str>) {
        self.tell(device, by, || Happened::Connected(address.map(cut)));
    }

    /// Somebody who said to be this device was not let in.
    pub fn refused(&self, device: &DeviceKey, by: &'static str, why: &dyn fmt::Display) {
        self.tell(device, by, || Happened::Refused(cut(why)));
    }

    /// A device's last connection ended.
    pub fn left(&self, device: &DeviceKey) {
        self.tell(device, "", || Happened::Left);
    }

    /// This was sent to a device, or could not be.
    pub(crate) fn sent(&self, delivery: &Delivery, by: TransportName, sent: &Result<Sent, DeliverError>) {
        self.tell(&delivery.device.key, by.as_str(), || {
            let topic = delivery.letter.as_ref().and_then(|letter| letter.to.topic());
            let what = cut(topic.map_or_else(|| delivery.service.to_string(), str::to_owned));
            match sent {
                Ok(_) => Happened::Sent(what),
                Err(why) => Happened::NotSent { what, why: cut(why) },
            }
        });
    }

    /// A device published this.
    pub(crate) fn published(&self, device: &DeviceKey, by: &'static str, (topic, bytes): (&str, usize)) {
        self.tell(device, by, || Happened::Published { topic: cut(topic), bytes });
    }

    /// A message of a device led to nothing.
    pub(crate) fn dropped(&self, dropped: &Dropped<'_>) {
        let Dropped { device, transport, reason, topic, bytes, problem } = *dropped;
        let Some(device) = device else { return };
        self.tell(device, transport.as_str(), || {
            let problem = problem.map(cut);
            Happened::Dropped { reason, topic: cut(topic), bytes, problem }
        });
    }

    /// Nothing that is done under this lock can panic half way.
    fn all(&self) -> MutexGuard<'_, Vec<Arc<Watched>>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A text as it is told.
fn cut(text: impl fmt::Display) -> String {
    PeerText::at_most(&text.to_string(), TEXT_CHARS_MAX).to_string()
}

struct Watch {
    all: Arc<DeviceWatches>,
    watched: Arc<Watched>,
    events: Receiver<DeviceEvent>,
}

#[async_trait]
impl DeviceWatch for Watch {
    async fn next(&mut self) -> Seen {
        let mut events = Vec::new();
        self.events.recv_many(&mut events, AT_ONCE).await;
        // What there was no room for came behind all that wait.
        let missed = if self.events.is_empty() { self.watched.missed.swap(0, Ordering::Relaxed) } else { 0 };
        Seen { events, missed }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.all.all().retain(|other| !Arc::ptr_eq(other, &self.watched));
        self.all.count.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests;
