//! The configuration: one TOML file, and environment variables that win over it.
//!
//! This file only composes: each part's keys, defaults and meaning stand in its own crate.
//!
//! **Invariant:** no file and no variable at all is a working configuration; an unknown key is never ignored.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, ProductKey, Section, TransportName};
use thingcall_engine::Shown;
use thingcall_loader::Sections;
use thingcall_transport::BrokerSection;

use crate::logs::Log;

mod first_key;
mod instance;
mod listeners;
mod load;
mod places;
mod runtime;
mod secret_files;
mod settings;
mod shared;
mod sources;
mod words;

pub(crate) use instance::{INSTANCE_NAME_CHARS_MAX, Named, is_of_instance_name};
pub(crate) use load::{Reading, read};
pub(crate) use settings::{Changed, Setting, Values, differing, in_force};
pub(crate) use shared::{Shared, SharedBy};
pub(crate) use sources::{Flag, Found, Place, Problems, Sources};
pub(crate) use words::list as transports_in_words;

/// Everything that can be configured.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Config {
    /// The folder with everything that is kept.
    pub data: PathBuf,
    /// The HTTP front.
    pub api: thingcall_api::Config,
    /// What this server is called among those that share its store.
    pub instance: Named,
    /// What it runs on.
    pub runtime: runtime::Runtime,
    /// The path of calls.
    pub engine: thingcall_engine::Config,
    /// The embedded MQTT broker.
    pub broker: thingcall_broker::Config,
    /// An external MQTT broker, instead of the embedded one or beside it; none unless the section is there.
    pub mqtt: Option<thingcall_mqtt::Config>,
    /// Further external MQTT brokers, by name.
    pub mqtt_brokers: BTreeMap<TransportName, thingcall_mqtt::Config>,
    /// A RabbitMQ, spoken to by AMQP; none unless the section is there.
    pub amqp: Option<thingcall_amqp::Config>,
    /// Further ones, by name.
    pub amqp_brokers: BTreeMap<TransportName, thingcall_amqp::Config>,
    /// Answers external brokers that ask about devices.
    pub gate: thingcall_gate::Config,
    /// Where applications read what goes to their consumer groups.
    pub subscription: thingcall_consumers::Config,
    /// Where messages are sent to over HTTP, by name.
    pub webhooks: thingcall_webhook::Targets,
    /// Devices that come for their secrets.
    pub registration: crate::registrar::Config,
    /// Products, devices, keys, records.
    pub store: thingcall_store::Config,
    /// Messages for applications.
    pub messages: thingcall_store::MessagesConfig,
    /// Records of calls.
    pub records: thingcall_store::RecordsConfig,
    /// The access key of a store that has none.
    pub first_key: first_key::FirstKey,
    /// What instances that share a store share beside it, and where.
    pub shared: Shared,
    /// Where plugins come from and what every one of them may.
    pub loader: thingcall_loader::Config,
    /// How plugins are treated, by their names. A plugin needs no section.
    pub plugins: thingcall_loader::PluginConfigs,
    /// `/metrics`, `/healthz`, `/readyz`.
    pub metrics: Metrics,
    /// Traces, and where their spans go.
    pub traces: thingcall_traces::Config,
    /// Pages for people.
    pub console: thingcall_console::Config,
    /// What is logged.
    pub log: Log,
    /// How the program ends.
    pub shutdown: Shutdown,
    /// All of it as it was read, for people.
    #[serde(skip)]
    pub in_force: Values,
}

