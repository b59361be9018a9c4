//! What devices say in their own bytes, on its way to a codec and from there to the calls.
//!
//! **Invariant:** taking a message never waits; at most a configured number is translated at once, and one that does not
//! fit is counted and logged. A translation has as long as a caller waits.
//! Where answers are in order, one without an id is for the oldest asynchronous call of its device, as the journal has it
//! before the translation.

use std::cell::Cell;
use std::sync::Arc;

use thingcall_core::{
    Arrival, CallId, Codec, CodecError, Decoded, DropReason, Dropped, MalformedReply, PeerText, Post, RawReply,
    Receipt, Repairs, Reply, ReplySink, TransportName,
};
use tokio::sync::OwnedSemaphorePermit;
use tracing::debug;

use crate::Engine;
use crate::dropped::result_of;
use crate::posts::Place;

/// What counts of what a message says: the same one may be heard on two ways.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Heard {
    /// Whether an answer counts.
    pub(crate) answers: bool,
    /// The way a report came, where one counts.
    pub(crate) reports: Option<TransportName>,
}

impl Heard {
    /// Answers alone.
    pub(crate) const ANSWERS: Self = Self { answers: true, reports: None };
}

impl Engine {
    /// Has a message translated; the reply it stands for, if it is one, is matched like any other.
    pub(crate) fn translate(&self, mut raw: RawReply, topic: &str, heard: Heard, arrival: &dyn Arrival) {
        if raw.topic_id.is_some_and(|id| !self.slots.holds(id)) {
            return self.drop_raw(&raw, topic, DropReason::OtherInstance);
        }
        let Some(codec) = self.router.codec(&raw.device.product) else {
            if !heard.answers {
                return;
            }
            return self.matched(untranslated(&raw, "no plugin translates for this product"), topic, arrival);
        };
        let (Some(engine), Some(room)) = (self.me.upgrade(), self.raw.room()) else {
            return self.drop_raw(&raw, topic, DropReason::Overloaded);
        };
        raw.service = self.pending.asked(&raw.device, raw.topic_id);
        // A report is told behind what came before it, however long either's translation takes.
        let reports = heard.reports.map(|by| (by, self.place(&raw.device)));
        let arrival = Translated(Cell::new(arrival.hold()));
        let came = Came { raw, topic: topic.into(), answers: heard.answers, reports, arrival };
        self.raw.spawn(translated(engine, codec, came, room));
    }

    /// The call that a message without an id is for, and what that asked.
    async fn oldest(&self, raw: &mut RawReply) -> Result<Option<CallId>, CodecError> {
        let in_order = || self.registry.product(&raw.device.product).is_some_and(|one| one.settings.answers_in_order());
        if raw.topic_id.is_some() || !in_order() {
            return Ok(None);
        }
        let open = self.journal.open_calls(&raw.device, 1).await;
        let open = open.map_err(|problem| CodecError(format!("which call it is for cannot be read: {problem}")))?;
        Ok(open.into_iter().next().map(|record| {
            raw.service = Some(record.service);
            record.id
        }))
    }

    fn drop_raw(&self, raw: &RawReply, topic: &str, reason: DropReason) {
        let RawReply { device, transport, payload, .. } = raw;
        let (of, transport, bytes) = (Some(device), *transport, payload.len());
        self.dropped(Dropped { device: of, transport, reason, topic, bytes, problem: None });
        self.metrics.reply(self.metrics.product(&device.product), transport, result_of(reason));
    }
}

/// A message that is translated.
struct Came {
    raw: RawReply,
    topic: Box<str>,
    /// Whether an answer counts.
    answers: bool,
    /// Where a report counts: the way it came, and its place.
    reports: Option<(TransportName, Place)>,
    arrival: Translated,
}

/// A message that was held while it was translated. Unless it is held on, it is acknowledged then.
struct Translated(Cell<Receipt>);

impl Arrival for Translated {
    fn hold(&self) -> Receipt {
        self.0.take()
    }
}

async fn translated(engine: Arc<Engine>, codec: Arc<dyn Codec>, came: Came, _room: OwnedSemaphorePermit) {
    let Came { mut raw, topic, answers, reports, arrival } = came;
    let within = engine.config.reply_timeout;
    let mut oldest = None;
    let decoded = tokio::time::timeout(within, async {
        oldest = engine.oldest(&mut raw).await?;
        codec.decode(raw.clone()).await
    });
    let decoded = decoded.await;
    match decoded.unwrap_or_else(|_| Err(CodecError(format!("no translation within {within:?}")))) {
        // Whoever vouches for the device does so for the message, whatever its content says.
        Ok(Decoded::Reply(reply)) if answers => {
            let topic_id = reply.topic_id.or(oldest.filter(|_| reply.payload_id.is_none()));
            engine.matched(Reply { device: raw.device, topic_id, ..reply }, &topic, &arrival);
        }
        Ok(Decoded::Post(post)) => match reports {
            Some((by, place)) => {
                engine.take_post_at(place, (Post { device: raw.device, ..*post }, by), &topic, &arrival);
            }
            None => debug!(device = %raw.device, "a report, which is heard on another way"),
        },
        Ok(Decoded::Reply(_)) => debug!(device = %raw.device, "an answer, which is heard on another way"),
        Ok(Decoded::Nothing) => debug!(device = %raw.device, "neither a report nor a reply"),
        Err(problem) if !answers => {
            debug!(device = %raw.device, problem = %PeerText::new(&problem.0), "no report");
        }
        Err(problem) => {
            debug!(device = %raw.device, problem = %PeerText::new(&problem.0), "message not translated");
            engine.matched(untranslated(&raw, &problem.0), &topic, &arrival);
        }
    }
    arrival.0.take().settle();
}

/// Where the topic says which call it is for, that call ends with what is wrong.
fn untranslated(raw: &RawReply, why: &str) -> Reply {
    Reply {
        device: raw.device.clone(),
        transport: raw.transport,
        payload_id: None,
        topic_id: raw.topic_id,
        repairs: Repairs::NONE,
        body: Err(MalformedReply::Untranslated(why.to_owned())),
        bytes: raw.payload.len(),
    }
}
