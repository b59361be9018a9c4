//! Replies that nobody waits for: those to asynchronous calls, on their way to the journal.
//!
//! **Invariant:** putting a reply never waits. So many are on their way at most; one that finds no room is counted and
//! logged, and one that did is kept until the journal has it. Only then its message is acknowledged to whoever sent it, so
//! a crash before loses none that comes again.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{
    Arrival, Completion, DropReason, Ending, Journal, KeptHop, MalformedReply, Outcome, Receipt, RecordState, Reply,
    ReplyBody, ServiceId, Span, Tracer, UnixMillis, UnwrittenReply,
};
use thingcall_tsl::{Registry, ReplyCheck, Violation};
use tokio::runtime::Handle;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;
use tracing::{error, warn};

use crate::dropped::{DroppedMessages, of_reply};
use crate::failures::{Failures, of_record};
use crate::metrics::{Checked, Metrics, ReplyResult};
use crate::top::Top;
use crate::traced::error_of;

/// Who is asked about replies, and where what they did is told.
pub(crate) struct Surroundings {
    pub(crate) journal: Arc<dyn Journal>,
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) dropped: Arc<DroppedMessages>,
    pub(crate) failures: Arc<Failures>,
    pub(crate) top: Arc<Top>,
    pub(crate) tracer: Option<Arc<dyn Tracer>>,
}

/// The replies on their way.
pub(crate) struct LateReplies {
    max: usize,
    around: Arc<Surroundings>,
    on_their_way: TaskTracker,
}

impl LateReplies {
    pub(crate) fn new(replies_max: usize, around: Surroundings) -> Self {
        Self { max: replies_max, around: Arc::new(around), on_their_way: TaskTracker::new() }
    }

    /// Takes a reply, or gives back one for which there is no room.
    pub(crate) fn put(&self, reply: Reply, topic: &str, arrival: &dyn Arrival) -> Option<Reply> {
        let room = self.on_their_way.token();
        if self.on_their_way.is_closed() || self.on_their_way.len() > self.max {
            return Some(reply);
        }
        let around = self.around.clone();
        let must_fit = around.policy(&reply) == Some(ReplyCheck::Reject);
        let late = Box::new(Late { reply, topic: topic.into(), around, receipt: arrival.hold(), _room: room });
        if must_fit {
            drop(tokio::spawn(late.end_as_it_fits()));
        } else {
            self.around.journal.end(Ending::Replied(late));
        }
        None
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.on_their_way.len()
    }

    /// Takes no more, and waits until the journal has those that were taken; at most `within`.
    pub(crate) async fn finish(&self, within: Duration) {
        self.on_their_way.close();
        if tokio::time::timeout(within, self.on_their_way.wait()).await.is_err() {
            error!("replies to asynchronous calls were not written in time");
        }
    }
}

/// A reply, and the topic it came on.
struct Late {
    reply: Reply,
    topic: Box<str>,
    around: Arc<Surroundings>,
    /// Settled when it is written.
    receipt: Receipt,
    /// Given back when what the reply did was told.
    _room: TaskTrackerToken,
}

impl UnwrittenReply for Late {
    fn reply(&self) -> &Reply {
        &self.reply
    }

    fn told(mut self: Box<Self>, did: Completion) {
        std::mem::take(&mut self.receipt).settle();
        self.around.count(&self.reply, &self.topic, &did);
        let Completion::Matched { outcome, trace, .. } = did else { return };
        if let Some(trace) = trace {
            self.tell_trace(outcome, &trace);
        }
        if outcome != Outcome::Ok
            && let Ok(runtime) = Handle::try_current()
        {
            drop(runtime.spawn(self.tell_failure(outcome)));
        }
    }
}

impl Late {
    /// Ends the call it answers, where its product rejects replies that do not fit its model: such a reply is a malformed
    /// one before the journal sees it.
    async fn end_as_it_fits(mut self: Box<Self>) {
        let around = self.around.clone();
        around.reject_unfit(&mut self.reply).await;
        around.journal.end(Ending::Replied(self));
    }

