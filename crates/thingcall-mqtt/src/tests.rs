//! The transport against a broker that does what brokers do on their bad days.

mod broker;
mod foreign;
mod messages;
mod posts;
mod presence;
mod probe;
mod raw;
mod sessions;
mod tls;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use broker::{Broker, DISCONNECT, PUBLISH};
use thingcall_core::{
    Args, Arrival, CallId, CallMode, Deadline, DeliverError, Delivery, Device, DeviceKey, DropReason, HeardOnce, IotId,
    Post, PresenceSink, Qos, RawReply, Receipt, Reply, ReplySink, Sent, Slots, Transport, TransportName, UnixMillis,
};
use thingcall_transport::Around;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::{Config, MqttTransport, Posts, Version};

const PATIENCE: Duration = Duration::from_secs(20);
const VERSIONS: [Version; 2] = [Version::V4, Version::V5];

#[derive(Debug)]
enum Told {
    Reply(Reply),
    Raw(RawReply),
    Post(Post),
    OtherInstance(Option<DeviceKey>),
    Lost,
}

/// What devices say whose names begin with `held` is held; these are the receipts.
type Held = Arc<Mutex<Vec<Receipt>>>;

struct Engine(mpsc::UnboundedSender<Told>, Held);

impl ReplySink for Engine {
    fn dropped(&self, dropped: thingcall_core::Dropped<'_>) {
        if dropped.reason == DropReason::OtherInstance {
            self.0.send(Told::OtherInstance(dropped.device.cloned())).unwrap();
        }
    }

    fn waits_for(&self, _: &str, name: &str) -> bool {
        name == "waited-for"
    }

    fn accept(&self, reply: Reply, _topic: &str, arrival: &dyn Arrival) {
        if reply.device.name.as_str().starts_with("held") {
            self.1.lock().unwrap().push(arrival.hold());
        }
        self.0.send(Told::Reply(reply)).unwrap();
    }

    fn speaks_raw(&self, device: &DeviceKey) -> bool {
        device.name.as_str().starts_with("raw")
    }

    fn accept_raw(&self, raw: RawReply, _topic: &str, _arrival: &dyn Arrival) {
        self.0.send(Told::Raw(raw)).unwrap();
    }

    fn accept_post(&self, post: Post, _by: TransportName, _topic: &str, arrival: &dyn Arrival) {
        if post.device.name.as_str().starts_with("held") {
            self.1.lock().unwrap().push(arrival.hold());
        }
        self.0.send(Told::Post(post)).unwrap();
    }

    fn accept_raw_post(&self, raw: RawReply, _heard: HeardOnce, topic: &str, _arrival: &dyn Arrival) {
        panic!("nobody here posts: {raw:?} on {topic}");
    }

    fn device_gone(&self, device: &DeviceKey, _: TransportName) {
        panic!("a broker does not say so of {device}");
    }

    fn transport_lost(&self, _: TransportName) {
        self.0.send(Told::Lost).unwrap();
    }
}

