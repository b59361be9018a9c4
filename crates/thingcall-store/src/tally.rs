//! How many devices products have, without counting them for each page that is shown.
//!
//! **Invariants:** a number that memory has is right until devices are registered or removed, and what it has of statuses until
//! anything is heard of any: whoever takes over a change says so here. What was counted while there were changes is told to
//! whoever asked, and not kept. Many that ask at once count once.

use std::collections::HashMap;
use std::sync::{Mutex as StdMutex, MutexGuard, PoisonError};

use thingcall_core::ProductKey;
use thingcall_tsl::DeviceCounts;
use tokio::sync::Mutex;

use crate::database::Database;
use crate::failure::Failure;

/// What of the counts must be right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exact {
    /// How many there are.
    Number,
    /// How many there are of each status.
    Statuses,
}

/// What was counted. As many products are in it as there are.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    state: StdMutex<State>,
    /// Held by whoever counts.
    counting: Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    counted: HashMap<ProductKey, Counted>,
    /// How often devices were registered or removed.
    changes: u64,
    /// How often statuses changed.
    moves: u64,
}

#[derive(Debug, Clone, Copy)]
struct Counted {
    counts: DeviceCounts,
    exact: Exact,
}

/// What memory has, and of which products it has nothing.
struct Seen {
    known: HashMap<ProductKey, DeviceCounts>,
    missing: Vec<ProductKey>,
    changes: u64,
    moves: u64,
}

impl Tally {
    /// How many devices these products have, in their order.
    pub(crate) async fn of(
        &self,
        database: &dyn Database,
        products: &[ProductKey],
        exact: Exact,
    ) -> Result<Vec<DeviceCounts>, Failure> {
        let mut seen = self.seen(products, exact);
        if !seen.missing.is_empty() {
            let _counting = self.counting.lock().await;
            seen = self.seen(products, exact);
            self.count(database, &mut seen).await?;
        }
        Ok(products.iter().map(|product| seen.known.get(product).copied().unwrap_or_default()).collect())
    }

    async fn count(&self, database: &dyn Database, seen: &mut Seen) -> Result<(), Failure> {
        if seen.missing.is_empty() {
            return Ok(());
        }
        let mut counted = database.device_counts(&seen.missing).await?;
        let mut state = self.lock();
        for product in seen.missing.drain(..) {
            let counts = counted.remove(&product).unwrap_or_default();
            if state.changes == seen.changes {
                let exact = if state.moves == seen.moves { Exact::Statuses } else { Exact::Number };
                state.counted.insert(product.clone(), Counted { counts, exact });
            }
            seen.known.insert(product, counts);
        }
        Ok(())
    }

    fn seen(&self, products: &[ProductKey], exact: Exact) -> Seen {
        let state = self.lock();
        let mut seen = Seen { known: HashMap::new(), missing: Vec::new(), changes: state.changes, moves: state.moves };
        for product in products {
            match state.counted.get(product) {
                Some(counted) if exact == Exact::Number || counted.exact == Exact::Statuses => {
                    seen.known.insert(product.clone(), counted.counts);
                }
                Some(_) | None => seen.missing.push(product.clone()),
            }
        }
        seen
    }

    /// Devices of this product were registered or removed, or it is gone; `None`: of any.
    pub(crate) fn changed(&self, product: Option<&ProductKey>) {
        let mut state = self.lock();
        state.changes += 1;
        match product {
            Some(product) => drop(state.counted.remove(product)),
            None => state.counted.clear(),
        }
    }

    /// Devices of this product have another status; `None`: of any.
    pub(crate) fn moved(&self, product: Option<&ProductKey>) {
        let mut state = self.lock();
        state.moves += 1;
        match product {
            Some(product) => {
                if let Some(counted) = state.counted.get_mut(product) {
                    counted.exact = Exact::Number;
                }
            }
            None => state.counted.values_mut().for_each(|counted| counted.exact = Exact::Number),
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
