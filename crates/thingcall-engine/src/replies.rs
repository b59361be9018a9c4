//! What devices answer: each reply ends in one result, and none is waited for here.

use thingcall_core::{
    Arrival, CallId, DeviceKey, DropReason, Dropped, HeardOnce, MalformedReply, Post, RawReply, Reply, ReplySink, Said,
    Takes, TransportKind, TransportName,
};
use thingcall_tsl::{DataFormat, ReplyCheck};
use tracing::debug;

use crate::Engine;
use crate::dropped::{of_reply, result_of};
use crate::metrics::ReplyResult;
use crate::pending::Met;
use crate::raw::Heard;

impl ReplySink for Engine {
    fn accept(&self, reply: Reply, topic: &str, arrival: &dyn Arrival) {
        self.metrics.reply_bytes(reply.bytes);
        self.watches.published(&reply.device, reply.transport.as_str(), (topic, reply.bytes));
        self.matched(reply, topic, arrival);
    }

    fn speaks_raw(&self, device: &DeviceKey) -> bool {
        self.registry.product(&device.product).is_some_and(|product| product.settings.data_format == DataFormat::Custom)
    }

    fn takes(&self, device: &DeviceKey, id: Option<CallId>) -> Takes {
        match id {
            Some(id) if self.pending.waits_for_bytes(device, id) || self.unawaited.waits_for(device, id) => {
                Takes::Bytes
            }
            Some(_) | None if self.speaks_raw(device) => Takes::Own,
            Some(_) | None => Takes::Alink,
        }
    }

    fn accept_raw(&self, raw: RawReply, topic: &str, arrival: &dyn Arrival) {
        self.metrics.reply_bytes(raw.payload.len());
        self.watches.published(&raw.device, raw.transport.as_str(), (topic, raw.payload.len()));
        if self.is_answered_in_bytes(&raw, topic, arrival) {
            return;
        }
        self.translate(raw, topic, Heard::ANSWERS, arrival);
    }

    fn accept_post(&self, post: Post, by: TransportName, topic: &str, arrival: &dyn Arrival) {
        self.watches.published(&post.device, by.as_str(), (topic, post.bytes));
        self.take_post(post, by, topic, arrival);
    }

    fn accept_raw_post(&self, raw: RawReply, heard: HeardOnce, topic: &str, arrival: &dyn Arrival) {
        let HeardOnce { by, answers } = heard;
        self.watches.published(&raw.device, by.as_str(), (topic, raw.payload.len()));
        if answers && self.is_answered_in_bytes(&raw, topic, arrival) {
            return;
        }
        self.translate(raw, topic, Heard { answers, reports: Some(by) }, arrival);
    }

    fn waits_for(&self, product: &str, name: &str) -> bool {
        self.pending.waits_for_named(product, name)
    }

    fn acknowledged(&self, device: &DeviceKey, id: CallId) {
        self.lanes.acknowledged(device, id);
    }

    fn dropped(&self, dropped: Dropped<'_>) {
        let usual = match dropped.reason {
            // Brokers bring our own messages back; the embedded one does not, so there a device sent it.
            DropReason::Echo => dropped.transport != TransportKind::Embedded,
            // Of a device that nobody here waits for, another instance asked.
            DropReason::OtherInstance => !dropped.device.is_some_and(|device| self.pending.waits_for(device)),
            DropReason::UnknownId
            | DropReason::WithoutId
            | DropReason::Unreadable
            | DropReason::UnreadablePost
            | DropReason::UnknownDevice
            | DropReason::TooLarge
            | DropReason::Untranslated
            | DropReason::RrpcWithoutId
            | DropReason::RequestTopic
            | DropReason::NoReplySuffix
            | DropReason::ForeignTopic
            | DropReason::OtherDevicesTopic
            | DropReason::OtherDevicesCall
            | DropReason::Overloaded => false,
        };
        if usual { self.dropped.count(&dropped) } else { self.dropped.note(&dropped) }
    }

    fn passed_by(&self, device: &DeviceKey, transport: TransportKind, topic: &str, bytes: usize) {
        self.watches.published(device, transport.as_str(), (topic, bytes));
    }

    fn device_gone(&self, device: &DeviceKey, transport: TransportName) {
        self.pending.device_gone(device, transport);
    }

    fn transport_lost(&self, transport: TransportName) {
        self.pending.transport_lost(transport);
    }
}

impl Engine {
    /// Hands bytes to the call that waits for such, or tells them where a device was asked for them, and nobody waits.
    fn is_answered_in_bytes(&self, raw: &RawReply, topic: &str, arrival: &dyn Arrival) -> bool {
        let Some(id) = raw.topic_id else { return false };
        if self.pending.said(&raw.device, id, raw.payload.clone()) {
            self.metrics.reply(self.metrics.product(&raw.device.product), raw.transport, ReplyResult::Matched);
            return true;
        }
        if !self.unawaited.answered(&raw.device, id) {
            return false;
        }
        self.metrics.reply(self.metrics.product(&raw.device.product), raw.transport, ReplyResult::Matched);
        let said = Said::Custom { topic: topic.to_owned(), payload: raw.payload.clone() };
        let post = Post { device: raw.device.clone(), echo: None, said, bytes: raw.payload.len() };
        // Which of its kind it was does not matter: nothing is answered.
        let by = match raw.transport {
            TransportKind::Embedded | TransportKind::Plugin => TransportName::EMBEDDED,
            TransportKind::Mqtt => TransportName::MQTT,
            TransportKind::Amqp => TransportName::AMQP,
        };
        self.take_post(post, by, topic, arrival);
        true
    }

