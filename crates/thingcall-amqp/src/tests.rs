//! The transport against a real RabbitMQ.

mod calls;
mod device;
mod faults;
mod mqtt;
mod presence;
mod proxy;
mod rabbit;
mod results;
mod slots;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use thingcall_core::{
    Args, Arrival, CallId, CallMode, Deadline, DeliverError, Delivery, Device, DeviceKey, HeardOnce, IotId, Login,
    Post, PresenceSink, Qos, RawReply, Receipt, Reply, ReplySink, Sent, Slots, Transport, TransportName, UnixMillis,
};
use thingcall_transport::Around;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout};

use crate::{AmqpTransport, Config};

/// The machine is busy, and RabbitMQ starts slowly.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug)]
enum Told {
    Reply(Reply),
    Raw(RawReply),
    Lost,
}

/// Replies of devices whose names begin with `held` are held; these are their receipts.
type Held = Arc<Mutex<Vec<Receipt>>>;

struct Engine(mpsc::UnboundedSender<Told>, Held);

impl Engine {
    fn tell(&self, told: Told) {
        // The bench may be gone before the transport.
        let _unheard = self.0.send(told);
    }
}

impl ReplySink for Engine {
    fn dropped(&self, _: thingcall_core::Dropped<'_>) {}

    fn accept(&self, reply: Reply, _topic: &str, arrival: &dyn Arrival) {
        if reply.device.name.as_str().starts_with("held") {
            self.1.lock().unwrap().push(arrival.hold());
        }
        self.tell(Told::Reply(reply));
    }

    fn speaks_raw(&self, device: &DeviceKey) -> bool {
        device.name.as_str().starts_with("raw")
    }

    fn accept_raw(&self, raw: RawReply, _topic: &str, _arrival: &dyn Arrival) {
        self.tell(Told::Raw(raw));
    }

    fn accept_post(&self, post: Post, _by: TransportName, topic: &str, _arrival: &dyn Arrival) {
        panic!("nobody here posts: {post:?} on {topic}");
    }

    fn accept_raw_post(&self, raw: RawReply, heard: HeardOnce, _topic: &str, _arrival: &dyn Arrival) {
        // A report, for all that a transport knows; the same message came as an answer, too.
        assert!(!heard.answers, "heard.answers are heard by their slots: {raw:?}");
    }

    fn waits_for(&self, _product: &str, _name: &str) -> bool {
        false
    }

    fn device_gone(&self, device: &DeviceKey, _: TransportName) {
        panic!("the broker does not say so of {device}");
    }

    fn transport_lost(&self, _: TransportName) {
        self.tell(Told::Lost);
    }
}

impl PresenceSink for Engine {
    fn online(&self, _: &DeviceKey, _: TransportName, _: Option<&str>, _: UnixMillis) {}
    fn offline(&self, _: &DeviceKey, _: UnixMillis) {}
    fn seen(&self, _: &DeviceKey, _: TransportName, _: UnixMillis) {}
    fn logged_in(&self, _: &DeviceKey, _: &Login<'_>, _: UnixMillis) {}
}

/// Exchanges that no other test uses.
#[derive(Debug, Clone)]
struct Names {
    commands: String,
    replies: String,
    results: String,
}

impl Names {
    fn new() -> Self {
        let id = fastrand::u64(..);
        let name = |what: &str| format!("test.{id:016x}.{what}");
        Self { commands: name("commands"), replies: name("replies"), results: name("results") }
    }
}

struct Bench {
    transport: Arc<AmqpTransport>,
    told: mpsc::UnboundedReceiver<Told>,
    registry: prometheus::Registry,
    slots: Slots,
    held: Held,
}

impl Bench {
    /// A transport that is connected.
    async fn ready(port: u16, names: &Names, change: impl FnOnce(&mut Config)) -> Self {
        let bench = Self::start(port, names, change);
        bench.until_ready().await;
        bench
    }

