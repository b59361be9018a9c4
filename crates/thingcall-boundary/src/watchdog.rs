//! Who is in plugin code, and since when: one thread looks, everybody else only leaves a mark.
//!
//! **Invariant:** entering plugin code costs a few relaxed stores: no lock, no clock, no allocation. The clock is the
//! watching thread's, in steps of [`TICK`].

use std::cell::Cell;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError, Weak};
use std::time::Duration;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::metrics::Series;
use crate::slots::lock;
use crate::whose::{Place, Whose, here_is};

const TICK: Duration = Duration::from_millis(10);

/// Milliseconds on the watching thread's clock; never 0.
static NOW_MS: AtomicU64 = AtomicU64::new(1);
static WATCH: OnceLock<Watch> = OnceLock::new();
static STARTED: Mutex<bool> = Mutex::new(false);

/// What the thread looks at.
#[derive(Default)]
struct Watch {
    watched: Mutex<Vec<Weak<Watched>>>,
    /// Wakes the thread when there is something to watch again.
    registered: Condvar,
    /// One for each thread that ever was in plugin code; those of threads that ended are used again.
    marks: Mutex<Marks>,
}

#[derive(Default)]
struct Marks {
    all: Vec<&'static Mark>,
    free: Vec<&'static Mark>,
}

/// Where one thread is.
#[derive(Debug, Default)]
struct Mark {
    /// When it entered plugin code; 0 = it is not there.
    since_ms: AtomicU64,
    /// Whose code it is in; null = nobody's.
    whose: Place,
    /// The stall that was reported, by its `since_ms`. Only the watching thread uses it.
    reported: AtomicU64,
}

/// A thread's mark; goes back when the thread ends.
struct OwnMark(Cell<Option<&'static Mark>>);

thread_local! {
    static MARK: OwnMark = const { OwnMark(Cell::new(None)) };
}

impl OwnMark {
    fn get(&self) -> &'static Mark {
        self.0.get().unwrap_or_else(|| {
            let mut marks = lock(&WATCH.get_or_init(Watch::default).marks);
            let mark = marks.free.pop().unwrap_or_else(|| {
                let mark: &'static Mark = Box::leak(Box::default());
                marks.all.push(mark);
                mark
            });
            here_is(Some(&mark.whose));
            self.0.set(Some(mark));
            mark
        })
    }
}

impl Drop for OwnMark {
    fn drop(&mut self) {
        // In plugin code a thread's destructors run where that called `exit`: the mark says so until the end.
        let outside = |mark: &&Mark| mark.whose.load(Ordering::Relaxed).is_null();
        if let (Some(mark), Some(watch)) = (self.0.get().filter(outside), WATCH.get()) {
            here_is(None);
            lock(&watch.marks).free.push(mark);
        }
    }
}

/// One generation, as the watching thread sees it.
#[derive(Debug)]
pub(crate) struct Watched {
    whose: &'static Whose,
    series: Arc<Series>,
    stall_warn_ms: u64,
    stall_open_ms: u64,
    stuck: AtomicBool,
    /// Held while [`Self::stuck`] and the plugin's gauge change.
    retired: Mutex<bool>,
}

/// In plugin code as long as it lives.
#[derive(Debug)]
#[must_use]
pub struct InPlugin {
    mark: Option<&'static Mark>,
    before: (u64, *mut Whose),
}

/// Marks this thread as running code of a library that has no generation yet, which nobody watches.
pub fn opening(whose: &'static Whose) -> InPlugin {
    enter(whose, 0)
}

fn enter(whose: &'static Whose, since_ms: u64) -> InPlugin {
    let Ok(mark) = MARK.try_with(OwnMark::get) else { return InPlugin { mark: None, before: (0, ptr::null_mut()) } };
    let before = (mark.since_ms.load(Ordering::Relaxed), mark.whose.load(Ordering::Relaxed));
    mark.whose.store(ptr::from_ref(whose).cast_mut(), Ordering::Relaxed);
    mark.since_ms.store(since_ms, Ordering::Release);
    InPlugin { mark: Some(mark), before }
}

