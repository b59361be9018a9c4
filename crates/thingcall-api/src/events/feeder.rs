//! Reads the log for one reader, and hands on what it asked for.
//!
//! **Invariant:** nothing is passed over: where there is no room for an event it waits, and where that takes too long the
//! stream ends, with an event that says so behind everything that was handed on.

use std::ops::RangeInclusive;
use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{AccessKey, Keys, Message, MessageId, MessageLog, Subscriptions, UnixMillis};
use thingcall_subscription::{Envelope, LiveReader};
use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::{Duration, Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::body::{Chunk, Held};
use super::cursor::Cursor;
use super::filter::Filter;
use super::filters::Use;
use super::{Ended, Limits, Metrics};

/// How many messages are read at once.
const PAGE: usize = 64;
/// How long it waits at least between two looks that found all there was.
const LOOK_PAUSE: Duration = Duration::from_millis(100);
/// How often it is looked whether the key is still one.
const TICK: Duration = Duration::from_secs(1);
/// How often something is sent at least.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// One stream's task.
pub(super) struct Feeder {
    pub(super) log: Arc<dyn MessageLog>,
    pub(super) subscriptions: Arc<dyn Subscriptions>,
    pub(super) keys: Arc<dyn Keys>,
    pub(super) key_id: String,
    pub(super) filter: Filter,
    pub(super) live: Option<LiveReader>,
    pub(super) _use: Option<Use>,
    pub(super) tag: String,
    /// The place up to which everything was handed on.
    pub(super) after: i64,
    /// What was wanted may not have been written for a while.
    pub(super) gap: bool,
    pub(super) out: Out,
    pub(super) stopping: CancellationToken,
}

/// The way to the body.
pub(super) struct Out {
    chunks: UnboundedSender<Chunk>,
    room: Arc<Semaphore>,
    limits: Limits,
    metrics: Metrics,
    spoke: Instant,
}

impl Out {
    pub(super) fn new(chunks: UnboundedSender<Chunk>, limits: Limits, metrics: Metrics) -> Self {
        Self { chunks, room: Arc::new(Semaphore::new(limits.bytes_max)), limits, metrics, spoke: Instant::now() }
    }

    /// Hands this on, once there is room for it.
    async fn send(&mut self, text: String) -> Result<(), Ended> {
        let bytes = text.len().min(self.limits.bytes_max);
        let permits = u32::try_from(bytes).unwrap_or(u32::MAX);
        let room = timeout(self.limits.slow_after, self.room.clone().acquire_many_owned(permits)).await;
        let room = room.map_err(|_| Ended::Slow)?.map_err(|_| Ended::Left)?;
        let held = Held::new(room, bytes, self.metrics.bytes.clone());
        self.spoke = Instant::now();
        self.chunks.send(Chunk { bytes: Bytes::from(text), held: Some(held) }).map_err(|_| Ended::Left)
    }

    /// The last event, for which there is always room.
    fn end(&self, why: Ended) {
        self.metrics.ended[why].inc();
        let (word, text): (&str, _) = (why.into(), why.text());
        let text = format!("event: end\ndata: {{\"why\":\"{word}\",\"text\":\"{text}\"}}\n\n");
        // Nobody is left to read it otherwise.
        self.chunks.send(Chunk { bytes: Bytes::from(text), held: None }).ok();
    }
}

impl Feeder {
    /// Feeds its reader until one of them ends.
    pub(super) async fn run(mut self) {
        let (gone, stopping) = (self.out.chunks.clone(), self.stopping.clone());
        let why = tokio::select! {
            biased;
            () = gone.closed() => Ended::Left,
            () = stopping.cancelled() => Ended::Stop,
            why = self.follow() => why,
        };
        self.out.end(why);
    }

    async fn follow(&mut self) -> Ended {
        if let Err(why) = self.stands().await {
            return why;
        }
        loop {
            match self.step().await {
                Ok(()) => {}
                Err(why) => return why,
            }
        }
    }

    async fn step(&mut self) -> Result<(), Ended> {
        let may = |key: &AccessKey| key.stands(UnixMillis::now()) && self.filter.forbidden(key).is_none();
        if !self.keys.key(&self.key_id).is_some_and(|key| may(&key)) {
            return Err(Ended::Key);
        }
        let (looked, newest) = (Instant::now(), self.log.newest());
        let is_whole = if newest > self.after || self.gap { self.look(newest).await? } else { true };
        if let Some(live) = &mut self.live
            && let Err(error) = live.renew(UnixMillis::now()).await
        {
            debug!(%error, "what a reader of events wants cannot be kept up now; it is tried again");
        }
        if is_whole {
            if self.out.spoke.elapsed() >= HEARTBEAT {
                self.stands().await?;
            }
            tokio::select! { () = self.log.appended(newest) => {}, () = sleep(TICK) => {} }
            sleep_until(looked + LOOK_PAUSE).await;
        }
        Ok(())
    }

    /// Hands on the next page; whether that was all there is.
    async fn look(&mut self, newest: i64) -> Result<bool, Ended> {
        let wanted = self.filter.wanted(&*self.subscriptions).ok_or(Ended::Group)?;
        let page = self.log.look(self.after, &wanted, PAGE).await.map_err(|_| Ended::Log)?;
        // Behind the look: what was dropped just before it is missed, too.
        let kept = self.log.places().await.map_err(|_| Ended::Log)?;
        let dropped = missed(self.after, &page, &kept);
        let unwritten = std::mem::take(&mut self.gap);
        if dropped > 0 || unwritten {
            self.lost(dropped, unwritten).await?;
        }
        for message in &page {
            if self.filter.tells(message) {
                let id = self.cursor(message.id, message.place);
                let json = Envelope::of(message).to_json();
                self.out.send(event(&id, message.kind.as_str(), &String::from_utf8_lossy(&json))).await?;
                self.out.metrics.sent.inc();
            }
            self.after = message.place;
        }
        let is_whole = page.len() < PAGE;
        if is_whole {
            // What is behind `after` and not wanted need not be looked at again.
            self.after = self.after.max(newest);
        }
        Ok(is_whole)
    }

    /// Says that the reader has not had everything.
    async fn lost(&mut self, dropped: i64, unwritten: bool) -> Result<(), Ended> {
        self.after += dropped;
        let id = self.cursor(MessageId(0), self.after);
        let data = format!("{{\"messages\":{dropped},\"unwritten\":{unwritten}}}");
        self.out.send(event(&id, "lost", &data)).await
    }

    /// Says that the stream lives, and up to where it has come.
    async fn stands(&mut self) -> Result<(), Ended> {
        let id = self.cursor(MessageId(0), self.after);
        self.out.send(format!(":\nid: {id}\n\n")).await
    }

    fn cursor(&self, id: MessageId, place: i64) -> Cursor {
        Cursor { id, place, tag: self.tag.clone() }
    }
}

/// How many messages behind `after` may have been dropped unseen, where this page was read before this is what is `kept`. The
/// oldest are dropped first, so all are there from the first one on that was found.
fn missed(after: i64, page: &[Message], kept: &RangeInclusive<i64>) -> i64 {
    let found_from = page.first().map_or(i64::MAX, |message| message.place);
    found_from.min(*kept.start()).saturating_sub(after).saturating_sub(1).max(0)
}

/// An event. JSON may stand on several lines where a device wrote it so.
fn event(id: &Cursor, name: &str, data: &str) -> String {
    let mut text = format!("id: {id}\nevent: {name}\n");
    for line in data.split(['\n', '\r']) {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
    text
}

#[cfg(test)]
mod tests;
