//! How late the server's own tasks come to run, watched while there are many calls.
//!
//! **Invariant:** one task looks at most, and it ends by itself soon after nobody asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Timers of the runtime are as coarse as a millisecond, so more often would say nothing.
const PAUSE: Duration = Duration::from_millis(10);

/// So often after it was asked for.
const LOOKS: usize = 10;

/// How late tasks run.
#[derive(Debug, Default)]
pub(crate) struct Lag(Arc<State>);

#[derive(Debug, Default)]
struct State {
    looks: AtomicBool,
    asked: AtomicBool,
    micros: AtomicU64,
}

impl Lag {
    /// As it was seen last; from now on it is looked at, until some time after nobody has asked. Needs a running tokio.
    pub(crate) fn now(&self) -> Duration {
        let state = &self.0;
        state.asked.store(true, Relaxed);
        if !state.looks.swap(true, Relaxed) {
            state.micros.store(0, Relaxed);
            tokio::spawn(look(self.0.clone()));
        }
        Duration::from_micros(state.micros.load(Relaxed))
    }
}

async fn look(state: Arc<State>) {
    while state.asked.swap(false, Relaxed) {
        for _ in 0..LOOKS {
            let due = Instant::now() + PAUSE;
            sleep_until(due).await;
            let late = Instant::now().saturating_duration_since(due);
            state.micros.store(u64::try_from(late.as_micros()).unwrap_or(u64::MAX), Relaxed);
        }
    }
    state.looks.store(false, Relaxed);
}

#[cfg(test)]
mod tests;
