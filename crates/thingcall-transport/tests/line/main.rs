//! A small transport over the kit, through all that may happen to one. `README.md` beside this crate walks through it.

#![allow(clippy::expect_used, clippy::panic, reason = "what goes wrong ends the test")]
#![allow(unreachable_pub, reason = "a transport is a library, and this one is read as such")]

mod broker;
mod transport;

use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;

use broker::Broker;
use thingcall_core::{
    Args, Arrival, CallId, CallMode, DeliverError, Delivery, Device, DeviceKey, Dropped, HeardOnce, IotId, Login, Post,
    PresenceSink, Qos, RawReply, Reply, ReplySink, Sent, Slots, Transport, TransportName, UnixMillis,
};
use thingcall_transport::{Around, Protocol};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use transport::{Config, LineTransport};

const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Seen(DeviceKey),
    Reply(Option<CallId>),
    /// What the transport had done by then.
    Lost {
        refuses: bool,
        queue_is_gone: bool,
    },
}

/// What the engine and the store are to a transport.
struct Engine {
    tell: mpsc::UnboundedSender<Told>,
    transport: OnceLock<Weak<LineTransport>>,
    queue: OnceLock<mpsc::Sender<String>>,
}

impl Engine {
    fn tell(&self, told: Told) {
        self.tell.send(told).expect("the test listens");
    }
}

impl ReplySink for Engine {
    fn dropped(&self, dropped: Dropped<'_>) {
        panic!("{:?} on {}", dropped.reason, dropped.topic);
    }

    fn accept(&self, reply: Reply, _topic: &str, _arrival: &dyn Arrival) {
        self.tell(Told::Reply(reply.payload_id));
    }

    fn speaks_raw(&self, _: &DeviceKey) -> bool {
        false
    }

    fn accept_raw(&self, raw: RawReply, _topic: &str, _arrival: &dyn Arrival) {
        panic!("{raw:?}");
    }

    fn accept_post(&self, post: Post, _by: TransportName, _topic: &str, _arrival: &dyn Arrival) {
        panic!("{post:?}");
    }

    fn accept_raw_post(&self, raw: RawReply, _heard: HeardOnce, _topic: &str, _arrival: &dyn Arrival) {
        panic!("{raw:?}");
    }

    fn waits_for(&self, _product: &str, _name: &str) -> bool {
        false
    }

    fn device_gone(&self, device: &DeviceKey, _: TransportName) {
        panic!("a broker does not say so of {device}");
    }

    fn transport_lost(&self, name: TransportName) {
        assert_eq!(name, TransportName::MQTT);
        let transport = self.transport.get().and_then(Weak::upgrade).expect("the transport is there");
        let refuses = transport.protocol().contact().present().is_none() && !transport.ready();
        self.tell(Told::Lost { refuses, queue_is_gone: self.queue.get().is_some_and(mpsc::Sender::is_closed) });
    }
}

impl PresenceSink for Engine {
    fn online(&self, _: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {}
    fn offline(&self, _: &DeviceKey, _: UnixMillis) {}
    fn logged_in(&self, _: &DeviceKey, _: &Login<'_>, _: UnixMillis) {}
    fn seen(&self, device: &DeviceKey, _: TransportName, _: UnixMillis) {
        self.tell(Told::Seen(device.clone()));
    }
}

fn device() -> DeviceKey {
    DeviceKey { product: "pk".parse().expect("a key"), name: "d1".parse().expect("a name") }
}

fn call(id: u32) -> Delivery {
    let iot_id = IotId::try_from("i").expect("an id");
    Delivery {
        letter: None,
        id: CallId::from_u32(id),
        device: Arc::new(Device { key: device(), iot_id, enabled: true, transport: None }),
        service: "Measure".parse().expect("a service"),
        raw: None,
        params: Args::checked("{}"),
        mode: CallMode::Sync,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
        trace: None,
    }
}

async fn ready(transport: &LineTransport) {
    let deadline = Instant::now() + PATIENCE;
    while !transport.ready() {
        assert!(Instant::now() < deadline, "{:?}", transport.failure());
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn a_small_transport_has_all_that_the_kit_gives() {
    let broker = Broker::start().await;
    let (tell, mut told) = mpsc::unbounded_channel();
    let engine = Arc::new(Engine { tell, transport: OnceLock::new(), queue: OnceLock::new() });
    let config = Config { url: broker.url(), reconnect_pause_min: Duration::from_millis(10), ..Config::default() };
    let registry = prometheus::Registry::new();
    let slots = Slots::alone(0);
    let around = Around { replies: engine.clone(), presence: engine.clone(), slots: slots.clone() };
    let transport = LineTransport::start(TransportName::MQTT, config, around, &registry);
    let transport = transport.expect("the configuration is right");
    engine.transport.set(Arc::downgrade(&transport)).expect("it is set once");
    let mut next = async || timeout(PATIENCE, told.recv()).await.expect("it comes in time").expect("it comes");

    // Nothing is taken before the broker has granted the subscriptions.
    assert_eq!(transport.deliver(&call(1)).await, Err(DeliverError::Down));

    // A command goes out, and its reply comes in.
    let mut peer = broker.let_in().await;
    ready(&transport).await;
    assert_eq!(transport.deliver(&call(2)).await, Ok(Sent::Sent));
    let command = peer.line().await;
    assert!(command.starts_with("PUB /sys/pk/d1/rrpc/request/2 {"), "{command}");
    peer.say(r#"MSG /sys/pk/d1/rrpc/response/2 {"id":"2","code":200}"#).await;
    assert_eq!(next().await, Told::Seen(device()));
    assert_eq!(next().await, Told::Reply(Some(CallId::from_u32(2))));

    // Its connection is lost: the engine is told when nothing is taken any more and the queue is gone.
    let queue = transport.protocol().contact().present().expect("it is connected");
    engine.queue.set(queue).expect("it is set once");
    drop(peer);
    assert_eq!(next().await, Told::Lost { refuses: true, queue_is_gone: true });

    // It comes back, and sends what is new alone.
    let mut peer = broker.let_in().await;
    ready(&transport).await;
    assert_eq!(transport.deliver(&call(3)).await, Ok(Sent::Sent));
    assert!(peer.line().await.contains("request/3 "));

    // It ends.
    transport.shutdown(PATIENCE).await;
    assert_eq!(next().await, Told::Lost { refuses: true, queue_is_gone: true });
    assert_eq!(transport.deliver(&call(4)).await, Err(DeliverError::Down));
    assert_eq!(peer.line().await, "");
    let counted = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).expect("metrics are text");
    for line in [
        r#"thingcall_transport_published_total{result="sent",transport="mqtt"} 2"#,
        r#"thingcall_transport_received_total{kind="reply",transport="mqtt"} 1"#,
        r#"thingcall_transport_connects_total{result="ok",transport="mqtt"} 2"#,
        r#"thingcall_transport_up{transport="mqtt"} 0"#,
    ] {
        assert!(counted.contains(line), "{counted}");
    }
}
