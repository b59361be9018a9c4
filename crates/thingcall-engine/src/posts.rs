//! What devices say by themselves: checked against the model, told to those who want it, answered once that is written.
//!
//! **Invariants:** taking a post never waits; at most a configured number is under way at once, and what does not fit is
//! counted and answered 429. Its message is acknowledged, and its device told 200, after its report is in the log, and not
//! before; one that was not written and is answered nothing is not acknowledged, so it comes again. Where nobody wants reports,
//! it is answered all the same. One device's reports are in the log, and their values the last ones, in the order in which they
//! came.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use thingcall_core::{
    Arrival, DeviceKey, DeviceRef, DropReason, Dropped, JournalError, LastValue, MessageKind, NewMessage, Past, Post,
    PostAnswer, Receipt, ReplySink, Report, Said, Told, TransportKind, TransportName, UnixMillis,
};
use thingcall_tsl::Found;
use tracing::debug;

use crate::Engine;
use crate::metrics::Checked;
use crate::post_turns::Turn;
use crate::reports::{AnswerResult, PostResult, Room};

mod checked;

use checked::{Checks, Held};

/// A post that came.
struct Came {
    post: Post,
    by: TransportName,
    at: UnixMillis,
    topic: Box<str>,
}

/// When something of a device came, and behind what else of it.
pub(crate) struct Place {
    at: UnixMillis,
    turn: Turn,
}

/// What a post came to: how it counts, and what its device is told.
struct Ended {
    result: PostResult,
    code: i64,
    message: String,
    failed: Vec<(String, String)>,
}

/// So many messages of one post are written at once.
const MESSAGES_AT_ONCE: usize = 500;

const SUCCESS: i64 = 200;
const FORBIDDEN: i64 = 403;
const TOO_MANY: i64 = 429;
/// The platform names none for what is the server's own trouble.
const TROUBLE: i64 = 500;

impl Engine {
    /// The place behind all that came of a device.
    pub(crate) fn place(&self, device: &DeviceKey) -> Place {
        Place { at: UnixMillis::now(), turn: self.posts.turns.give(device) }
    }

    /// Takes what a device said by itself, which came just now.
    pub(crate) fn take_post(&self, post: Post, by: TransportName, topic: &str, arrival: &dyn Arrival) {
        let place = self.place(&post.device);
        self.take_post_at(place, (post, by), topic, arrival);
    }

    /// The same of what came when it was given this place.
    pub(crate) fn take_post_at(
        &self,
        place: Place,
        (post, by): (Post, TransportName),
        topic: &str,
        arrival: &dyn Arrival,
    ) {
        self.metrics.post_bytes(post.bytes);
        let Some(engine) = self.me.upgrade() else { return };
        let Place { at, turn } = place;
        let came = Came { post, by, at, topic: topic.into() };
        match self.posts.room(&came.post) {
            Some(room) => {
                let receipt = arrival.hold().of_report();
                drop(self.posts.running.spawn(engine.carry(came, turn, receipt, room)));
            }
            None => self.refuse(engine, came, arrival),
        }
    }

    /// Tells a device that there is no room, where there is at least room for that.
    #[cold]
    fn refuse(&self, engine: Arc<Self>, mut came: Came, arrival: &dyn Arrival) {
        let Post { device, bytes, .. } = &came.post;
        let (device, transport, bytes) = (Some(device), self.kind_of(came.by), *bytes);
        let reason = DropReason::Overloaded;
        self.dropped(Dropped { device, transport, reason, topic: &came.topic, bytes, problem: None });
        self.posts.results[came.post.said.kind()][PostResult::Overloaded].inc();
        if came.post.echo.is_none() {
            return drop(arrival.hold().of_report());
        }
        // What it said takes room.
        came.post.said = Said::Refused { code: TOO_MANY, why: String::new() };
        if let Ok(room) = self.posts.refusing.clone().try_acquire_owned() {
            let ended = Ended::told(PostResult::Overloaded, TOO_MANY, "too many requests");
            drop(self.posts.running.spawn(async move {
                engine.answer(came, ended).await;
                drop(room);
            }));
        }
    }

    async fn carry(self: Arc<Self>, came: Came, turn: Turn, receipt: Receipt, room: Room) {
        let ended = self.ended(&came, turn).await;
        if ended.result == PostResult::Failed && came.post.echo.is_none() {
            self.posts.unwritten.note(&came.post.device, &came.topic, &ended.message);
            drop(receipt);
        } else {
            receipt.settle();
        }
        self.posts.results[came.post.said.kind()][ended.result].inc();
        self.answer(came, ended).await;
        drop(room);
    }