    /// That of an instance with this slot.
    async fn ready_in(slot: u8, port: u16, names: &Names, change: impl FnOnce(&mut Config)) -> Self {
        let bench = Self::start_in(slot, port, names, change);
        bench.until_ready().await;
        bench
    }

    fn start(port: u16, names: &Names, change: impl FnOnce(&mut Config)) -> Self {
        Self::start_in(0, port, names, change)
    }

    fn start_in(slot: u8, port: u16, names: &Names, change: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config {
            url: format!("amqp://127.0.0.1:{port}"),
            commands_exchange: names.commands.clone(),
            replies_exchange: names.replies.clone(),
            results_exchange: Some(names.results.clone()),
            reconnect_pause_min: Duration::from_millis(10),
            reconnect_pause_max: Duration::from_millis(100),
            connect_timeout: PATIENCE,
            publish_ack_timeout: PATIENCE,
            ..Config::default()
        };
        change(&mut config);
        let (tell, told) = mpsc::unbounded_channel();
        let held = Held::default();
        let (engine, registry) = (Arc::new(Engine(tell, held.clone())), prometheus::Registry::new());
        let slots = Slots::alone(slot);
        let around = Around { replies: engine.clone(), presence: engine, slots: slots.clone() };
        let transport = AmqpTransport::start(TransportName::AMQP, config, around, &registry).unwrap();
        Self { transport, told, registry, slots, held }
    }

    async fn until_ready(&self) {
        until("ready", || self.transport.ready()).await;
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        timeout(PATIENCE, self.transport.deliver(delivery)).await.unwrap()
    }

    async fn told(&mut self) -> Told {
        timeout(PATIENCE, self.told.recv()).await.unwrap().unwrap()
    }

    async fn reply(&mut self) -> Reply {
        match self.told().await {
            Told::Reply(reply) => reply,
            other @ (Told::Raw(_) | Told::Lost) => panic!("{other:?}"),
        }
    }

    async fn raw(&mut self) -> RawReply {
        match self.told().await {
            Told::Raw(raw) => raw,
            other @ (Told::Reply(_) | Told::Lost) => panic!("{other:?}"),
        }
    }

    /// A metric by its name within the transport's and, where it has one, its label.
    fn metric(&self, name: &str, label: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let series = format!("thingcall_transport_{name}{{");
        let line = text.lines().find(|line| line.starts_with(&series) && line.contains(&format!("{label}\"")));
        line.and_then(|line| line.rsplit(' ').next()).unwrap().parse().unwrap()
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "not {what}");
        sleep(Duration::from_millis(1)).await;
    }
}

/// Waits until no queue is bound for this AMQP device.
async fn until_gone(rabbit: &rabbit::Rabbit, names: &Names, name: &str) {
    let (_connection, channel) = device::connect(rabbit, "guest", "guest").await;
    channel.confirm_select(lapin::options::ConfirmSelectOptions::default()).await.unwrap();
    let mandatory = lapin::options::BasicPublishOptions { mandatory: true, ..Default::default() };
    loop {
        let (exchange, key) = (names.commands.as_str().into(), format!(".sys.pk.{name}.none").into());
        let sent = channel.basic_publish(exchange, key, mandatory, b"", lapin::BasicProperties::default());
        if timeout(PATIENCE, sent.await.unwrap()).await.unwrap().unwrap().take_message().is_some() {
            return;
        }
    }
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: name.parse().unwrap() }
}

pub(crate) fn delivery(id: u32, name: &str, qos: Qos) -> Delivery {
    Delivery {
        letter: None,
        id: CallId::from_u32(id),
        device: Arc::new(Device {
            key: key(name),
            iot_id: IotId::try_from("i").unwrap(),
            enabled: true,
            transport: None,
        }),
        service: "Measure".parse().unwrap(),
        raw: None,
        params: Args::checked(r#"{"x":10.0}"#),
        mode: CallMode::Sync,
        qos,
        deadline: Some(Deadline::at((Instant::now() + PATIENCE).into_std())),
        sync_topic: None,
        trace: None,
    }
}
