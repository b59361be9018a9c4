//! Which filters each key asks for, and how many it may.
//!
//! **Invariant:** a filter counts for as long as what it wants is written for its readers: while there is one, and until nobody can
//! come again any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;
use thingcall_metrics::gauge_of;
use thingcall_subscription::LiveReader;
use tokio::time::Instant;

/// Those of all keys.
#[derive(Debug)]
pub(super) struct Filters {
    max: usize,
    gauge: IntGauge,
    /// By key, and by what it is for.
    of: Mutex<HashMap<String, HashMap<String, Used>>>,
}

/// How a filter is used.
#[derive(Debug)]
struct Used {
    streams: usize,
    /// Kept up until then, where there is no stream.
    until: Instant,
}

/// One stream's use of a filter.
#[derive(Debug)]
pub(super) struct Use {
    filters: Arc<Filters>,
    key: String,
    purpose: String,
    /// Whether what it wants is written.
    is_kept_up: bool,
}

impl Filters {
    pub(super) fn new(max: usize, gauge: IntGauge) -> Arc<Self> {
        Arc::new(Self { max, gauge, of: Mutex::default() })
    }

    /// A stream of this key's begins; `None`: the key has as many filters as it may, and this is none of them.
    pub(super) fn begin(self: &Arc<Self>, key: &str, purpose: &str) -> Option<Use> {
        let (mut of, now) = (self.lock(), Instant::now());
        of.retain(|_, filters| {
            filters.retain(|_, used| used.streams > 0 || used.until > now);
            !filters.is_empty()
        });
        let filters = of.entry(key.to_owned()).or_default();
        let begins = filters.contains_key(purpose) || filters.len() < self.max;
        if begins {
            let used = filters.entry(purpose.to_owned()).or_insert(Used { streams: 0, until: now });
            used.streams += 1;
        }
        self.gauge.set(gauge_of(of.values().map(HashMap::len).sum()));
        begins.then(|| Use {
            filters: self.clone(),
            key: key.to_owned(),
            purpose: purpose.to_owned(),
            is_kept_up: false,
        })
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, HashMap<String, HashMap<String, Used>>> {
        self.of.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Use {
    /// From now on what it wants is written for it.
    pub(super) fn keeps_up(&mut self) {
        self.is_kept_up = true;
    }
}

impl Drop for Use {
    fn drop(&mut self) {
        let mut of = self.filters.lock();
        if let Some(used) = of.get_mut(&self.key).and_then(|filters| filters.get_mut(&self.purpose)) {
            used.streams = used.streams.saturating_sub(1);
            if self.is_kept_up {
                used.until = Instant::now() + LiveReader::LIFE;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    //! How many there may be, and how long each counts.

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_key_has_so_many_filters_and_each_counts_until_nobody_can_come_again() {
        let filters = Filters::new(2, IntGauge::new("n", "n").unwrap());
        let begin = |key, purpose| {
            let mut begun = filters.begin(key, purpose)?;
            begun.keeps_up();
            Some(begun)
        };
        drop(filters.begin("k", "none"));
        let stays = begin("k", "a").unwrap();
        drop((begin("k", "a").unwrap(), begin("k", "b").unwrap()));
        assert!(begin("k", "c").is_none(), "who read b may come again");
        drop((begin("k", "b").unwrap(), begin("other", "c").unwrap()));
        assert_eq!(filters.gauge.get(), 3);
        tokio::time::advance(LiveReader::LIFE).await;
        let _c = begin("k", "c").unwrap();
        assert!(begin("k", "b").is_none(), "a has a reader still");
        assert_eq!(filters.gauge.get(), 2);
        drop(stays);
        assert!(begin("k", "b").is_none());
        tokio::time::advance(LiveReader::LIFE).await;
        assert!(begin("k", "b").is_some());
    }
}
