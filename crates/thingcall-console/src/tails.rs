//! How many pages may follow what happens at once.
//!
//! **Invariant:** a [`Place`] is taken exactly as long as it is held, and never more than `live_tails_max` are.

use std::sync::Arc;

use prometheus::{IntCounter, IntGauge, Registry};
use thingcall_metrics::Maker;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// All places there are.
#[derive(Debug)]
pub(crate) struct Tails {
    max: usize,
    places: Arc<Semaphore>,
    taken: IntGauge,
    refused: IntCounter,
}

/// One that is taken.
#[derive(Debug)]
pub(crate) struct Place {
    taken: IntGauge,
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
            taken: make.gauge("console_live_tails", "Pages of the console that follow what happens")?,
            refused: make.counter(
                "console_live_tails_refused_total",
                "Pages of the console that could not follow, since so many did already",
            )?,
        })
    }

    /// A place; if there is none left, how many there are.
    pub(crate) fn take(&self) -> Result<Place, usize> {
        let permit = self.places.clone().try_acquire_owned().map_err(|_| {
            self.refused.inc();
            self.max
        })?;
        self.taken.inc();
        Ok(Place { taken: self.taken.clone(), _permit: permit })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.taken.dec();
    }
}
