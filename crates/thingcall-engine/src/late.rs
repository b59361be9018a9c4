//! Replies that nobody waits for: those to asynchronous calls, on their way to the journal.
//!
//! **Invariant:** putting a reply never waits; the queue is bounded, and a reply that does not fit is counted and
//! logged.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use thingcall_core::{
    CallMode, Completion, DropReason, Journal, JournalError, MalformedReply, Outcome, Reply, ReplyBody, ServiceId,
};
use thingcall_core::{DeviceRef, RecordState};
use thingcall_tsl::{Found, Registry, ReplyCheck, Violation};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;
use tracing::{error, warn};

use crate::Parts;
use crate::dropped::DroppedMessages;
use crate::failures::{Failures, of_record};
use crate::metrics::{Checked, Metrics, ReplyResult};
use crate::replies::dropped;

/// How many replies are written in one go.
const BATCH_REPLIES: usize = 256;
/// How often and how long apart a store that fails is tried again, before the replies of a batch are given up. One that
/// cannot be written for now is tried until it can.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(200);

/// Where the ends of calls are told.
pub(crate) struct Told {
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) dropped: Arc<DroppedMessages>,
    pub(crate) failures: Arc<Failures>,
}

/// A reply, and the topic it came on.
struct Late {
    reply: Reply,
    topic: Box<str>,
}

/// The queue to the journal.
pub(crate) struct LateReplies {
    queue: mpsc::Sender<Late>,
    finish: Arc<Notify>,
    task: Mutex<Option<JoinHandle<()>>>,
}

impl LateReplies {
    /// Starts the task that writes. It ends with [`Self::finish`], or when the engine is dropped.
    pub(crate) fn start(replies_max: usize, parts: &Parts, told: Told) -> Self {
        let (queue, replies) = mpsc::channel(replies_max);
        let finish = Arc::new(Notify::new());
        let writer = Writer { journal: parts.journal.clone(), registry: parts.registry.clone(), told };
        let task = tokio::spawn(writer.run(replies, finish.clone()));
        Self { queue, finish, task: Mutex::new(Some(task)) }
    }

    /// Queues a reply, or gives back one for which there is no room.
    pub(crate) fn put(&self, reply: Reply, topic: &str) -> Result<(), Reply> {
        self.queue.try_send(Late { reply, topic: topic.into() }).map_err(|full| full.into_inner().reply)
    }

    /// How many wait.
    pub(crate) fn len(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Writes what is queued and ends; gives up after `within`.
    pub(crate) async fn finish(&self, within: Duration) {
        self.finish.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if tokio::time::timeout(within, &mut task).await.is_err() {
            error!("replies to asynchronous calls were not written in time");
            task.abort();
        }
    }
}

struct Writer {
    journal: Arc<dyn Journal>,
    registry: Arc<dyn Registry>,
    told: Told,
}

impl Writer {
    async fn run(self, mut replies: mpsc::Receiver<Late>, finish: Arc<Notify>) {
        let mut batch = Vec::with_capacity(BATCH_REPLIES);
        loop {
            let received = tokio::select! {
                received = replies.recv_many(&mut batch, BATCH_REPLIES) => received,
                () = finish.notified() => {
                    replies.close();
                    continue;
                }
            };
            if received == 0 {
                return;
            }
            self.write(std::mem::take(&mut batch)).await;
        }
    }

    async fn write(&self, late: Vec<Late>) {
        let (mut replies, topics): (Vec<_>, Vec<_>) = late.into_iter().map(|late| (late.reply, late.topic)).unzip();
        for reply in &mut replies {
            self.reject_unfit(reply).await;
        }
        let mut tries = 0;
        let completions = loop {
            match self.journal.complete(replies.clone()).await {
                Ok(completions) => break completions,
                // It says so itself, and heals by itself; the queue is what bounds the wait.
                Err(JournalError::Unwritable { .. }) => tokio::time::sleep(PAUSE).await,
                Err(error) if tries < TRIES => {
                    tries += 1;
                    warn!(%error, replies = replies.len(), "replies not recorded yet");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(error) => {
                    error!(%error, replies = replies.len(), "replies to asynchronous calls are lost");
                    return;
                }
            }
        };
        for ((reply, topic), completion) in replies.iter().zip(&topics).zip(completions) {
            self.count(reply, topic, &completion);
            self.tell_failure(reply, &completion).await;
        }
    }

    /// Where the product rejects replies that do not fit its model, turns such a reply into a malformed one before the
    /// journal sees it.
    async fn reject_unfit(&self, reply: &mut Reply) {
        let (Some(id), Ok(body)) = (reply.id(), &reply.body) else { return };
        if self.policy(reply) != Some(ReplyCheck::Reject) {
            return;
        }
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
        let Found { product, .. } = self.registry.find(&DeviceRef::Key(reply.device.clone()))?;
        if product.settings.reply_check == ReplyCheck::Off {
            return None;
        }
        let violation = product.model.as_ref()?.service(service).ok()?.check_reply(&body.data).err()?;
        self.told.metrics.violation(Checked::Reply, violation.kind);
        let (kind, at) = (violation.kind.as_str(), &violation.path);
        warn!(device = %reply.device, %service, kind, at, "reply does not fit the model");
        Some(violation)
    }

    /// A caller who was told that the call is on its way learns nothing more, so a failure is told here.
    async fn tell_failure(&self, reply: &Reply, completion: &Completion) {
        let Completion::Matched { outcome, .. } = completion else { return };
        let (false, Some(id)) = (*outcome == Outcome::Ok, reply.id()) else { return };
        let Ok(records) = self.journal.find(id).await else { return };
        if let Some(record) = records.iter().find(|record| record.device.key == reply.device) {
            self.told.failures.ended(of_record(record, *outcome));
        }
    }

    fn count(&self, reply: &Reply, topic: &str, completion: &Completion) {
        let drop = |reason| self.told.dropped.note(&dropped(reply, topic, reason));
        let result = match completion {
            Completion::Matched { outcome, service, transport } => {
                self.told.metrics.call_ended(Some(CallMode::Async), Some(*transport), *outcome);
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
        };
        self.told.metrics.reply(reply.transport, result);
    }
}