impl Watched {
    /// Starts to watch.
    ///
    /// # Errors
    /// If there can be no thread for it.
    pub(crate) fn start(
        series: Arc<Series>,
        whose: &'static Whose,
        warn: Duration,
        open: Duration,
    ) -> std::io::Result<Arc<Self>> {
        let ms = |limit: Duration| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        let watched = Arc::new(Self {
            whose,
            series,
            stall_warn_ms: ms(warn),
            stall_open_ms: ms(open),
            stuck: AtomicBool::new(false),
            retired: Mutex::new(false),
        });
        let watch = WATCH.get_or_init(Watch::default);
        let mut started = lock(&STARTED);
        if !*started {
            drop(std::thread::Builder::new().name("plugin-watch".to_owned()).spawn(move || watch.run())?);
            *started = true;
        }
        lock(&watch.watched).push(Arc::downgrade(&watched));
        watch.registered.notify_one();
        Ok(watched)
    }

    /// Marks this thread as being in this generation's code.
    pub(crate) fn enter(&self) -> InPlugin {
        enter(self.whose, NOW_MS.load(Ordering::Relaxed))
    }

    /// Whether its code blocks a thread for longer than allowed.
    pub(crate) fn stuck(&self) -> bool {
        self.stuck.load(Ordering::Relaxed)
    }

    /// From now on it says nothing about the plugin's circuit: a newer generation does.
    pub(crate) fn retire(&self) {
        let mut retired = lock(&self.retired);
        if !std::mem::replace(&mut *retired, true) && self.stuck() {
            self.series.circuit_open.dec();
        }
    }

    fn set_stuck(&self, stuck: bool) {
        if self.stuck() == stuck {
            return;
        }
        {
            let retired = lock(&self.retired);
            self.stuck.store(stuck, Ordering::Relaxed);
            if !*retired {
                self.series.circuit_open.add(if stuck { 1 } else { -1 });
            }
        }
        let plugin = &*self.series.plugin;
        if stuck {
            warn!(plugin, limit_ms = self.stall_open_ms, "plugin code blocks its thread; its circuit is open");
        } else {
            info!(plugin, "plugin code returned; its circuit is closed");
        }
    }

    fn report(&self, held_ms: u64) {
        self.series.stalls.inc();
        warn!(plugin = &*self.series.plugin, held_ms, "plugin code holds its thread for too long");
    }
}

impl Drop for InPlugin {
    fn drop(&mut self) {
        if let Some(mark) = self.mark {
            mark.since_ms.store(self.before.0, Ordering::Release);
            mark.whose.store(self.before.1, Ordering::Relaxed);
        }
    }
}

impl Watch {
    fn run(&self) {
        let mut last = Instant::now();
        loop {
            let watched = self.watched();
            std::thread::sleep(TICK);
            let now = Instant::now();
            let passed = u64::try_from(now.duration_since(last).as_millis()).unwrap_or(0);
            // What is below a millisecond counts the next time.
            last += Duration::from_millis(passed);
            let now_ms = NOW_MS.fetch_add(passed, Ordering::Relaxed) + passed;
            self.look(&watched, now_ms);
        }
    }

    /// What is to be watched, once there is something.
    fn watched(&self) -> Vec<Arc<Watched>> {
        let mut watched = lock(&self.watched);
        loop {
            watched.retain(|one| one.strong_count() > 0);
            if !watched.is_empty() {
                return watched.iter().filter_map(Weak::upgrade).collect();
            }
            watched = self.registered.wait(watched).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn look(&self, watched: &[Arc<Watched>], now_ms: u64) {
        let marks = lock(&self.marks).all.clone();
        let mut stuck: Vec<*const Whose> = Vec::new();
        for mark in marks {
            let since = mark.since_ms.load(Ordering::Acquire);
            let whose = mark.whose.load(Ordering::Relaxed).cast_const();
            if since == 0 || mark.since_ms.load(Ordering::Acquire) != since {
                continue;
            }
            let Some(watched) = watched.iter().find(|one| ptr::eq(one.whose, whose)) else { continue };
            let held_ms = now_ms.saturating_sub(since);
            if held_ms >= watched.stall_warn_ms && mark.reported.swap(since, Ordering::Relaxed) != since {
                watched.report(held_ms);
            }
            if held_ms >= watched.stall_open_ms {
                stuck.push(whose);
            }
        }
        for one in watched {
            one.set_stuck(stuck.contains(&ptr::from_ref(one.whose)));
        }
    }
}

#[cfg(test)]
mod tests;