impl Config {
    /// What is wrong with the values, although each could be read.
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        for (name, section) in self.sections() {
            check.section(&name, section);
        }
        check.section("plugins", &Sections(&self.plugins));
        let mut all = check.into_problems();
        all.extend(self.problems_of_names());
        all.extend(listeners::problems(self));
        if self.store.url.is_none() {
            all.extend(self.shared.problems_alone());
        }
        all
    }

    /// As whom it connects to brokers, where that is configured: each client id with its broker.
    pub(crate) fn clients(&self) -> Vec<String> {
        let brokers = self.mqtt.iter().chain(self.mqtt_brokers.values());
        let named = brokers.filter_map(|one| Some(format!("{} at {}", one.client_id.as_deref()?, one.url)));
        named.collect()
    }

    /// Whether used nonces are remembered by this process alone, and not longer than it runs.
    pub(crate) fn remembers_alone(&self) -> bool {
        self.store.url.is_none() || self.shared.nonces == SharedBy::Local
    }

    /// What the engine is made with.
    pub(crate) fn engine(&self) -> thingcall_engine::Config {
        thingcall_engine::Config { shown: self.metrics.shown(), ..self.engine.clone() }
    }

    /// What the store is opened with.
    pub(crate) fn store(&self) -> thingcall_store::Config {
        let (messages, records) = (self.messages.clone(), self.records.clone());
        thingcall_store::Config { messages, records, ..self.store.clone() }
    }

    /// All sections that can be looked at alone, by name.
    pub(crate) fn sections(&self) -> Vec<(String, &dyn Section)> {
        let mut all: Vec<(String, &dyn Section)> = vec![
            ("api".to_owned(), &self.api),
            ("instance".to_owned(), &self.instance),
            ("runtime".to_owned(), &self.runtime),
            ("engine".to_owned(), &self.engine),
            ("broker".to_owned(), &self.broker),
            ("gate".to_owned(), &self.gate),
            ("subscription".to_owned(), &self.subscription),
            ("registration".to_owned(), &self.registration),
            ("store".to_owned(), &self.store),
            ("messages".to_owned(), &self.messages),
            ("records".to_owned(), &self.records),
            ("first_key".to_owned(), &self.first_key),
            ("shared".to_owned(), &self.shared),
            ("loader".to_owned(), &self.loader),
            ("metrics".to_owned(), &self.metrics),
            ("traces".to_owned(), &self.traces),
            ("console".to_owned(), &self.console),
            ("log".to_owned(), &self.log),
        ];
        all.extend(self.webhooks.iter().map(|(name, target)| (format!("webhooks.{name}"), target as &dyn Section)));
        all.extend(self.external().into_iter().map(|(key, section, _)| (key, section)));
        all
    }

    /// The addresses of external brokers, by key.
    fn broker_urls(&self) -> Vec<(String, &str)> {
        self.external().into_iter().map(|(key, _, url)| (format!("{key}.url"), url)).collect()
    }

    /// The sections of external brokers, by key, with their addresses.
    fn external(&self) -> Vec<(String, &dyn Section, &str)> {
        fn add<'a, S: BrokerSection>(
            all: &mut Vec<(String, &'a dyn Section, &'a str)>,
            kind: &str,
            one: Option<&'a S>,
            named: &'a BTreeMap<TransportName, S>,
        ) {
            let one = one.map(|section| (kind.to_owned(), section));
            let named = named.iter().map(|(name, section)| (format!("{kind}_brokers.{name}"), section));
            all.extend(one.into_iter().chain(named).map(|(key, section)| {
                let url = section.keys().url;
                (key, section as &dyn Section, url)
            }));
        }
        let mut all = Vec::new();
        add(&mut all, "mqtt", self.mqtt.as_ref(), &self.mqtt_brokers);
        add(&mut all, "amqp", self.amqp.as_ref(), &self.amqp_brokers);
        all
    }

    /// Names tell transports apart, so each has one of its own.
    fn problems_of_names(&self) -> Vec<Problem> {
        let mut all = Vec::new();
        let mqtt = self.mqtt_brokers.keys().map(|name| ("mqtt_brokers", *name));
        let amqp = self.amqp_brokers.keys().map(|name| ("amqp_brokers", *name));
        let mut taken = vec![TransportName::EMBEDDED, TransportName::MQTT, TransportName::AMQP];
        for (section, name) in mqtt.chain(amqp) {
            if taken.contains(&name) {
                let key = format!("{section}.{name}");
                all.push(Problem::new(key, "the name of another transport", "a name of its own"));
            }
            taken.push(name);
        }
        let amqp = self.amqp.iter().map(|amqp| ("amqp".to_owned(), amqp));
        let named = self.amqp_brokers.iter().map(|(name, amqp)| (format!("amqp_brokers.{name}"), amqp));
        let all_amqp: Vec<_> = amqp.chain(named).collect();
        let exchange = |of: fn(&thingcall_amqp::Config) -> Option<&String>, key| {
            let publish = all_amqp.iter().filter_map(move |(section, amqp)| Some((section, of(amqp)?)));
            publish.skip(1).map(move |(section, exchange)| {
                let value = format_args!("{exchange:?}, and another broker has one too").to_string();
                Problem::new(format!("{section}.{key}"), value, "one broker's alone")
            })
        };
        all.extend(exchange(|amqp| amqp.results_exchange.as_ref(), "results_exchange"));
        all.extend(exchange(|amqp| amqp.messages_exchange.as_ref(), "messages_exchange"));
        all.extend(self.problems_of_topics());
        let transports = self.transports();
        all.extend(self.problems_of_gate(&transports));
        if let Some(name) = self.engine.default_transport.filter(|name| !transports.contains(name)) {
            let right = format!("the name of a transport that is configured: {}", words::list(&transports));
            all.push(Problem::new("engine.default_transport", name, right));
        }
        all
    }

    /// Messages are published by one MQTT broker, as their reader is one.
    fn problems_of_topics(&self) -> Vec<Problem> {
        let mqtt = self.mqtt.iter().map(|mqtt| ("mqtt".to_owned(), mqtt));
        let named = self.mqtt_brokers.iter().map(|(name, mqtt)| (format!("mqtt_brokers.{name}"), mqtt));
        let publish = mqtt.chain(named).filter_map(|(section, mqtt)| Some((section, mqtt.messages_topic.as_ref()?)));
        let wrong = |(section, topic): (String, &String)| {
            let value = format_args!("{topic:?}, and another broker has one too").to_string();
            Problem::new(format!("{section}.messages_topic"), value, "one broker's alone")
        };
        publish.skip(1).map(wrong).collect()
    }

    /// Whom the gate vouches for. A default that is not there is of a broker that does not ask.
    fn problems_of_gate(&self, transports: &[TransportName]) -> Vec<Problem> {
        let default = thingcall_gate::Config::default();
        let brokers = [
            ("gate.rabbitmq.transport", self.gate.rabbitmq.transport, default.rabbitmq.transport),
            ("gate.emqx.transport", self.gate.emqx.transport, default.emqx.transport),
            ("gate.mosquitto.transport", self.gate.mosquitto.transport, default.mosquitto.transport),
        ];
        let wrong = |(key, name, default)| {
            let right = format!("the name of a transport that is configured: {}", words::list(transports));
            (name != default && !transports.contains(&name)).then(|| Problem::new(key, name, right))
        };
        if self.gate.listen.is_some() { brokers.into_iter().filter_map(wrong).collect() } else { Vec::new() }
    }

    /// Whether a transport knows which of its devices are connected.
    pub(crate) fn tells_of_devices(&self, transport: TransportName) -> bool {
        let mqtt = self.mqtt.iter().map(|mqtt| (TransportName::MQTT, mqtt));
        let mqtt = mqtt.chain(self.mqtt_brokers.iter().map(|(name, mqtt)| (*name, mqtt)));
        let amqp = self.amqp.iter().map(|amqp| (TransportName::AMQP, amqp));
        let amqp = amqp.chain(self.amqp_brokers.iter().map(|(name, amqp)| (*name, amqp)));
        let mqtt = mqtt.map(|(name, mqtt)| (name, mqtt.presence != thingcall_mqtt::Presence::None));
        let amqp = amqp.map(|(name, amqp)| (name, amqp.presence != thingcall_amqp::Presence::None));
        transport == TransportName::EMBEDDED || mqtt.chain(amqp).any(|(name, tells)| tells && name == transport)
    }

    /// The names of the transports that there will be.
    pub(crate) fn transports(&self) -> Vec<TransportName> {
        let own = [
            (TransportName::EMBEDDED, self.broker.enabled),
            (TransportName::MQTT, self.mqtt.is_some()),
            (TransportName::AMQP, self.amqp.is_some()),
        ];
        let own = own.into_iter().filter_map(|(name, there)| there.then_some(name));
        own.chain(self.mqtt_brokers.keys().copied()).chain(self.amqp_brokers.keys().copied()).collect()
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data: PathBuf::from("thingcall-data"),
            api: thingcall_api::Config::default(),
            instance: Named::default(),
            runtime: runtime::Runtime::default(),
            engine: thingcall_engine::Config::default(),
            broker: thingcall_broker::Config::default(),
            mqtt: None,
            mqtt_brokers: BTreeMap::new(),
            amqp: None,
            amqp_brokers: BTreeMap::new(),
            gate: thingcall_gate::Config::default(),
            subscription: thingcall_consumers::Config::default(),
            webhooks: thingcall_webhook::Targets::new(),
            registration: crate::registrar::Config::default(),
            store: thingcall_store::Config::default(),
            messages: thingcall_store::MessagesConfig::default(),
            records: thingcall_store::RecordsConfig::default(),
            first_key: first_key::FirstKey::default(),
            shared: Shared::default(),
            loader: thingcall_loader::Config::default(),
            plugins: thingcall_loader::PluginConfigs::new(),
            metrics: Metrics::default(),
            traces: thingcall_traces::Config::default(),
            console: thingcall_console::Config::default(),
            log: Log::default(),
            shutdown: Shutdown::default(),
            in_force: Values::new(),
        }
    }
}

