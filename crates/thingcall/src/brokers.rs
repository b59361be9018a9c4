//! The ways to devices that a server has: the embedded broker, external ones, and the gate for those that ask.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use futures::future::join_all;
use prometheus::Registry as Metering;
use thingcall_amqp::{AmqpTransport, Messages, Results};
use thingcall_broker::{Broker, Sockets};
use thingcall_core::{Registrar, Slots, Transport, TransportName, Weight};
use thingcall_engine::Engine;
use thingcall_gate::{Gate, GateParts};
use thingcall_listen::Serving;
use thingcall_mqtt::MqttTransport;
use thingcall_store::Store;
use thingcall_transport::{Around, BrokerTransport, Protocol};
use tokio::net::TcpListener;
use tracing::warn;

use crate::config::Config;
use crate::own_tls::Certificates;
use crate::readiness::Readiness;
use crate::watched::Watched;

/// What runs.
pub(crate) struct Brokers {
    embedded: Option<Arc<Broker>>,
    mqtt: Vec<Arc<MqttTransport>>,
    amqp: Vec<Arc<AmqpTransport>>,
    /// Where brokers ask for credentials.
    gate: Option<(SocketAddr, Serving)>,
}

/// What they need.
pub(crate) struct BrokerNeeds<'a> {
    pub config: &'a Config,
    pub store: &'a Arc<Store>,
    pub engine: &'a Arc<Engine>,
    pub registrar: &'a Arc<dyn Registrar>,
    pub certificates: &'a Certificates,
    pub slots: &'a Slots,
    pub metering: &'a Metering,
    pub readiness: &'a Readiness,
}

impl Brokers {
    /// Starts all that the configuration names and attaches them to the engine. The gate listens on `gate`,
    /// the embedded broker on `embedded`.
    ///
    /// # Errors
    /// What could not be started, and what to change.
    pub(crate) fn start(
        parts: &BrokerNeeds<'_>,
        gate: Option<TcpListener>,
        embedded: Option<Sockets>,
    ) -> anyhow::Result<Self> {
        let config = parts.config;
        // Before the external brokers, whose devices cannot log in without it.
        let gate = gate.map(|listener| parts.gate(listener)).transpose()?;
        let embedded = embedded.map(|sockets| parts.embedded(sockets)).transpose()?;
        let mqtt = config.mqtt.iter().map(|mqtt| (TransportName::MQTT, mqtt));
        let mqtt = mqtt.chain(config.mqtt_brokers.iter().map(|(name, mqtt)| (*name, mqtt)));
        // SQLite has one server.
        let is_alone = config.store.url.is_none();
        let mqtt = mqtt.map(|(name, mqtt)| (name, if is_alone { mqtt.clone().alone() } else { mqtt.clone() }));
        let amqp = config.amqp.iter().map(|amqp| (TransportName::AMQP, amqp));
        let amqp = amqp.chain(config.amqp_brokers.iter().map(|(name, amqp)| (*name, amqp)));
        let brokers = Self {
            embedded,
            mqtt: mqtt.map(|(name, config)| parts.external("MQTT", name, config)).collect::<Result<_, _>>()?,
            amqp: amqp.map(|(name, config)| parts.external("AMQP", name, config.clone())).collect::<Result<_, _>>()?,
            gate,
        };
        if brokers.embedded.is_none() && brokers.mqtt.is_empty() && brokers.amqp.is_empty() {
            let why = "no device can connect: [broker] is not enabled, and there is neither [mqtt] nor [amqp]";
            warn!("{why}");
            parts.readiness.conditions().add("transport", Weight::Required).fails(why);
        }
        Ok(brokers)
    }

    /// Where devices connect to the embedded broker.
    pub(crate) fn mqtt_address(&self) -> Option<SocketAddr> {
        self.embedded.as_ref().map(|broker| broker.local_addr())
    }

    /// Where brokers ask for credentials.
    pub(crate) fn gate_address(&self) -> Option<SocketAddr> {
        self.gate.as_ref().map(|(address, _)| *address)
    }

    /// Who publishes results of asynchronous calls.
    pub(crate) fn results(&self) -> Option<Results> {
        self.amqp.iter().find_map(|amqp| Results::of(amqp))
    }

    /// Who publishes messages of every kind.
    pub(crate) fn messages(&self) -> Option<Messages> {
        self.amqp.iter().find_map(|amqp| Messages::of(amqp))
    }

    /// Who publishes messages of every kind on topics; connects for it.
    pub(crate) fn topics(&self) -> Option<thingcall_mqtt::Messages> {
        self.mqtt.iter().find_map(|mqtt| thingcall_mqtt::Messages::start(mqtt))
    }

    /// The broker whose connections we can close. Others cannot be told to: what a device does there, the gate checks.
    pub(crate) fn embedded(&self) -> Option<Arc<Broker>> {
        self.embedded.clone()
    }

    /// Closes all connections, each kind within this time.
    pub(crate) async fn stop(self, within: Duration) {
        if let Some(broker) = &self.embedded {
            broker.shutdown().await;
        }
        join_all(self.mqtt.iter().map(|mqtt| mqtt.shutdown(within))).await;
        join_all(self.amqp.iter().map(|amqp| amqp.shutdown(within))).await;
        // Last of all: other devices of those brokers may log in meanwhile.
        if let Some((_, gate)) = self.gate {
            // What has not ended by then is cut.
            gate.stop(within).await.ok();
        }
    }
}

impl BrokerNeeds<'_> {
    fn embedded(&self, sockets: Sockets) -> anyhow::Result<Arc<Broker>> {
        let parts = thingcall_broker::BrokerParts {
            credentials: self.store.clone(),
            outbox: self.store.clone(),
            presence: self.presence(),
            replies: self.engine.clone(),
            registrar: Some(self.registrar.clone()),
        };
        let broker = Broker::start_on(sockets, self.config.broker.clone(), parts, self.metering);
        let broker = broker.context("the embedded MQTT broker")?;
        self.attach(broker.clone());
        Ok(broker)
    }

    /// Starts one external broker's transport; `what` it is, for errors.
    fn external<P: Protocol>(
        &self,
        what: &str,
        name: TransportName,
        config: P::Config,
    ) -> anyhow::Result<Arc<BrokerTransport<P>>> {
        let (replies, presence, slots) = (self.engine.clone(), self.presence(), self.slots.clone());
        let transport = BrokerTransport::start(name, config, Around { replies, presence, slots }, self.metering)
            .with_context(|| format!("the {what} broker {name}"))?;
        self.attach(transport.clone());
        Ok(transport)
    }

    /// Who takes note of devices coming and going.
    fn presence(&self) -> Arc<Watched> {
        Watched::new(self.store, self.engine.watches())
    }

    fn attach(&self, transport: Arc<dyn Transport>) {
        self.readiness.watch(transport.clone());
        self.engine.attach(transport);
    }

    fn gate(&self, listener: TcpListener) -> anyhow::Result<(SocketAddr, Serving)> {
        let parts = GateParts { credentials: self.store.clone(), presence: self.presence() };
        let gate = Gate::new(self.config.gate.clone(), parts, self.metering)?;
        Ok((listener.local_addr()?, gate.serve_tls(listener, self.certificates.of("gate"))))
    }
}
