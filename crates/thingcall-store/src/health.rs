//! Whether the store can be written: for callers, readiness, metrics and the log, from one place.
//!
//! **Invariant:** it is told in trouble at the first failure, and well only after a write as large as a call's succeeded.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use enum_map::EnumMap;
use thingcall_core::Condition;
use tracing::{error, info, warn};

use crate::failure::Failure;
use crate::place::Place;
use crate::trouble::Trouble;

/// The state of one store.
#[derive(Debug)]
pub(crate) struct Health {
    place: Place,
    trouble: Mutex<Option<Trouble>>,
    /// The write-ahead log is as long as it may be.
    log_full: AtomicBool,
    failures: EnumMap<Trouble, AtomicU64>,
    /// Where readiness is told, in a server.
    condition: OnceLock<Arc<Condition>>,
}

impl Health {
    /// That of a store that was never seen to fail.
    pub(crate) fn new(place: Place) -> Self {
        Self {
            place,
            trouble: Mutex::new(None),
            log_full: AtomicBool::new(false),
            failures: EnumMap::default(),
            condition: OnceLock::new(),
        }
    }

    /// From now on this condition follows it.
    pub(crate) fn follow(&self, condition: Arc<Condition>) {
        let condition = self.condition.get_or_init(|| condition);
        self.show(condition, *self.lock());
    }

    /// Something failed on the write connection.
    pub(crate) fn fails(&self, problem: &Failure) -> Trouble {
        let trouble = problem.trouble();
        self.count(trouble);
        let before = self.lock().replace(trouble);
        if before != Some(trouble) {
            let (path, advice) = (&self.place, trouble.advice());
            error!(%path, %problem, advice, "{trouble}: it cannot be written");
        }
        self.tell();
        trouble
    }

    /// Room for a call was written.
    pub(crate) fn works(&self) {
        if self.lock().take().is_some() {
            info!(path = %self.place, "the store is written again");
        }
        self.tell();
    }

    /// Why it cannot be written, as far as was seen.
    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.lock().or_else(|| self.log_full().then_some(Trouble::Log))
    }

    /// Whether writes failed, and none succeeded since.
    pub(crate) fn failing(&self) -> bool {
        self.lock().is_some()
    }

    /// Whether the database was not there when it was last tried: it is tried each second.
    pub(crate) fn unreachable(&self) -> bool {
        *self.lock() == Some(Trouble::Unreachable)
    }

    /// Whether new calls are refused because of the write-ahead log.
    pub(crate) fn log_full(&self) -> bool {
        self.log_full.load(Ordering::Relaxed)
    }

    /// The write-ahead log is as long as it may be, or not any more.
    pub(crate) fn set_log_full(&self, full: bool) {
        if self.log_full.swap(full, Ordering::Relaxed) == full {
            return;
        }
        let path = &self.place;
        if full {
            self.count(Trouble::Log);
            warn!(%path, advice = Trouble::Log.advice(), "{}: new asynchronous calls are refused", Trouble::Log);
        } else {
            info!(%path, "the store's write-ahead log is short again");
        }
        self.tell();
    }

    /// How often it failed so.
    pub(crate) fn failures(&self, trouble: Trouble) -> u64 {
        self.failures[trouble].load(Ordering::Relaxed)
    }

    fn count(&self, trouble: Trouble) {
        self.failures[trouble].fetch_add(1, Ordering::Relaxed);
    }

    fn tell(&self) {
        if let Some(condition) = self.condition.get() {
            self.show(condition, self.trouble());
        }
    }

    fn show(&self, condition: &Condition, trouble: Option<Trouble>) {
        match trouble {
            None => condition.holds(),
            Some(trouble) => condition.fails(format!("{trouble} ({}): {}", self.place, trouble.advice())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Trouble>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