/// The operator's listener.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Metrics {
    /// Where it listens. Apart from the API, so that scraping works while draining and needs no key.
    pub listen: SocketAddr,
    /// TLS of its own; without it, it speaks HTTP.
    pub tls: Option<thingcall_listen::Tls>,
    /// How long a request's head may take, and how long a connection may idle between two.
    #[serde(with = "humantime_serde")]
    pub header_read_timeout: Duration,
    /// How long an answer may take to be read.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// How many connections are open at once. One more takes the place of the one that has waited longest.
    pub connections_max: NonZeroUsize,
    /// The products that have series of their own in three families; all others are `_other`. Without any, there is no such label.
    pub products: Vec<ProductKey>,
    /// What the lists of devices that fail or are slow most often (`thingcall top`) may take.
    pub top_bytes_max: NonZeroUsize,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: local(9464),
            tls: None,
            header_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(10),
            connections_max: NonZeroUsize::new(64).unwrap_or(NonZeroUsize::MIN),
            products: Vec::new(),
            top_bytes_max: Shown::default().top_bytes_max,
        }
    }
}

impl Metrics {
    /// What the engine shows of calls.
    pub(crate) fn shown(&self) -> Shown {
        Shown { products: self.products.clone(), top_bytes_max: self.top_bytes_max }
    }
}

impl Section for Metrics {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.more_than_zero("header_read_timeout", self.header_read_timeout);
        check.more_than_zero("write_timeout", self.write_timeout);
        let (products, max) = (self.products.len(), Shown::PRODUCTS_MAX);
        check.must(products <= max, "products", format_args!("{products} products"), format!("{max} at most"));
        check.must(
            self.products.iter().all(|product| product.as_str() != Shown::OTHER),
            "products",
            Shown::OTHER,
            "another name: all products that are not listed are called so",
        );
        check.at_least("top_bytes_max", self.top_bytes_max.get(), Shown::TOP_BYTES_MIN);
        check.into_problems()
    }
}

/// How the program ends.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Shutdown {
    /// How long the API still takes calls after SIGTERM while `/readyz` says already that it will not.
    #[serde(with = "humantime_serde")]
    pub ready_pause: Duration,
    /// How long calls that wait for their device may still get their answer.
    #[serde(with = "humantime_serde")]
    pub drain: Duration,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self { ready_pause: Duration::from_secs(2), drain: Duration::from_secs(10) }
    }
}

const fn local(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

#[cfg(test)]
mod tests;
