//! Who hears what devices report, and room for what is on its way to them: so much at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge};
use strum::IntoStaticStr;
use thingcall_core::{DeviceKey, LastValues, MessageLog, NoMessages, PeerText, Post, PostKind, ReportWords, Said};
use thingcall_metrics::{Maker, gauge_of};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
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
    room: Arc<Semaphore>,
    room_bytes: Arc<Semaphore>,
    bytes_max: u32,
    /// For telling devices that there is none.
    pub(crate) refusing: Arc<Semaphore>,
    pub(crate) running: TaskTracker,
    pub(crate) turns: Arc<Turns>,
    pub(crate) results: EnumMap<PostKind, EnumMap<PostResult, IntCounter>>,
    pub(crate) answers: EnumMap<AnswerResult, IntCounter>,
    pub(crate) not_kept: IntCounter,
    pub(crate) unwritten: Unwritten,
    under_way: IntGauge,
    bytes_under_way: IntGauge,
}

/// What a post under way takes.
pub(crate) struct Room {
    _place: OwnedSemaphorePermit,
    _bytes: OwnedSemaphorePermit,
}

impl Posts {
    pub(crate) fn register(
        make: Maker<'_>,
        (max, bytes_max): (usize, usize),
        reports: Reports,
    ) -> Result<Self, prometheus::Error> {
        make.limit("posts_on_their_way_limit", "How many reports of devices may be under way to the store", max)?;
        make.limit(
            "posts_on_their_way_bytes_limit",
            "How many bytes of reports may be under way to the store",
            bytes_max,
        )?;
        let bytes_max = u32::try_from(bytes_max).unwrap_or(u32::MAX);
        Ok(Self {
            reports,
            room: Arc::new(Semaphore::new(max)),
            room_bytes: Arc::new(Semaphore::new(bytes_max as usize)),
            bytes_max,
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
            unwritten: Unwritten::default(),
            bytes_under_way: make
                .gauge("posts_on_their_way_bytes", "Bytes of reports of devices that are under way to the store")?,
            under_way: make.gauge("posts_on_their_way", "Reports of devices that are under way to the store")?,
        })
    }

    /// Room for one more, if there is any. One that is larger than all there may be takes all.
    pub(crate) fn room(&self, post: &Post) -> Option<Room> {
        let bytes = u32::try_from(taken_by(post)).unwrap_or(u32::MAX).min(self.bytes_max);
        let place = self.room.clone().try_acquire_owned().ok()?;
        let bytes = self.room_bytes.clone().try_acquire_many_owned(bytes).ok()?;
        Some(Room { _place: place, _bytes: bytes })
    }

    pub(crate) fn refresh_metrics(&self) {
        self.under_way.set(gauge_of(self.running.len()));
        let free = self.room_bytes.available_permits();
        self.bytes_under_way.set(gauge_of((self.bytes_max as usize).saturating_sub(free)));
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

/// What each value takes beside its bytes, from when it is read until it is in the words of its message.
const VALUE_BYTES: usize = 256;

/// About so many bytes of memory.
fn taken_by(post: &Post) -> usize {
    let values = match &post.said {
        Said::Properties(values) => values.len(),
        Said::Batch(series) => series.properties.len() + series.events.len(),
        Said::History { properties, events } => properties.iter().map(Vec::len).sum::<usize>() + events.len(),
        Said::TagsSet(tags) => tags.len(),
        Said::TagsRemoved(names) => names.len(),
        Said::Event(_) | Said::AsksTime(_) | Said::Custom { .. } | Said::Refused { .. } => 1,
    };
    post.bytes + values * VALUE_BYTES
}

/// How often it is said that reports were not written.
const TOLD_EVERY: Duration = Duration::from_secs(60);

/// Reports that were not written, and whose devices are answered nothing: said so often at most.
#[derive(Default)]
pub(crate) struct Unwritten(Mutex<(Option<Instant>, u64)>);

impl Unwritten {
    pub(crate) fn note(&self, device: &DeviceKey, topic: &str, why: &str) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (told, others) = &mut *state;
        if told.is_some_and(|told| told.elapsed() < TOLD_EVERY) {
            *others += 1;
            return;
        }
        let (topic, others) = (PeerText::new(topic), std::mem::take(others));
        *told = Some(Instant::now());
        warn!(
            %device, %topic, why, others,
            "a report was not written. Its message is not acknowledged, so it comes again; at QoS 0 it is lost"
        );
    }
}