impl PresenceSink for Engine {
    fn online(&self, _: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {}
    fn offline(&self, _: &DeviceKey, _: UnixMillis) {}
    fn seen(&self, _: &DeviceKey, _: TransportName, _: UnixMillis) {}
    fn logged_in(&self, _: &DeviceKey, _: &thingcall_core::Login<'_>, _: UnixMillis) {}
}

struct Bench {
    transport: Arc<MqttTransport>,
    told: mpsc::UnboundedReceiver<Told>,
    slots: Slots,
    held: Held,
    registry: prometheus::Registry,
}

impl Bench {
    fn start(broker: &Broker, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            url: broker.url(),
            version: broker.version,
            // Where it is not what is tested, it would stand between the packets that are.
            probe: false,
            posts: Some(Posts::None),
            reconnect_pause_min: Duration::from_millis(10),
            reconnect_pause_max: Duration::from_millis(10),
            ..Config::default()
        };
        change(&mut config);
        let (tell, told) = mpsc::unbounded_channel();
        let held = Held::default();
        let (engine, registry) = (Arc::new(Engine(tell, held.clone())), prometheus::Registry::new());
        let slots = Slots::alone(0);
        let around = Around { replies: engine.clone(), presence: engine, slots: slots.clone() };
        let transport = MqttTransport::start(TransportName::MQTT, config, around, &registry).unwrap();
        Self { transport, told, slots, held, registry }
    }

    async fn ready(&self) {
        let deadline = Instant::now() + PATIENCE;
        while !self.transport.ready() {
            assert!(Instant::now() < deadline, "not ready");
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// As the engine does it.
    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        match self.transport.deliver_at_once(delivery) {
            Some(sent) => sent,
            None => timeout(PATIENCE, self.transport.deliver(delivery)).await.unwrap(),
        }
    }

    async fn told(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.unwrap().unwrap()
    }

    /// A metric by its name within the transport's and, where it has one, its label. Read from the text: the types
    /// behind it differ with the features that other crates turn on.
    fn metric(&self, name: &str, label: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let series = format!("thingcall_transport_{name}{{");
        let line = text.lines().find(|line| line.starts_with(&series) && line.contains(&format!("{label}\"")));
        line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
    }
}

fn delivery(id: u32, qos: Qos) -> Delivery {
    let key = DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() };
    Delivery {
        letter: None,
        id: CallId::from_u32(id),
        device: Arc::new(Device { key, iot_id: IotId::try_from("i").unwrap(), enabled: true, transport: None }),
        service: "Measure".parse().unwrap(),
        raw: None,
        params: Args::checked("{}"),
        mode: CallMode::Sync,
        qos,
        deadline: Some(Deadline::at((Instant::now() + PATIENCE).into_std())),
        sync_topic: None,
        trace: None,
    }
}

fn with_params(params: &str) -> Delivery {
    Delivery { raw: None, params: Args::checked(params), ..delivery(7, Qos::AtMostOnce) }
}

#[tokio::test]
async fn deliveries_are_refused_until_the_subscriptions_are_granted() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |_| {});
        let refused = Err(DeliverError::Down);
        assert_eq!(bench.deliver(&delivery(1, Qos::AtMostOnce)).await, refused);
        let mut session = broker.accept().await;
        session.welcome(None).await;
        assert_eq!(bench.deliver(&delivery(2, Qos::AtMostOnce)).await, refused);
        session.answer_subscriptions([0, 1, 1, 0, 1, 1, 0, 1]).await;
        bench.ready().await;
        // What the broker acknowledges takes its time.
        assert_eq!(bench.transport.deliver_at_once(&delivery(9, Qos::AtLeastOnce)), None);
        assert_eq!(bench.transport.deliver_at_once(&delivery(3, Qos::AtMostOnce)), Some(Ok(Sent::Sent)));
        let publish = session.packet().await;
        assert!(publish.kind == PUBLISH && publish.holds("/sys/pk/d1/rrpc/request/3"), "{publish:?}");
        assert_eq!((bench.metric("up", ""), bench.metric("connects_total", "ok")), (1.0, 1.0));
    }
}

#[tokio::test]
async fn a_refused_subscription_is_no_connection() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |_| {});
        let mut session = broker.accept().await;
        session.welcome(None).await;
        session.answer_subscriptions([1, 1, 1, 1, 1, 0x80, 1, 1]).await;
        let _next = broker.accept().await;
        assert!(!bench.transport.ready());
        assert_eq!((bench.metric("up", ""), bench.metric("connects_total", "auth")), (0.0, 1.0));
    }
}

#[tokio::test]
async fn a_new_connection_subscribes_again_and_sends_nothing_of_the_old_one() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let mut bench = Bench::start(&broker, |_| {});
        let mut session = broker.let_in().await;
        bench.ready().await;
        let first = delivery(1, Qos::AtLeastOnce);
        let (sent, ()) = tokio::join!(bench.deliver(&first), async {
            assert!(session.packet().await.holds("request/1"));
            drop(session);
        });
        assert_eq!(sent, Err(DeliverError::Lost));
        assert!(matches!(bench.told().await, Told::Lost));
        assert_eq!(bench.deliver(&delivery(2, Qos::AtMostOnce)).await, Err(DeliverError::Down));
        let mut session = broker.let_in().await;
        bench.ready().await;
        bench.deliver(&delivery(3, Qos::AtMostOnce)).await.unwrap();
        let publish = session.packet().await;
        assert!(publish.holds("request/3"), "{publish:?}");
    }
}

#[tokio::test]
async fn an_acknowledgement_is_waited_for() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |_| {});
        let mut session = broker.let_in().await;
        bench.ready().await;
        let call = delivery(1, Qos::AtLeastOnce);
        let (sent, ()) = tokio::join!(bench.deliver(&call), async {
            let publish = session.packet().await;
            assert_eq!(publish.flags, 2, "QoS 1, not retained, not sent before");
            let [high, low] = publish.id();
            session.send(&[0x40, 2, high, low]).await;
        });
        assert_eq!(sent, Ok(Sent::Acked));
        assert_eq!(bench.metric("published_total", "acked"), 1.0);
    }
}

#[tokio::test]
async fn a_refusal_by_the_broker_reaches_the_caller() {
    for (reason, said) in [(0x10, "device is offline"), (0x87, "may not publish"), (0x97, "quota")] {
        let broker = Broker::start(Version::V5).await;
        let bench = Bench::start(&broker, |_| {});
        let mut session = broker.let_in().await;
        bench.ready().await;
        let call = delivery(1, Qos::AtLeastOnce);
        let (sent, ()) = tokio::join!(bench.deliver(&call), async {
            let [high, low] = session.packet().await.id();
            session.send(&[0x40, 3, high, low, reason]).await;
        });
        assert!(sent.clone().unwrap_err().to_string().contains(said), "{reason}: {sent:?}");
        assert!(bench.transport.ready());
    }
}

