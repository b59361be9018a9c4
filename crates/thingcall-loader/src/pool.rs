//! A generation's own threads: plugin code that blocks, blocks these alone.
//!
//! **Invariant:** the queue is bounded by those who fill it: a call or the plugin's own timers are in it at most once,
//! a translation holds a permit of the generation.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use crate::slots::lock;

/// Something to run; says whether it has more to do after the others had their turn.
pub(crate) trait Work: Send + Sync {
    /// Runs for a while.
    fn run(self: Arc<Self>) -> More;
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum More {
    Yes,
    No,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Arc<dyn Work>>,
    /// Threads that wait and were not yet told to wake.
    asleep: usize,
    closed: bool,
}

/// The queue and its threads.
#[derive(Default)]
pub(crate) struct Pool {
    state: Mutex<State>,
    work: Condvar,
}

impl std::fmt::Debug for Pool {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pool").field("queued", &lock(&self.state).queue.len()).finish_non_exhaustive()
    }
}

impl Pool {
    /// Starts so many threads, named after the plugin.
    ///
    /// # Errors
    /// If a thread cannot be made; those made before end.
    pub(crate) fn start(plugin: &str, threads: u16) -> std::io::Result<Arc<Self>> {
        let pool = Arc::new(Self::default());
        for _ in 0..threads.max(1) {
            let own = pool.clone();
            let started = std::thread::Builder::new().name(format!("plugin-{plugin}")).spawn(move || own.serve());
            if let Err(error) = started {
                pool.close();
                return Err(error);
            }
        }
        Ok(pool)
    }

    /// Queues work. Wakes a thread only if one sleeps.
    pub(crate) fn push(&self, work: Arc<dyn Work>) {
        let wake = {
            let mut state = lock(&self.state);
            state.queue.push_back(work);
            let wake = state.asleep > 0;
            state.asleep -= usize::from(wake);
            wake
        };
        if wake {
            self.work.notify_one();
        }
    }

    /// Lets the threads end when the queue is empty.
    pub(crate) fn close(&self) {
        lock(&self.state).closed = true;
        self.work.notify_all();
    }

    fn serve(&self) {
        while let Some(work) = self.next() {
            if work.clone().run() == More::Yes {
                self.push(work);
            }
        }
    }

    fn next(&self) -> Option<Arc<dyn Work>> {
        let mut state = lock(&self.state);
        loop {
            if let Some(work) = state.queue.pop_front() {
                return Some(work);
            }
            if state.closed {
                return None;
            }
            state.asleep += 1;
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
