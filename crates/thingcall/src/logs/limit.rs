//! How much is logged, whoever causes it: lines of a kind in a second, and bytes of a line.
//!
//! **Invariant:** what a peer sends, however often, makes no more than the configured lines of each kind in a second and
//! one that says how many were left out. A kind is a place in the code; for lines of plugins, with the plugin.

use std::collections::HashMap;
use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::Registry;
use thingcall_core::PeerText;
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber, warn};
use tracing_subscriber::layer::{Context, Layer};

use super::by_level::ByLevel;

/// The time within which lines are counted.
const WINDOW: Duration = Duration::from_secs(1);
/// More kinds than these are counted as one: places in the code are far fewer.
const KINDS_MAX: usize = 4096;
/// The lines that tell what was left out.
const TARGET: &str = "thingcall::logs::left_out";

/// Lets lines pass, or not. Shared by the layer and the one that tells what was left out.
#[derive(Clone)]
pub(super) struct Limit(Arc<Kinds>);

struct Kinds {
    lines_max: u32,
    kinds: Mutex<HashMap<u64, Kind>>,
    left_out: ByLevel,
}

/// Lines of one kind, in the present window.
struct Kind {
    since: Instant,
    lines: u32,
    left_out: u64,
    /// What the first line that was left out was about.
    about: String,
}

impl Limit {
    /// Lets so many lines of a kind pass in a second.
    ///
    /// # Errors
    /// If its metric is registered already.
    pub(super) fn new(lines_max: u32, registry: &Registry) -> Result<Self, prometheus::Error> {
        let about = "Lines not logged, since too many of their kind came within a second";
        let left_out = ByLevel::register("log_messages_left_out_total", about, registry)?;
        Ok(Self(Arc::new(Kinds { lines_max, kinds: Mutex::default(), left_out })))
    }

    /// Tells, each second, what was left out, for as long as the program runs.
    pub(super) async fn tell(self) {
        let mut ticks = tokio::time::interval(WINDOW);
        loop {
            ticks.tick().await;
            // Not under the lock: these lines pass the limit too.
            for (lines, about) in self.closed(Instant::now()) {
                warn!(target: TARGET, lines, about, "lines of one kind were left out");
            }
        }
    }

    /// Closes the windows that are over: how many lines each left out, and what about.
    fn closed(&self, now: Instant) -> Vec<(u64, String)> {
        let mut kinds = self.kinds();
        let over = |kind: &Kind| now.saturating_duration_since(kind.since) >= WINDOW;
        let left_out = |kind: &Kind| (kind.left_out > 0).then(|| (kind.left_out, kind.about.clone()));
        let told = kinds.values().filter(|kind| over(kind)).filter_map(left_out).collect();
        kinds.retain(|_, kind| !over(kind));
        told
    }

    fn passes(&self, event: &Event<'_>, now: Instant) -> bool {
        let mut kinds = self.kinds();
        let mut id = id(event);
        if kinds.len() >= KINDS_MAX && !kinds.contains_key(&id) {
            id = 0;
        }
        let fresh = || Kind { since: now, lines: 0, left_out: 0, about: String::new() };
        let kind = kinds.entry(id).or_insert_with(fresh);
        // What a window left out is told when it is closed, not lost with it.
        if kind.left_out == 0 && now.saturating_duration_since(kind.since) >= WINDOW {
            *kind = fresh();
        }
        if kind.lines < self.0.lines_max {
            kind.lines += 1;
            return true;
        }
        if kind.left_out == 0 {
            kind.about = about(event);
        }
        kind.left_out += 1;
        self.0.left_out.inc(*event.metadata().level());
        false
    }

    /// Nothing that is done under this lock can panic half way.
    fn kinds(&self) -> MutexGuard<'_, HashMap<u64, Kind>> {
        self.0.kinds.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S: Subscriber> Layer<S> for Limit {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        event.metadata().target() == TARGET || self.passes(event, Instant::now())
    }
}

/// What tells kinds apart.
fn id(event: &Event<'_>) -> u64 {
    let mut source = Source(DefaultHasher::new());
    event.metadata().callsite().hash(&mut source.0);
    event.record(&mut source);
    source.0.finish()
}

/// Reads who a line is from, where its place in the code does not say that: all lines of the `log` crate, and all of
/// plugins, come from one place.
struct Source(DefaultHasher);

impl Visit for Source {
    fn record_str(&mut self, field: &Field, value: &str) {
        if matches!(field.name(), "log.target" | "plugin") {
            value.hash(&mut self.0);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        if field.name() == "log.line" {
            value.hash(&mut self.0);
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
}

/// A line's message.
fn about(event: &Event<'_>) -> String {
    struct Message(String);
    impl Visit for Message {
        fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
            if field.name() == "message" {
                // Writing into a string does not fail.
                let _ = write!(self.0, "{value:?}");
            }
        }
    }
    let mut message = Message(String::new());
    event.record(&mut message);
    PeerText::new(&message.0).to_string()
}

#[cfg(test)]
mod tests;