    /// The turn ends with it, at the latest.
    async fn ended(&self, came: &Came, turn: Turn) -> Ended {
        let device = &came.post.device;
        match &came.post.said {
            Said::AsksTime(_) => return Ended::taken(Vec::new()),
            Said::Refused { code, why } => return Ended::told(PostResult::Refused, *code, why),
            // Nothing has to be looked up for what nobody wants.
            Said::Custom { .. } if !self.is_wanted(came, MessageKind::Custom) => {
                return Ended::taken(Vec::new());
            }
            Said::Custom { .. }
            | Said::Properties(_)
            | Said::Event(_)
            | Said::Batch(_)
            | Said::History { .. }
            | Said::TagsSet(_)
            | Said::TagsRemoved(_) => {}
        }
        match self.registry.find(&DeviceRef::Key(device.clone())).await {
            Ok(Some(found)) if found.device.enabled => self.report(came, &found, turn).await,
            Ok(Some(_)) => Ended::told(PostResult::Denied, FORBIDDEN, "request forbidden: the device is disabled"),
            Ok(None) => {
                let (transport, bytes) = (self.kind_of(came.by), came.post.bytes);
                let (device, reason, topic) = (Some(device), DropReason::UnknownDevice, &*came.topic);
                self.dropped(Dropped { device, transport, reason, topic, bytes, problem: None });
                Ended::told(PostResult::Denied, FORBIDDEN, "request forbidden: there is no such device")
            }
            Err(why) => Ended::told(PostResult::Failed, TROUBLE, &format!("the device cannot be looked up: {why}")),
        }
    }

    fn is_wanted(&self, came: &Came, kind: MessageKind) -> bool {
        self.posts.reports.log.is_wanted(&came.post.device.product, kind)
    }

    /// Writes down what is wanted of a post, and what its properties are now, when it is its turn.
    async fn report(&self, came: &Came, found: &Found, mut turn: Turn) -> Ended {
        turn.comes().await;
        let remembers = self.posts.reports.last.remembers();
        let held = Checks::new(&found.product, came.at, remembers).hold(&came.post.said);
        let Held { reports, violations, unfit, values, past } = held;
        violations.into_iter().for_each(|kind| self.metrics.violation(Checked::Post, kind));
        if let Err(why) = self.write((came, found), reports, (values, past), turn).await {
            debug!(device = %came.post.device, %why, "a report was not written");
            return Ended::told(PostResult::Failed, TROUBLE, &format!("not written: {why}"));
        }
        Ended::taken(unfit)
    }

    /// Some at a time: one post of many must not keep others' away from the log.
    async fn write(
        &self,
        (came, found): (&Came, &Found),
        reports: Vec<Report>,
        kept: (Vec<LastValue>, Vec<Past>),
        turn: Turn,
    ) -> Result<(), JournalError> {
        let (log, mut reports) = (&self.posts.reports.log, reports);
        reports.retain(|report| self.is_wanted(came, report.kind()));
        let mut parts = reports.chunks(MESSAGES_AT_ONCE);
        let last = self.messages(came, found, parts.next_back().unwrap_or_default());
        for part in parts {
            log.append(self.messages(came, found, part)).await?;
        }
        let mut append = pin!(async { if last.is_empty() { Ok(()) } else { log.append(last).await } });
        let first = poll_fn(|context| Poll::Ready(append.as_mut().poll(context))).await;
        if !matches!(first, Poll::Ready(Err(_))) {
            self.keep(came, kept);
        }
        // The log has them in its queue: what comes next is written behind them, and together with them.
        drop(turn);
        match first {
            Poll::Ready(written) => written,
            Poll::Pending => append.await,
        }
    }

    fn messages(&self, came: &Came, found: &Found, reports: &[Report]) -> Vec<NewMessage> {
        reports.iter().map(|report| self.message(came, found, report)).collect()
    }

    fn keep(&self, came: &Came, (values, past): (Vec<LastValue>, Vec<Past>)) {
        if !past.is_empty() {
            self.posts.reports.last.remember(&came.post.device, past);
        }
        if !values.is_empty() && !self.posts.reports.last.keep(&came.post.device, values) {
            self.posts.not_kept.inc();
        }
    }

    fn message(&self, came: &Came, found: &Found, report: &Report) -> NewMessage {
        let id = came.post.echo.as_ref().map_or("", |echo| echo.id.trim_matches('"'));
        NewMessage {
            kind: report.kind(),
            device: came.post.device.clone(),
            at: came.at,
            words: self.posts.reports.words.report(&found.device, id, came.at, report),
        }
    }

    async fn answer(&self, came: Came, ended: Ended) {
        let Post { device, echo, said, .. } = came.post;
        let Ended { code, message, failed, .. } = ended;
        let told = match (said, echo) {
            (Said::AsksTime(asked_at), _) => Told::Time { asked_at, came_at: came.at },
            (_, Some(echo)) => Told::Done { echo, code, message, failed },
            (_, None) => return,
        };
        let Some(transport) = self.transports.named(came.by) else { return };
        let answer = PostAnswer { device, told };
        // As long as a caller waits: after that, a device has asked again.
        let sent = tokio::time::timeout(self.config.reply_timeout, transport.tell(&answer)).await;
        let result = match sent {
            Ok(Ok(())) => AnswerResult::Sent,
            Ok(Err(why)) => {
                debug!(device = %answer.device, %why, "a report was not answered");
                AnswerResult::Failed
            }
            Err(_) => AnswerResult::Failed,
        };
        self.posts.answers[result].inc();
    }

    /// The kind of the transport of this name. One that is attached no more brought it, so any will do.
    fn kind_of(&self, by: TransportName) -> TransportKind {
        self.transports.named(by).map_or(TransportKind::Embedded, |transport| transport.kind())
    }
}

impl Ended {
    fn taken(failed: Vec<(String, String)>) -> Self {
        Self { result: PostResult::Taken, code: SUCCESS, message: "success".to_owned(), failed }
    }

    fn told(result: PostResult, code: i64, message: &str) -> Self {
        Self { result, code, message: message.to_owned(), failed: Vec::new() }
    }
}