    /// The device's hop ends now, long after its request was answered.
    fn tell_trace(&self, outcome: Outcome, (hop, left): &(KeptHop, UnixMillis)) {
        let Some(tracer) = self.around.tracer.as_ref().filter(|_| hop.context.is_sampled) else { return };
        let facts = vec![
            ("thingcall.device", self.reply.device.name.to_string().into()),
            ("thingcall.message_id", self.reply.id().map(|id| id.to_string()).unwrap_or_default().into()),
            ("thingcall.outcome", outcome.as_str().into()),
        ];
        let span = hop.span((*left, UnixMillis::now()), facts);
        tracer.take(vec![Span { error: error_of(outcome), ..span }]);
    }

    /// A caller who was told that the call is on its way learns nothing more, so a failure is told here.
    async fn tell_failure(self: Box<Self>, outcome: Outcome) {
        let Some(id) = self.reply.id() else { return };
        let Ok(records) = self.around.journal.find(id).await else { return };
        if let Some(record) = records.iter().find(|record| record.device.key == self.reply.device) {
            self.around.failures.ended(of_record(record, outcome));
        }
    }
}

impl Surroundings {
    async fn reject_unfit(&self, reply: &mut Reply) {
        let (Some(id), Ok(body)) = (reply.id(), &reply.body) else { return };
        let Ok(records) = self.journal.find(id).await else { return };
        let open = records.iter().find(|r| r.device.key == reply.device && r.state != RecordState::Ended);
        if let Some(violation) = open.and_then(|record| self.violation(reply, body, &record.service)) {
            reply.body = Err(MalformedReply::Member { member: "data", problem: violation.to_string() });
        }
    }

    fn policy(&self, reply: &Reply) -> Option<ReplyCheck> {
        self.registry.product(&reply.device.product).map(|product| product.settings.reply_check)
    }

    /// How the reply does not fit the model, if it should and does not. Counts it.
    fn violation(&self, reply: &Reply, body: &ReplyBody, service: &ServiceId) -> Option<Violation> {
        if body.code != ReplyBody::SUCCESS {
            return None;
        }
        let product = self.registry.product(&reply.device.product)?;
        if product.settings.reply_check == ReplyCheck::Off {
            return None;
        }
        let violation = product.model.as_ref()?.service(service).ok()?.check_reply(&body.data).err()?;
        self.metrics.violation(Checked::Reply, violation.kind);
        let (kind, at) = (violation.kind.as_str(), &violation.path);
        warn!(device = %reply.device, %service, kind, at, "reply does not fit the model");
        Some(violation)
    }

    fn count(&self, reply: &Reply, topic: &str, did: &Completion) {
        let drop = |reason| self.dropped.note(&of_reply(reply, topic, reason));
        let result = match did {
            Completion::Matched { outcome, service, transport, .. } => {
                self.metrics.posted_ended(&reply.device, Some(*transport), *outcome);
                if *outcome != Outcome::Ok {
                    // How long a device may take that nobody waits for is its own affair.
                    self.top.ended(&reply.device, *outcome, (Duration::ZERO, Duration::MAX));
                }
                if let (Ok(body), true) = (&reply.body, *outcome == Outcome::Ok) {
                    let _counted = self.violation(reply, body, service);
                }
                if reply.body.is_ok() { ReplyResult::Matched } else { ReplyResult::Malformed }
            }
            Completion::Duplicate => ReplyResult::Duplicate,
            Completion::Late => ReplyResult::Late,
            Completion::WrongDevice => {
                drop(DropReason::OtherDevicesCall);
                ReplyResult::WrongDevice
            }
            Completion::Unknown => {
                drop(DropReason::UnknownId);
                ReplyResult::Unknown
            }
            Completion::NotKept => {
                drop(DropReason::Overloaded);
                ReplyResult::Overloaded
            }
        };
        self.metrics.reply(self.metrics.product(&reply.device.product), reply.transport, result);
    }
}
