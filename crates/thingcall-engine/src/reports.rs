//! Who hears what devices report, and room for what is on its way to them: so much at once.

use std::sync::Arc;
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_core::{LastValues, MessageLog, NoMessages, PostKind, ReportWords};
use thingcall_metrics::{Maker, gauge_of};
use tokio::sync::Semaphore;
use tokio_util::task::TaskTracker;
use tracing::warn;

use crate::post_turns::Turns;

/// Who hears what devices report.
#[derive(Clone)]
pub struct Reports {
    /// Where it is written for those who want it.
    pub log: Arc<dyn MessageLog>,
    /// In which words.
    pub words: Arc<dyn ReportWords>,
    /// Who keeps the last value of each property.
    pub last: Arc<dyn LastValues>,
}

impl Default for Reports {
    /// Nobody.
    fn default() -> Self {
        Self { log: Arc::new(NoMessages), words: Arc::new(NoMessages), last: Arc::new(NoMessages) }
    }
}

/// What became of a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum PostResult {
    /// It is told to whoever wants it.
    Taken,
    /// It cannot be read, or nobody here does anything with it.
    Refused,
    /// There is no such device, or it is disabled.
    Denied,
    /// It could not be written.
    Failed,
    /// There was no room for it.
    Overloaded,
}

/// What became of an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum AnswerResult {
    Sent,
    Failed,
}

/// The posts under way.
pub(crate) struct Posts {
    pub(crate) reports: Reports,
    pub(crate) room: Arc<Semaphore>,
    /// For telling devices that there is none.
    pub(crate) refusing: Arc<Semaphore>,
    pub(crate) running: TaskTracker,
    pub(crate) turns: Arc<Turns>,
    pub(crate) results: EnumMap<PostKind, EnumMap<PostResult, IntCounter>>,
    pub(crate) answers: EnumMap<AnswerResult, IntCounter>,
    pub(crate) not_kept: IntCounter,
    under_way: IntGauge,
}

impl Posts {
    pub(crate) fn register(make: Maker<'_>, max: usize, reports: Reports) -> Result<Self, prometheus::Error> {
        make.limit("posts_on_their_way_limit", "How many reports of devices may be under way to the store", max)?;
        Ok(Self {
            reports,
            room: Arc::new(Semaphore::new(max)),
            refusing: Arc::new(Semaphore::new(max)),
            running: TaskTracker::new(),
            turns: Arc::default(),
            results: make.counters(
                "posts_total",
                "What devices said by themselves, and what became of it",
                ["kind", "result"],
            )?,
            answers: make.counters("post_answers_total", "Answers to what devices said by themselves", ["result"])?,
            not_kept: make.counter(
                "last_values_not_kept_total",
                "Posts whose values were not kept as the last ones, since too many waited",
            )?,
            under_way: make.gauge("posts_on_their_way", "Reports of devices that are under way to the store")?,
        })
    }

    pub(crate) fn refresh_metrics(&self) {
        self.under_way.set(gauge_of(self.running.len()));
    }

    /// Takes no more, and waits for those under way, at most `within`.
    pub(crate) async fn finish(&self, within: Duration) {
        self.running.close();
        if tokio::time::timeout(within, self.running.wait()).await.is_err() {
            warn!(
                posts = self.running.len(),
                "reports of devices were not written in time; their devices got no answer"
            );
        }
    }
}