    /// Hands a reply to the call it answers, and counts it.
    pub(crate) fn matched(&self, reply: Reply, topic: &str, arrival: &dyn Arrival) {
        let (product, transport) = (self.metrics.product(&reply.device.product), reply.transport);
        let reply = if reply.repairs.is_empty() { reply } else { self.mended(reply) };
        if let Some(result) = self.match_reply(reply, topic, arrival) {
            self.metrics.reply(product, transport, result);
        }
    }

    /// Counts what was mended in a reply. Where its product rejects replies that do not fit, it is one that cannot be read.
    #[cold]
    fn mended(&self, mut reply: Reply) -> Reply {
        reply.repairs.iter().for_each(|repair| self.metrics.repaired(repair));
        let product = self.registry.product(&reply.device.product);
        let strict = product.is_some_and(|product| product.settings.reply_check == ReplyCheck::Reject);
        if let (true, Some(repair)) = (strict && reply.body.is_ok(), reply.repairs.iter().next()) {
            reply.body = Err(repair.unmended());
        }
        reply
    }

    /// What became of a reply; `None` if the journal has to say.
    fn match_reply(&self, mut reply: Reply, topic: &str, arrival: &dyn Arrival) -> Option<ReplyResult> {
        if reply.ids().is_anothers(|id| self.slots.holds(id)) {
            return Some(self.drop_reply(&reply, topic, DropReason::OtherInstance));
        }
        // Then it is the topic's that is ours, and the body's a count of the device's.
        reply.payload_id = reply.payload_id.filter(|id| self.slots.holds(*id));
        let Some(id) = reply.id() else { return Some(self.drop_reply(&reply, topic, without_id(&reply))) };
        // The topic's id alone is no word of the device's: one SDK mixes them up when calls overlap.
        if is_unreadable(&reply) && reply.payload_id.is_none() && self.pending.contains(id) {
            return Some(self.drop_reply(&reply, topic, DropReason::Unreadable));
        }
        let malformed = reply.body.is_err();
        let topic_id = reply.topic_id.filter(|topic_id| *topic_id != id);
        let met = match (self.pending.accept(id, &mut reply), topic_id) {
            // The Node device SDK puts a count of its own where the application passes no id. An id that no call ever had
            // is not one that got mixed up, so here the topic's is meant.
            (Met::Nothing, Some(topic_id)) => self.pending.accept(topic_id, &mut reply),
            (met, _) => met,
        };
        if matches!(met, Met::Nothing | Met::Late(_)) {
            [Some(id), topic_id].into_iter().flatten().for_each(|id| self.lanes.answered(&reply.device, id));
        }
        match met {
            Met::Nothing => {
                let no_room = self.late.put(reply, topic, arrival);
                no_room.map(|reply| self.drop_reply(&reply, topic, DropReason::Overloaded))
            }
            Met::Late(late) if malformed => {
                self.record_late(late);
                Some(ReplyResult::Malformed)
            }
            _ if malformed => Some(ReplyResult::Malformed),
            Met::Waiting => Some(ReplyResult::Matched),
            Met::Duplicate => Some(ReplyResult::Duplicate),
            Met::Late(late) => {
                let device = &reply.device;
                debug!(%id, %device, late_ms = late.by.as_millis(), "late reply");
                self.metrics.late_by(late.by);
                self.answered_late(device);
                self.record_late(late);
                Some(ReplyResult::Late)
            }
            Met::OtherDevice => {
                let Reply { device, transport, bytes, .. } = &reply;
                let (reason, transport, bytes) = (DropReason::OtherDevicesCall, *transport, *bytes);
                self.dropped(Dropped { device: Some(device), transport, reason, topic, bytes, problem: None });
                Some(ReplyResult::WrongDevice)
            }
        }
    }

    /// A slow device hears us all the same.
    #[cold]
    fn answered_late(&self, device: &DeviceKey) {
        let _told = self.registry.product(&device.product).is_some_and(|product| product.silence.answered());
        self.registry.answered_late(device);
    }

    /// Notes a reply that is for no call, and says how it counts.
    pub(crate) fn drop_reply(&self, reply: &Reply, topic: &str, reason: DropReason) -> ReplyResult {
        self.dropped(of_reply(reply, topic, reason));
        result_of(reason)
    }
}

/// Why a reply names no call.
fn without_id(reply: &Reply) -> DropReason {
    match &reply.body {
        Ok(_) | Err(MalformedReply::Member { .. }) => DropReason::WithoutId,
        Err(MalformedReply::NotJson(_)) => DropReason::Unreadable,
        Err(MalformedReply::TooLarge { .. }) => DropReason::TooLarge,
        Err(MalformedReply::Untranslated(_)) => DropReason::Untranslated,
    }
}

fn is_unreadable(reply: &Reply) -> bool {
    matches!(reply.body, Err(MalformedReply::NotJson(_)))
}
