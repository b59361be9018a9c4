//! The transport: AMQP, and what the kit makes of it.

use std::num::NonZeroUsize;
use std::sync::Arc;

use bytes::Bytes;
use thingcall_alink::letter_refusal;
use thingcall_core::{
    Broadcast, DeliverError, Delivery, DeviceKey, Letter, NotBroadcast, NotCarried, PostAnswer, Problems, Sent,
    TransportKind,
};
use thingcall_transport::{BrokerTransport, Contact, Ended, Found, NotSent, Probed, Protocol, Said};
use tracing::warn;

use crate::amqp::{Amqp, Links};
use crate::config::{Config, Presence};
use crate::connections::Connections;
use crate::outgoing::probe;
use crate::publisher::{Confirmed, NotConfirmed};

/// The way to devices through RabbitMQ.
pub type AmqpTransport = BrokerTransport<Amqp>;

impl Protocol for Amqp {
    type Config = Config;
    type Open = Arc<Links>;
    type Session = Connections;

    const KIND: TransportKind = TransportKind::Amqp;

    fn new(config: Config, contact: Contact<Arc<Links>>) -> Result<Self, Problems> {
        Self::with(config, contact)
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn contact(&self) -> &Contact<Arc<Links>> {
        &self.contact
    }

    fn unacknowledged_max(config: &Config) -> usize {
        usize::from(config.publish_channels_max.get())
    }

    fn presence_devices_max(config: &Config) -> Option<NonZeroUsize> {
        (config.presence == Presence::Rabbitmq).then_some(config.presence_devices_max)
    }

    async fn connect(self: &Arc<Self>) -> Result<Connections, Ended> {
        Connections::open(self).await
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, NotSent> {
        self.send(delivery).await
    }

    fn carries(&self, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        if let Some(why) = letter_refusal(device, &letter.to) {
            return Err(NotCarried::Topic(why));
        }
        if letter.extras.is_none() {
            return Ok(());
        }
        let why = "the devices' broker is reached by AMQP, which carries a topic and bytes to MQTT devices and nothing beside them";
        Err(NotCarried::Extras(why.to_owned()))
    }

    async fn broadcast(&self, broadcast: &Broadcast) -> Result<Sent, NotBroadcast> {
        self.publish_to_all(broadcast).await
    }

    async fn tell(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        self.answer(answer).await
    }

    fn slots_changed(&self) {
        self.slots_changed.notify_one();
    }

    fn found(&self, links: &Arc<Links>, _: Found) -> (Found, Option<String>) {
        self.look_at(&links.publisher)
    }

    fn tell_without_probe(&self) {
        warn!(
            transport = %self.contact.name, user = self.config.username,
            "the broker refuses our probe: whether it hangs is not seen; let our user write to amq.default, or set \
             `probe = false`"
        );
    }
}

impl Probed for Amqp {
    fn send_probe(self: &Arc<Self>, links: &Arc<Links>, payload: Bytes) -> impl Future<Output = Said> + Send + 'static {
        let patience = self.config.probe_timeout;
        let (publisher, message) = (links.publisher.clone(), probe(payload, &links.queue, patience));
        async move {
            match publisher.publish(message, patience).await {
                Ok(Confirmed::Routed | Confirmed::Unroutable) => Said::Taken,
                Err(NotConfirmed::Refused(_)) => Said::Refused,
                Err(NotConfirmed::Down | NotConfirmed::Blocked | NotConfirmed::Full(_) | NotConfirmed::Lost) => {
                    Said::Nothing
                }
            }
        }
    }

    fn probes(&self) -> bool {
        self.is_probed()
    }

    fn probe_refused(&self) {
        self.probe_refused_for_good();
    }
}
