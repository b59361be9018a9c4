//! A generation's own threads: plugin code that blocks, blocks these alone.
//!
//! **Invariant:** the queue is bounded by those who fill it: a call or the plugin's own timers are in it at most once,
//! a translation holds a permit of the generation.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

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
    /// Whether a thread looks for work before it sleeps. What is queued meanwhile needs to wake nobody.
    looking: bool,
    closed: bool,
}

/// How often a thread looks for work, letting others run in between, before it sleeps. Under load a call's next step is
/// there within microseconds, and waking a thread costs more than a few looks.
const LOOKS: u32 = 32;

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

    /// Queues work. Wakes a thread only if one sleeps and none looks.
    pub(crate) fn push(&self, work: Arc<dyn Work>) {
        let mut state = lock(&self.state);
        state.queue.push_back(work);
        self.wake(state);
    }

    /// Wakes a thread for what is queued, unless one looks for it anyway.
    fn wake(&self, mut state: MutexGuard<'_, State>) {
        let wake = state.asleep > 0 && !state.looking && !state.queue.is_empty();
        state.asleep -= usize::from(wake);
        drop(state);
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
            state = match state.looking {
                true => self.sleep(state),
                false => match self.look(state) {
                    Ok(work) => return Some(work),
                    Err(state) => self.sleep(state),
                },
            };
        }
    }

    fn sleep<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        // Queued, or closed, since it was last looked.
        if !state.queue.is_empty() || state.closed {
            return state;
        }
        state.asleep += 1;
        self.work.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks for work for a moment. Whoever finds some may block in it, so what is left is another's to take.
    fn look<'a>(&'a self, mut state: MutexGuard<'a, State>) -> Result<Arc<dyn Work>, MutexGuard<'a, State>> {
        state.looking = true;
        for _ in 0..LOOKS {
            drop(state);
            std::thread::yield_now();
            state = lock(&self.state);
            if let Some(work) = state.queue.pop_front() {
                state.looking = false;
                self.wake(state);
                return Ok(work);
            }
        }
        state.looking = false;
        Err(state)
    }
}
