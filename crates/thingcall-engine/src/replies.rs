//! What devices answer: each reply ends in one result, and none is waited for here.

use thingcall_core::{DeviceKey, RawReply, Reply, ReplySink, TransportName};
use thingcall_tsl::DataFormat;
use tracing::{debug, warn};

use crate::Engine;
use crate::metrics::ReplyResult;
use crate::pending::Met;

impl ReplySink for Engine {
    fn accept(&self, reply: Reply) {
        self.metrics.reply_bytes(reply.bytes);
        self.matched(reply);
    }

    fn speaks_raw(&self, device: &DeviceKey) -> bool {
        self.registry.product(&device.product).is_some_and(|product| product.settings.data_format == DataFormat::Custom)
    }

    fn accept_raw(&self, raw: RawReply) {
        self.metrics.reply_bytes(raw.payload.len());
        self.translate(raw);
    }

    fn device_gone(&self, device: &DeviceKey, transport: TransportName) {
        self.pending.device_gone(device, transport);
    }

    fn transport_lost(&self, transport: TransportName) {
        self.pending.transport_lost(transport);
    }
}

impl Engine {
    /// Hands a reply to the call it answers, and counts it.
    pub(crate) fn matched(&self, reply: Reply) {
        let transport = reply.transport;
        if let Some(result) = self.match_reply(reply) {
            self.metrics.reply(transport, result);
        }
    }

    /// What became of a reply; `None` if the journal has to say.
    fn match_reply(&self, reply: Reply) -> Option<ReplyResult> {
        let malformed = reply.body.is_err();
        if let Err(problem) = &reply.body {
            debug!(device = %reply.device, %problem, "malformed reply");
        }
        let Some(id) = reply.id() else { return Some(ReplyResult::Malformed) };
        if id.slot() != self.config.instance_slot {
            return Some(ReplyResult::Foreign);
        }
        let device = reply.device.clone();
        let topic_id = reply.topic_id.filter(|topic_id| *topic_id != id);
        let met = match (self.pending.accept(id, reply), topic_id) {
            // The Node device SDK puts a count of its own where the application passes no id. An id that no call ever had
            // is not one that got mixed up, so here the topic's is meant.
            (Met::Nothing(reply), Some(topic_id)) => self.pending.accept(topic_id, reply),
            (met, _) => met,
        };
        match met {
            Met::Nothing(reply) => self.late.put(reply).err(),
            _ if malformed => Some(ReplyResult::Malformed),
            Met::Waiting => Some(ReplyResult::Matched),
            Met::Duplicate => Some(ReplyResult::Duplicate),
            Met::Late(by) => {
                debug!(%id, %device, late_ms = by.as_millis(), "late reply");
                self.metrics.late_by(by);
                Some(ReplyResult::Late)
            }
            Met::OtherDevice => {
                warn!(%id, %device, "reply from a device that was not called");
                Some(ReplyResult::WrongDevice)
            }
        }
    }
}
