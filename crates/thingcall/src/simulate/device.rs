//! One simulated device: a real MQTT connection with real credentials.
//!
//! **Invariant:** the loop that receives never waits for its own send queue.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rumqttc_v4::{
    AsyncClient, Broker, ConnectionError, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS,
    SubscribeFilter, SubscribeReasonCode,
};
use thingcall_core::{DeviceKey, Secret, UnixMillis};
use thingcall_tsl::ThingModel;
use tokio::time::sleep;

use super::answers::{self, Asked, Behaviour, DeviceAnswer};

/// Requests to its own connection that may wait; more are dropped, as a small device would.
const SEND_QUEUE_MESSAGES_MAX: usize = 4096;
const PACKET_BYTES_MAX: usize = 512 * 1024;
const KEEP_ALIVE_S: u16 = 60;
const RECONNECT_AFTER: Duration = Duration::from_secs(1);

/// A device to simulate.
#[derive(Debug, Clone)]
pub(crate) struct Device {
    /// Who it is.
    pub key: DeviceKey,
    /// What it proves itself with.
    pub secret: Secret,
    /// Whether it says `ext` at its connect, and so takes synchronous calls on `/ext/rrpc/...`.
    pub ext: bool,
    /// What it can do.
    pub model: Option<Arc<ThingModel>>,
    /// How it behaves.
    pub behaviour: Behaviour,
}

/// Host and port of a broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// A name or an IP address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl std::str::FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text.contains('@') {
            // A password does not belong into a URL, and even less into an error.
            return Err("a broker's URL holds no user (it is not shown); right is mqtt://127.0.0.1:1883".to_owned());
        }
        let wrong = || format!("{text:?} is not a broker; right is mqtt://127.0.0.1:1883");
        let rest = text.strip_prefix("mqtt://").or_else(|| text.strip_prefix("tcp://"));
        let rest = rest.or_else(|| (!text.contains("://")).then_some(text)).ok_or_else(wrong)?.trim_end_matches('/');
        let (host, port) = match rest.rsplit_once(':') {
            Some((host, port)) => (host, port.parse().map_err(|_| wrong())?),
            None => (rest, 1883),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() { Err(wrong()) } else { Ok(Self { host: host.to_owned(), port }) }
    }
}

impl From<SocketAddr> for Address {
    fn from(address: SocketAddr) -> Self {
        Self { host: address.ip().to_string(), port: address.port() }
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "mqtt://{}:{}", self.host, self.port)
    }
}

/// What a device tells about itself.
#[derive(Debug)]
pub(crate) enum Said<'a> {
    /// It is connected, and its subscriptions are granted.
    Online,
    /// The broker refused it; it tries again.
    Refused(String),
    /// Its connection ended; it tries again.
    Lost(String),
    /// It was called.
    Asked(&'a Asked),
    /// It answers.
    Answers(&'a DeviceAnswer),
}

/// Hears what devices tell. Never blocks.
pub(crate) type Listener = Arc<dyn Fn(&DeviceKey, Said<'_>) + Send + Sync>;

impl Device {
    /// Connects, answers, and reconnects, until the future is dropped.
    pub(crate) async fn run(self, broker: Address, listener: Listener) {
        let (client, mut events) = self.connection(&broker);
        let mut asked_count = 0_u64;
        loop {
            match events.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(_))) => self.subscribe(&client),
                Ok(Event::Incoming(Incoming::SubAck(ack))) => {
                    if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        listener(&self.key, Said::Refused("the broker refused a subscription".to_owned()));
                    } else {
                        listener(&self.key, Said::Online);
                    }
                }
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    let topic = String::from_utf8_lossy(&publish.topic);
                    if let Some(asked) = answers::asked(&topic, &publish.payload) {
                        asked_count += 1;
                        self.take(&asked, asked_count, &client, &listener);
                    }
                }
                Ok(_) => {}
                Err(ConnectionError::ConnectionRefused(code)) => {
                    listener(&self.key, Said::Refused(format!("the broker said {code:?}")));
                    sleep(RECONNECT_AFTER).await;
                }
                Err(error) => {
                    listener(&self.key, Said::Lost(error.to_string()));
                    sleep(RECONNECT_AFTER).await;
                }
            }
        }
    }

    fn connection(&self, broker: &Address) -> (AsyncClient, EventLoop) {
        let client_id = thingcall_alink::client_id(&self.key, self.ext, UnixMillis::now().0);
        let password = thingcall_alink::password(&self.key, &client_id, &self.secret);
        let mut options = MqttOptions::new(client_id, Broker::tcp(broker.host.as_str(), broker.port));
        options.set_credentials(format!("{}&{}", self.key.name, self.key.product), password);
        options.set_keep_alive(KEEP_ALIVE_S);
        options.set_max_packet_size(PACKET_BYTES_MAX, PACKET_BYTES_MAX);
        let (client, mut events) = AsyncClient::builder(options).capacity(SEND_QUEUE_MESSAGES_MAX).build();
        let mut network = events.network_options();
        network.set_tcp_nodelay(true);
        events.set_network_options(network);
        (client, events)
    }

    fn subscribe(&self, client: &AsyncClient) {
        let DeviceKey { product, name } = &self.key;
        let filters = [
            format!("/sys/{product}/{name}/thing/service/+"),
            format!("/sys/{product}/{name}/thing/service/property/set"),
            format!("/sys/{product}/{name}/rrpc/request/+"),
            format!("/ext/rrpc/+/sys/{product}/{name}/thing/service/+"),
        ];
        let filters = filters.map(|filter| SubscribeFilter::new(filter, QoS::AtLeastOnce));
        // A full queue cannot be: this is the first request of a connection.
        drop(client.try_subscribe_many(filters));
    }

    fn take(&self, asked: &Asked, seed: u64, client: &AsyncClient, listener: &Listener) {
        listener(&self.key, Said::Asked(asked));
        if self.behaviour.silent {
            return;
        }
        let answered = answers::answer(asked, self.model.as_ref(), self.behaviour, seed);
        if self.behaviour.delay.is_zero() {
            publish(&self.key, client, answered, listener);
            return;
        }
        let (key, client, listener, delay) = (self.key.clone(), client.clone(), listener.clone(), self.behaviour.delay);
        // Of its own, so that a slow answer does not hold up the receiving; it ends by itself.
        tokio::spawn(async move {
            sleep(delay).await;
            publish(&key, &client, answered, &listener);
        });
    }
}

/// Replies travel at QoS 0, as those of all device SDKs do.
fn publish(key: &DeviceKey, client: &AsyncClient, answered: DeviceAnswer, listener: &Listener) {
    listener(key, Said::Answers(&answered));
    let DeviceAnswer { topic, payload } = answered;
    if let Err(error) = client.try_publish(topic, payload, PublishOptions::new(QoS::AtMostOnce)) {
        listener(key, Said::Lost(error.to_string()));
    }
}
