//! How many pages may follow what happens at once.
//!
//! **Invariant:** a [`Place`] is taken exactly as long as it is held, and never more than `live_tails_max` are, nor of one key than half of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use prometheus::{IntCounter, IntGauge, Registry};
use thingcall_metrics::Maker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All places there are.
#[derive(Debug)]
pub(crate) struct Tails {
    max: usize,
    places: Arc<Semaphore>,
    /// How many each key has.
    of_keys: OfKeys,
    taken: IntGauge,
    refused: IntCounter,
}

type OfKeys = Arc<Mutex<HashMap<String, usize>>>;

/// One that is taken.
#[derive(Debug)]
pub(crate) struct Place {
    taken: IntGauge,
    key: String,
    of_keys: OfKeys,
    _permit: OwnedSemaphorePermit,
}

impl Tails {
    /// So many.
    pub(crate) fn new(max: usize, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        let max = max.min(Semaphore::MAX_PERMITS);
        make.limit("console_live_tails_limit", "How many of these there may be", max)?;
        Ok(Self {
            max,
            places: Arc::new(Semaphore::new(max)),
            of_keys: OfKeys::default(),
            taken: make.gauge("console_live_tails", "Pages of the console that follow what happens")?,
            refused: make.counter(
                "console_live_tails_refused_total",
                "Pages of the console that could not follow, since so many did already",
            )?,
        })
    }

    /// A place; if there is none left, how many there are.
    pub(crate) fn take(&self, key: &str) -> Result<Place, usize> {
        let mut of_keys = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        // One key leaves places to others.
        if of_keys.get(key).is_some_and(|taken| *taken >= self.max.div_ceil(2)) {
            self.refused.inc();
            return Err(self.max.div_ceil(2));
        }
        let permit = self.places.clone().try_acquire_owned().map_err(|_| {
            self.refused.inc();
            self.max
        })?;
        self.taken.inc();
        *of_keys.entry(key.to_owned()).or_default() += 1;
        let (key, of_keys) = (key.to_owned(), self.of_keys.clone());
        Ok(Place { taken: self.taken.clone(), key, of_keys, _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.dec();
        let mut of_keys = self.of_keys.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = of_keys.get_mut(&self.key) {
            *taken -= 1;
            if *taken == 0 {
                of_keys.remove(&self.key);
            }
        }
    }
}
