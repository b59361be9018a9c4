//! The transport: MQTT, and what the kit makes of it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{
    Broadcast, DeliverError, Delivery, DeviceKey, Letter, NotBroadcast, NotCarried, PostAnswer, Problems, Sent,
    SyncTopic, TransportKind,
};
use thingcall_transport::{BrokerTransport, Contact, Ended, Found, KeptMax, NotSent, Probed, Protocol, Said};
use tracing::warn;

use crate::config::{Config, Presence};
use crate::connection::Connection;
use crate::letters;
use crate::mqtt::{Mqtt, Open};

/// The way to devices behind an external MQTT broker.
pub type MqttTransport = BrokerTransport<Mqtt>;

impl Protocol for Mqtt {
    type Config = Config;
    type Open = Open;
    type Session = Connection;

    const KIND: TransportKind = TransportKind::Mqtt;

    fn new(config: Config, contact: Contact<Open>) -> Result<Self, Problems> {
        Self::with(config, contact)
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn contact(&self) -> &Contact<Open> {
        &self.contact
    }

    fn unacknowledged_max(config: &Config) -> usize {
        usize::from(config.inflight_messages_max.get())
    }

    fn foreign_kept_max(config: &Config) -> KeptMax {
        KeptMax { replies: config.foreign_replies_kept_max, bytes: config.foreign_replies_kept_bytes_max }
    }

    fn presence_devices_max(config: &Config) -> Option<NonZeroUsize> {
        (config.presence == Presence::Emqx).then_some(config.presence_devices_max)
    }

    async fn connect(self: &Arc<Self>) -> Result<Connection, Ended> {
        Connection::open(self).await
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, NotSent> {
        Ok(self.send(delivery).await?)
    }

    fn deliver_at_once(&self, delivery: &Delivery) -> Option<Result<Sent, NotSent>> {
        self.send_unacknowledged(delivery).map(|sent| Ok(sent?))
    }

    fn carries(&self, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        letters::carries(&self.config, device, letter)
    }

    async fn broadcast(&self, broadcast: &Broadcast) -> Result<Sent, NotBroadcast> {
        self.publish_to_all(broadcast).await
    }

    async fn tell(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        self.answer(answer)
    }

    fn sync_topic(&self) -> Option<SyncTopic> {
        Some(self.config.sync_topic)
    }

    fn slots_changed(&self) {
        self.hear_taken_over();
    }

    fn found(&self, _: &Open, before: Found) -> (Found, Option<String>) {
        self.look_at(before)
    }

    fn tell_without_probe(&self) {
        warn!(
            transport = %self.contact.name, topic = self.config.probe_topic,
            "devices answer, but the broker's access rules forbid the probe: whether it hangs is not seen; allow the \
             topic, or set `probe = false`"
        );
    }

    fn ended(&self) {
        self.ends();
    }
}

impl Probed for Mqtt {
    fn hear_probes(&self, open: &Open) -> bool {
        open.client.subscribe_to_own(&self.config.probe_topic)
    }

    fn send_probe(self: &Arc<Self>, open: &Open, probe: Bytes) -> impl Future<Output = Said> + Send + 'static {
        let word = self.publish_probe(&open.client, probe);
        async move {
            let Some(word) = word else { return Said::Nothing };
            match word.wait().await {
                Ok(()) | Err(DeliverError::Offline) => Said::Taken,
                Err(DeliverError::Refused(_)) => Said::Refused,
                Err(
                    DeliverError::Down
                    | DeliverError::Lost
                    | DeliverError::QueueFull(_)
                    | DeliverError::TooLarge { .. },
                ) => Said::Nothing,
            }
        }
    }
}
