//! On which topic a synchronous call reaches its device, and what its answer or its silence teaches.
//!
//! Behind a broker that asks nobody about logins, nothing says on which topic a device takes synchronous calls. Where its
//! calls on one are not answered, the *next* call goes out on the other; no call goes out twice, since the device may have
//! executed the first. What it answers on is kept by the registry.
//!
//! **Invariants:** where a product names its topic, nothing else is tried. A call that is answered changes nothing, unless
//! one before it was not or its answer teaches something new.

use thingcall_core::{SyncTopic, Transport, TransportKind};
use thingcall_tsl::{Route, Unanswered};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Link;

/// How often a device that was heard on a topic may be silent there before the other one is tried.
const KNOWN_CALLS: u8 = 15;
/// The same of a device that was never heard.
const ASSUMED_CALLS: u8 = 1;

/// The topic of one call, where it is not the product's to say.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    topic: SyncTopic,
    /// What its transport assumes of devices of which nothing is known.
    assumed: SyncTopic,
    /// What was known of the device when the call was made: the topic on which it was heard,
    known: Option<SyncTopic>,
    /// and its [`Route::unanswered`].
    unanswered: u8,
}

impl Link<'_> {
    /// The device's topic for synchronous calls, for a transport that does not see its logins. One for the whole call.
    pub(super) fn sync_topic(&self, transport: &dyn Transport) -> Option<SyncTopic> {
        if let set @ Some(_) = self.settings().sync_topic {
            return set;
        }
        match transport.kind() {
            TransportKind::Embedded | TransportKind::Plugin => None,
            TransportKind::Mqtt | TransportKind::Amqp => self.learnt_topic(transport),
        }
    }

    fn learnt_topic(&self, transport: &dyn Transport) -> Option<SyncTopic> {
        let Some(assumed) = transport.sync_topic() else { return self.route().sync_topic };
        let asked = || {
            let Route { sync_topic: known, unanswered, .. } = self.route();
            Asked { topic: next_topic(known, unanswered, assumed), assumed, known, unanswered }
        };
        Some(self.asked.get_or_init(asked).topic)
    }

    /// The device answered, and so it hears us.
    pub(super) fn device_answered(&self) {
        if self.begun.admitted.product.silence.answered() {
            info!(product = %self.call.device.key.product, "calls of this product are answered again");
        }
        if let Some(asked) = self.asked.get()
            && (asked.known != Some(asked.topic) || asked.unanswered > 0)
        {
            self.learn(*asked);
        }
    }

    #[cold]
    fn learn(&self, Asked { topic, assumed, known, .. }: Asked) {
        let device = &self.call.device.key;
        let before = known.unwrap_or(assumed);
        if self.begun.admitted.way.as_ref().is_some_and(|way| way.answered(topic)) && topic != before {
            let (topic, before) = (topic.as_str(), before.as_str());
            info!(%device, topic, before, "the device answers on another topic than it was called on first; it is called there now");
        }
    }

    /// The call left, and its time was over before an answer came.
    #[cold]
    pub(super) fn device_missed(&self) {
        let device = &self.call.device.key;
        if let (Some(asked), Some(way)) = (self.asked.get(), &self.begun.admitted.way) {
            way.unanswered(asked.unanswered);
        }
        let Some(kind) = self.transport.get().copied().filter(|kind| *kind != TransportKind::Plugin) else { return };
        let now = Instant::now().into_std();
        let silence = self.begun.admitted.product.silence.unanswered(&device.name, now);
        // The embedded broker knows what its devices hear: there a topic is not what to look at.
        if let Some(silence) = silence.filter(|_| kind != TransportKind::Embedded) {
            self.tell(kind, silence);
        }
    }

    /// Nobody answers: what to look at.
    fn tell(&self, kind: TransportKind, Unanswered { calls, since }: Unanswered) {
        let (product, last) = (&self.call.device.key.product, &self.call.device.key.name);
        let seconds = since.as_secs();
        let topic = self.settings().sync_topic.or(self.asked.get().map(|asked| asked.topic)).map(SyncTopic::as_str);
        match (kind, self.settings().sync_topic) {
            (TransportKind::Mqtt, Some(_)) => warn!(
                %product, calls, seconds, %last, transport = kind.as_str(), topic,
                "no call of this product is answered: look whether its devices are connected to the broker and subscribe \
                 to the topic that the product names (`thingcall product import --sync-topic` changes it), and whether \
                 the broker's access rules (ACL) let thingcall publish it, and devices read it and answer; \
                 deploy/topics.md has all topics"
            ),
            (TransportKind::Mqtt, None) => warn!(
                %product, calls, seconds, %last, transport = kind.as_str(), topic,
                "no call of this product is answered: look whether its devices are connected to the broker and subscribe \
                 to a topic for synchronous calls (`thingcall product import --sync-topic service` if they know neither \
                 ext nor rrpc), and whether the broker's access rules (ACL) let thingcall publish there, and devices read \
                 it and answer; deploy/topics.md has all topics"
            ),
            (TransportKind::Amqp | TransportKind::Embedded | TransportKind::Plugin, _) => warn!(
                %product, calls, seconds, %last, transport = kind.as_str(), topic,
                "no call of this product is answered: look whether its devices take commands out of their queues, and \
                 whether the broker's permissions let them answer; MQTT devices must subscribe to the topic that the \
                 product names (`thingcall product import --sync-topic`); deploy/topics.md has all topics"
            ),
        }
    }
}

/// The topic of the next call: now and then the other one, where calls are not answered.
fn next_topic(known: Option<SyncTopic>, unanswered: u8, assumed: SyncTopic) -> SyncTopic {
    let (first, calls) = match known {
        Some(known) => (known, KNOWN_CALLS),
        None => (assumed, ASSUMED_CALLS),
    };
    match first {
        SyncTopic::Ext if unanswered % (calls + 1) == calls => SyncTopic::Rrpc,
        SyncTopic::Rrpc if unanswered % (calls + 1) == calls => SyncTopic::Ext,
        // Who was told to take it, or did before, knows no other.
        SyncTopic::Ext | SyncTopic::Rrpc | SyncTopic::Service => first,
    }
}

#[cfg(test)]
mod tests;
