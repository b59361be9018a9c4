//! Which slots of call ids this instance holds now.
//!
//! Whoever keeps the leases says so here; the path of a call and the transports ask. A server that is alone on its store
//! holds one slot for ever.
//!
//! **Invariant:** its own slot is among those that it holds, except while they are lost. A process that was stopped and goes
//! on makes no id in a slot that was over meanwhile, though nobody told it yet.

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::CallId;

/// The slots that are held, shared by whoever asks. Asking is one load.
#[derive(Debug, Clone, Default)]
pub struct Slots(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// A bit for each slot.
    held: AtomicU64,
    /// The slot of new ids, or [`NONE`].
    own: AtomicU8,
    /// When `own` is over, in nanoseconds from `origin`, or [`FOR_EVER`].
    until: AtomicU64,
    /// When a lease was first asked for.
    origin: OnceLock<Instant>,
}

/// No slot's number.
const NONE: u8 = u8::MAX;
/// Later than any instant.
const FOR_EVER: u64 = u64::MAX;

impl Default for Shared {
    fn default() -> Self {
        let (held, own, until) = (AtomicU64::new(0), AtomicU8::new(NONE), AtomicU64::new(FOR_EVER));
        Self { held, own, until, origin: OnceLock::new() }
    }
}

impl Slots {
    /// Those of a server that is alone on its store: this one.
    pub fn alone(slot: u8) -> Self {
        let slots = Self::default();
        slots.set_own(slot);
        slots
    }

    /// Whether the call is ours to end: its id is in a slot that is held.
    pub fn holds(&self, id: CallId) -> bool {
        self.0.held.load(Ordering::Relaxed) & bit(id.slot()) != 0
    }

    /// The slot of new calls' ids; `None` while there is none.
    pub fn own(&self) -> Option<u8> {
        Some(self.0.own.load(Ordering::Acquire)).filter(|slot| *slot != NONE)
    }

    /// The slot for the id of a call that begins now; `None` while there is none: the call may not be taken.
    pub fn own_at(&self, now: Instant) -> Option<u8> {
        let slot = self.own()?;
        let until = self.0.until.load(Ordering::Relaxed);
        (until == FOR_EVER || self.nanos(now) < until).then_some(slot)
    }

    /// All that are held, lowest first.
    pub fn held(&self) -> impl Iterator<Item = u8> + use<> {
        let held = self.0.held.load(Ordering::Relaxed);
        (0..=CallId::SLOT_MAX).filter(move |slot| held & bit(*slot) != 0)
    }

    /// From now on new calls get ids of this slot (its low 6 bits count).
    pub fn set_own(&self, slot: u8) {
        self.take(slot);
        self.0.own.store(slot & CallId::SLOT_MAX, Ordering::Release);
    }

    /// New calls get ids of the own slot for so long from `asked` on, when its lease was asked for.
    pub fn last(&self, asked: Instant, time: Duration) {
        let time = u64::try_from(time.as_nanos()).unwrap_or(FOR_EVER);
        self.0.until.store(self.nanos(asked).saturating_add(time), Ordering::Relaxed);
    }

    /// This one is held too: another instance's, whose calls are ours to end now.
    pub fn take(&self, slot: u8) {
        self.0.held.fetch_or(bit(slot), Ordering::Relaxed);
    }

    /// One of another instance is held no more.
    pub fn let_go(&self, slot: u8) {
        self.0.held.fetch_and(!bit(slot), Ordering::Relaxed);
    }

    /// None is held any more: first no call gets an id, then no reply is ours.
    pub fn let_go_of_all(&self) {
        self.0.own.store(NONE, Ordering::Release);
        self.0.held.store(0, Ordering::Relaxed);
    }

    /// From when a lease was first asked for.
    fn nanos(&self, instant: Instant) -> u64 {
        let origin = self.0.origin.get_or_init(|| instant);
        u64::try_from(instant.saturating_duration_since(*origin).as_nanos()).unwrap_or(FOR_EVER - 1)
    }
}

const fn bit(slot: u8) -> u64 {
    1 << (slot & CallId::SLOT_MAX)
}

#[cfg(test)]
mod tests;