#[tokio::test]
async fn a_message_over_the_brokers_limit_is_refused_and_the_connection_kept() {
    let broker = Broker::start(Version::V5).await;
    let bench = Bench::start(&broker, |_| {});
    let mut session = broker.accept().await;
    session.welcome(Some(500)).await;
    session.answer_subscriptions([1; broker::FILTERS]).await;
    bench.ready().await;
    let big = with_params(&format!(r#"{{"x":"{}"}}"#, "y".repeat(500)));
    let sent = bench.deliver(&big).await;
    assert!(matches!(sent, Err(DeliverError::TooLarge { bytes: 500.., max: 300..500 })), "{sent:?}");
    bench.deliver(&delivery(8, Qos::AtMostOnce)).await.unwrap();
    assert!(session.packet().await.holds("request/8"));
}

#[tokio::test]
async fn a_message_over_our_limit_is_refused() {
    let broker = Broker::start(Version::V4).await;
    let bench = Bench::start(&broker, |config| config.message_bytes_max = 1024);
    let _session = broker.let_in().await;
    bench.ready().await;
    let sent = bench.deliver(&with_params(&format!(r#"{{"x":"{}"}}"#, "y".repeat(1024)))).await;
    assert!(matches!(sent, Err(DeliverError::TooLarge { max: 1024, .. })), "{sent:?}");
}

#[tokio::test]
async fn replies_are_handed_on_and_our_own_requests_are_not() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let mut bench = Bench::start(&broker, |config| config.message_bytes_max = 1024);
        let mut session = broker.let_in().await;
        let request = br#"{"id":"1","version":"1.0","params":{},"method":"thing.service.Measure"}"#;
        session.publish("/sys/pk/d1/thing/service/Measure", request).await;
        session.publish("/ext/rrpc/1/sys/pk/d1/thing/service/Measure", request).await;
        session.publish("/sys/pk/d1/rrpc/response/2", &vec![b'x'; 300_000]).await;
        session.publish("/sys/pk/d1/thing/service/Measure_reply", br#"{"id":"3","code":200}"#).await;
        let Told::Reply(large) = bench.told().await else { panic!("lost") };
        assert_eq!(large.topic_id.map(CallId::as_u32), Some(2));
        assert_eq!(large.body.unwrap_err().to_string(), "the reply has 300000 bytes; 1024 are allowed");
        let Told::Reply(reply) = bench.told().await else { panic!("a reply over the limit ended the connection") };
        assert_eq!(reply.payload_id.map(CallId::as_u32), Some(3));
        assert_eq!(bench.metric("received_total", "reply"), 2.0);
    }
}

#[tokio::test]
async fn a_full_queue_refuses_at_once() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |config| config.send_queue_messages_max = 4.try_into().unwrap());
        let session = broker.let_in().await;
        bench.ready().await;
        // The broker reads no more: the socket's buffers fill, then the queue.
        let call = with_params(&format!(r#"{{"x":"{}"}}"#, "y".repeat(200_000)));
        let mut sent = 0;
        while bench.deliver(&call).await.is_ok() {
            sent += 1;
            assert!(sent < 1000, "the queue has no end");
            tokio::task::yield_now().await;
        }
        assert_eq!(bench.deliver(&call).await, Err(DeliverError::QueueFull(4)));
        assert!(bench.metric("send_queue_length", "") >= 4.0);
        drop(session);
    }
}

#[tokio::test]
async fn a_shutdown_says_goodbye() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let mut bench = Bench::start(&broker, |_| {});
        let mut session = broker.let_in().await;
        bench.ready().await;
        timeout(PATIENCE, bench.transport.shutdown(PATIENCE * 2)).await.unwrap();
        assert_eq!(session.packet().await.kind, DISCONNECT);
        assert!(matches!(bench.told().await, Told::Lost));
        assert!(!bench.transport.ready());
        assert_eq!(bench.metric("up", ""), 0.0);
    }
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_silent_broker() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let bench = Bench::start(&broker, |config| config.connect_timeout = PATIENCE * 2);
        let _silent = broker.accept().await;
        timeout(PATIENCE, bench.transport.shutdown(PATIENCE * 2)).await.unwrap();
    }
}

#[tokio::test]
async fn a_shutdown_that_takes_too_long_still_ends_the_calls() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, |_| {});
    let mut session = broker.let_in().await;
    bench.ready().await;
    // An acknowledgement that never comes keeps the goodbye back.
    let (call, transport) = (delivery(1, Qos::AtLeastOnce), bench.transport.clone());
    let waiting = tokio::spawn(async move { transport.deliver(&call).await });
    assert_eq!(session.packet().await.kind, PUBLISH);
    bench.transport.shutdown(Duration::ZERO).await;
    assert_eq!(waiting.await.unwrap(), Err(DeliverError::Lost));
    assert!(matches!(bench.told().await, Told::Lost));
    assert_eq!(bench.metric("up", ""), 0.0);
    drop(session);
}
