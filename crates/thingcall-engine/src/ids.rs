//! Where call ids come from.

use std::sync::atomic::{AtomicU32, Ordering};

use thingcall_core::CallId;

/// Counts up from a random point, so that ids of calls before a restart, or of a slot's holder before, do not come back soon.
#[derive(Debug)]
pub(crate) struct IdSource {
    counter: AtomicU32,
}

impl IdSource {
    pub(crate) fn new() -> Self {
        Self::starting_at(fastrand::u32(..))
    }

    pub(crate) fn starting_at(counter: u32) -> Self {
        Self { counter: AtomicU32::new(counter) }
    }

    /// The next id in this slot that is not `in_use`.
    pub(crate) fn next(&self, slot: u8, in_use: impl Fn(CallId) -> bool) -> CallId {
        loop {
            let id = CallId::new(slot, self.counter.fetch_add(1, Ordering::Relaxed));
            if id.is_devices_count() {
                self.counter.fetch_add(CallId::DEVICES_COUNTS, Ordering::Relaxed);
            } else if !in_use(id) {
                return id;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_in_use_is_passed_over() {
        let ids = IdSource::starting_at(7);
        let busy = [CallId::new(3, 7), CallId::new(3, 8)];
        assert_eq!(ids.next(3, |id| busy.contains(&id)), CallId::new(3, 9));
    }

    #[test]
    fn no_call_gets_an_id_where_devices_count() {
        let ids = IdSource::starting_at(0);
        assert!(!ids.next(0, |_| false).is_devices_count());
        let ids = IdSource::starting_at(CallId::DEVICES_COUNTS - 1);
        assert!(!ids.next(0, |_| false).is_devices_count());
        assert_eq!(IdSource::starting_at(0).next(1, |_| false), CallId::new(1, 0));
    }

    #[test]
    fn the_counter_wraps_within_its_slot() {
        let ids = IdSource::starting_at((1 << 26) - 1);
        assert_eq!(ids.next(63, |_| false), CallId::new(63, (1 << 26) - 1));
        let wrapped = ids.next(63, |_| false);
        assert_eq!((wrapped.slot(), wrapped), (63, CallId::new(63, 0)));
    }
}
