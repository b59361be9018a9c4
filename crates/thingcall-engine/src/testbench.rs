//! An engine on a bench: a small model, a device of which each test says what it does, a journal in memory.

use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::testing::{self, MemoryJournal, MemoryRecords};
use thingcall_core::{
    Arrival, BuiltInOnly, CallId, Deadline, DeliverError, Delivery, Device, DeviceKey, DeviceName, DeviceRef, Handlers,
    IotId, Letter, LookUp, LookUpFailed, LookedUp, NotCarried, Outcome, PostAnswer, Presence, ProductKey, Qos, Repairs,
    Reply, ReplyBody, ReplySink, Request, RequestId, Sent, Slots, SyncTopic, Transport, TransportKind, TransportName,
    Unawaited, UnixMillis,
};
use thingcall_tsl::{Found, Members, Product, ProductNotes, ProductSettings, Registry, Route, ThingModel, Way};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::time::Instant;

use crate::{Config, Engine, EngineParts, Reports};

/// The topic on which devices answer here.
pub(crate) const TOPIC: &str = "/sys/pk1/dev1/thing/service/x_reply";

pub(crate) const SECOND: Duration = Duration::from_secs(1);

const MODEL: &str = r#"{
  "schema": "s", "profile": {"version": "1.5", "productKey": "pk1"}, "properties": [
    {"identifier": "temp", "name": "Temperature", "accessMode": "r", "dataType": {"type": "float", "specs": {"min": "-40", "max": "120"}}},
    {"identifier": "on", "name": "Power", "accessMode": "rw", "dataType": {"type": "bool", "specs": {"0": "off", "1": "on"}}}],
  "events": [{"identifier": "alarm", "name": "Alarm", "type": "alert", "method": "thing.event.alarm.post",
    "outputData": [{"identifier": "level", "name": "Level", "dataType": {"type": "int", "specs": {"min": "0", "max": "3"}}}]}],
  "services": [
    {"identifier": "Measure", "name": "m", "callType": "sync", "required": false, "method": "thing.service.Measure",
     "inputData": [{"identifier": "channel", "name": "c",
       "dataType": {"type": "int", "specs": {"min": "0", "max": "7", "step": "1"}}}],
     "outputData": [{"identifier": "mean", "name": "m",
       "dataType": {"type": "int", "specs": {"min": "0", "max": "100", "step": "1"}}}]},
    {"identifier": "SetScene", "name": "s", "callType": "async", "required": false, "method": "thing.service.SetScene",
     "inputData": [], "outputData": []}
  ],
  "functionBlocks": []
}"#;

/// What the device does with a command.
pub(crate) type Behaviour = Box<dyn Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> + Send + Sync>;

/// How a behaviour answers: at once, or after a while.
pub(crate) struct Replier {
    engine: Mutex<Weak<Engine>>,
}

impl Replier {
    pub(crate) fn now(&self, reply: Reply) {
        self.by(reply, &Unawaited);
    }

    pub(crate) fn by(&self, reply: Reply, message: &dyn Arrival) {
        if let Some(engine) = self.engine.lock().unwrap().upgrade() {
            engine.accept(reply, TOPIC, message);
        }
    }

    pub(crate) fn raw(&self, raw: thingcall_core::RawReply) {
        if let Some(engine) = self.engine.lock().unwrap().upgrade() {
            engine.accept_raw(raw, TOPIC, &Unawaited);
        }
    }

    pub(crate) fn after(&self, delay: Duration, reply: Reply) {
        let engine = self.engine.lock().unwrap().clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            if let Some(engine) = engine.upgrade() {
                engine.accept(reply, TOPIC, &Unawaited);
            }
        });
    }
}

struct Wire {
    behaviour: Behaviour,
    answering: Arc<Replier>,
    delivered: Arc<Mutex<Vec<CallId>>>,
    arrived: Arc<Notify>,
    told: mpsc::UnboundedSender<PostAnswer>,
    way: (TransportKind, TransportName),
}

#[async_trait]
impl Transport for Wire {
    fn kind(&self) -> TransportKind {
        self.way.0
    }

    fn name(&self) -> TransportName {
        self.way.1
    }
    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Online
    }
    fn ready(&self) -> bool {
        true
    }
    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        self.delivered.lock().unwrap().push(delivery.id);
        let sent = (self.behaviour)(delivery, &self.answering);
        self.arrived.notify_one();
        sent
    }
    fn carries(&self, _: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        match letter.extras {
            None => Ok(()),
            Some(_) => Err(NotCarried::Extras("this wire carries bytes alone".to_owned())),
        }
    }
    async fn tell(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        let told = self.told.send(answer.clone());
        told.map_err(|_| DeliverError::Offline)
    }
}

/// One product, one device, and the way to it.
pub(crate) struct OneDevice {
    found: Found,
    way: Arc<OneWay>,
    /// What the next look-up waits for, where memory does not have the device.
    pub(crate) cold: Mutex<Option<oneshot::Receiver<LookedUp<Found>>>>,
}

#[derive(Debug, Default)]
struct OneWay(Mutex<Route>);

impl Registry for OneDevice {
    fn find(&self, target: &DeviceRef) -> LookUp<'_, Found> {
        if let Some(said) = self.cold.lock().unwrap().take() {
            return LookUp::sought(async { said.await.unwrap_or_else(|_| Err(LookUpFailed("gone".to_owned()))) });
        }
        LookUp::known((*target == DeviceRef::Key(self.found.device.key.clone())).then(|| self.found.clone()))
    }
    fn product(&self, key: &ProductKey) -> Option<Arc<Product>> {
        (*key == self.found.product.key).then(|| self.found.product.clone())
    }
    fn members<'a>(&'a self, product: &'a ProductKey, after: Option<&'a DeviceName>, _: usize) -> Members<'a> {
        let is_its = after.is_none() && *product == self.found.product.key;
        let page = is_its.then(|| (self.found.device.clone(), Route::default()));
        Box::pin(std::future::ready(Ok(page.into_iter().collect())))
    }
    fn answered_late(&self, _: &DeviceKey) {
        self.way.0.lock().unwrap().unanswered = 0;
    }
}

impl Way for OneWay {
    fn route(&self) -> Route {
        *self.0.lock().unwrap()
    }
    fn answered(&self, topic: SyncTopic) -> bool {
        let mut route = self.0.lock().unwrap();
        route.unanswered = 0;
        route.sync_topic.replace(topic) != Some(topic)
    }
    fn unanswered(&self, before: u8) {
        let mut route = self.0.lock().unwrap();
        if route.unanswered == before {
            route.unanswered += 1;
        }
    }
}

pub(crate) struct Bench {
    pub(crate) engine: Arc<Engine>,
    pub(crate) registry: Arc<OneDevice>,
    pub(crate) journal: Arc<MemoryJournal>,
    pub(crate) slots: Slots,
    pub(crate) delivered: Arc<Mutex<Vec<CallId>>>,
    /// Notified when a command reaches the transport.
    pub(crate) arrived: Arc<Notify>,
    /// What devices are answered that said something by themselves.
    pub(crate) told: tokio::sync::Mutex<mpsc::UnboundedReceiver<PostAnswer>>,
    pub(crate) metering: prometheus::Registry,
    pub(crate) records: Arc<MemoryRecords>,
}

pub(crate) fn device(name: &str) -> DeviceKey {
    DeviceKey { product: "pk1".parse().unwrap(), name: name.parse().unwrap() }
}

/// An answer of `from` to the call `id`.
pub(crate) fn reply(from: &str, id: CallId, data: &str) -> Reply {
    Reply {
        device: device(from),
        transport: TransportKind::Embedded,
        payload_id: Some(id),
        topic_id: None,
        repairs: Repairs::NONE,
        body: Ok(ReplyBody { code: 200, message: None, data: data.to_owned() }),
        bytes: data.len(),
    }
}

/// The device of the bench, as it is registered.
fn registered() -> Device {
    Device { key: device("dev1"), iot_id: IotId::try_from("iot1").unwrap(), enabled: true, transport: None }
}

pub(crate) fn bench_with(
    config: Config,
    settings: ProductSettings,
    behaviour: impl Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> + Send + Sync + 'static,
) -> Bench {
    bench_handled((config, settings), Arc::new(BuiltInOnly), behaviour)
}

/// The same, with handlers beside the built-in one.
pub(crate) fn bench_handled(
    settings: (Config, ProductSettings),
    handlers: Arc<dyn Handlers>,
    behaviour: impl Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> + Send + Sync + 'static,
) -> Bench {
    let way = (TransportKind::Embedded, TransportName::EMBEDDED);
    bench_by(way, settings, handlers, Reports::default(), Box::new(behaviour))
}

/// The same, with somebody who hears what devices report.
pub(crate) fn bench_reporting(
    settings: (Config, ProductSettings),
    handlers: Arc<dyn Handlers>,
    reports: Reports,
) -> Bench {
    let way = (TransportKind::Embedded, TransportName::EMBEDDED);
    bench_by(way, settings, handlers, reports, Box::new(|_, _| Ok(Sent::Sent)))
}

/// The same, behind an external broker.
pub(crate) fn bench_behind_a_broker(
    behaviour: impl Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> + Send + Sync + 'static,
) -> Bench {
    let way = (TransportKind::Mqtt, TransportName::MQTT);
    bench_by(way, Default::default(), Arc::new(BuiltInOnly), Reports::default(), Box::new(behaviour))
}

fn bench_by(
    by: (TransportKind, TransportName),
    (config, settings): (Config, ProductSettings),
    handlers: Arc<dyn Handlers>,
    reports: Reports,
    behaviour: Behaviour,
) -> Bench {
    let product = Product {
        key: "pk1".parse().unwrap(),
        name: "one".to_owned(),
        settings,
        model: Some(Arc::new(ThingModel::parse(MODEL, &[]).unwrap())),
        created_at: UnixMillis(0),
        notes: ProductNotes::default(),
        silence: Arc::default(),
    };
    let way = Arc::new(OneWay::default());
    let found = Found { device: Arc::new(registered()), product: Arc::new(product), way: Some(way.clone()) };
    let registry = Arc::new(OneDevice { found, way, cold: Mutex::default() });
    let journal = Arc::new(MemoryJournal::default());
    let metering = prometheus::Registry::new();
    let slots = Slots::alone(0);
    let records = Arc::new(MemoryRecords::default());
    let parts = EngineParts {
        registry: registry.clone(),
        journal: journal.clone(),
        handlers,
        slots: slots.clone(),
        reports,
        records: records.clone(),
        tracer: None,
    };
    let engine = Engine::new(config, parts, &metering).unwrap();
    let answering = Arc::new(Replier { engine: Mutex::new(Arc::downgrade(&engine)) });
    let (tell, told) = mpsc::unbounded_channel();
    let (delivered, arrived) = (Arc::new(Mutex::new(Vec::new())), Arc::new(Notify::new()));
    engine.attach(Arc::new(Wire {
        behaviour,
        answering,
        delivered: delivered.clone(),
        arrived: arrived.clone(),
        told: tell,
        way: by,
    }));
    let told = tokio::sync::Mutex::new(told);
    Bench { engine, registry, journal, slots, delivered, arrived, told, metering, records }
}

pub(crate) fn bench(
    behaviour: impl Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> + Send + Sync + 'static,
) -> Bench {
    bench_with(Config::default(), ProductSettings::default(), behaviour)
}

/// A device that answers each command with this data after a while.
pub(crate) fn answers_after(
    delay: Duration,
    data: &'static str,
) -> impl Fn(&Delivery, &Replier) -> Result<Sent, DeliverError> {
    move |delivery, answering| {
        answering.after(delay, reply("dev1", delivery.id, data));
        Ok(Sent::Sent)
    }
}

impl Bench {
    /// Memory does not have the device for the next call; what the store says of it is told through this.
    pub(crate) fn cold(&self) -> oneshot::Sender<LookedUp<Found>> {
        let (say, said) = oneshot::channel();
        *self.registry.cold.lock().unwrap() = Some(said);
        say
    }

    /// The device, as the registry finds it.
    pub(crate) fn found(&self) -> Found {
        self.registry.found.clone()
    }

    /// How the calls on record ended, in the order in which they were accepted.
    pub(crate) fn pages(&self) -> Vec<(CallId, Option<Outcome>)> {
        self.journal.records().iter().map(|record| (record.id, record.outcome)).collect()
    }

    /// An open call from before a restart.
    pub(crate) fn keep(&self, id: CallId) {
        self.keep_at(id, Qos::AtMostOnce);
    }

    /// The same, of this quality.
    pub(crate) fn keep_at(&self, id: CallId, qos: Qos) {
        let service = "SetScene".parse().unwrap();
        self.journal.put(testing::entry(&Arc::new(registered()), id, &service, qos)).unwrap();
    }

    /// A request as a front makes it.
    pub(crate) fn request(&self, service: &str, args: &str) -> Request {
        Request {
            request_id: RequestId::random(),
            action: "Invoke",
            key: None,
            arrived: Instant::now().into_std(),
            target: DeviceRef::Key(device("dev1")),
            asks: thingcall_core::Asks::Service,
            service: service.parse().unwrap(),
            args: args.to_owned(),
            qos: Qos::AtMostOnce,
            deadline: Deadline::at((Instant::now() + self.engine.reply_timeout()).into_std()),
            fails_by_code: false,
            trace: None,
        }
    }

    /// The value of a series, such as `thingcall_calls_total{mode="sync",...}`.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.metering.gather()).unwrap();
        let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no series {series}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) fn calls(&self, mode: &str, outcome: &str) -> f64 {
        self.metric(&format!(r#"thingcall_calls_total{{mode="{mode}",outcome="{outcome}",transport="embedded"}}"#))
    }

    pub(crate) fn replies(&self, result: &str) -> f64 {
        self.metric(&format!(r#"thingcall_replies_total{{result="{result}",transport="embedded"}}"#))
    }

    pub(crate) fn dropped(&self, reason: &str) -> f64 {
        self.metric(&format!(r#"thingcall_dropped_messages_total{{reason="{reason}",transport="embedded"}}"#))
    }

    /// Nothing of any call is left.
    pub(crate) fn assert_empty(&self) {
        assert_eq!(self.engine.pending.len(), 0, "entries in the map");
        for state in ["queued", "sent", "acked"] {
            let series = format!(r#"thingcall_pending_calls{{mode="sync",state="{state}"}}"#);
            assert_eq!(self.metric(&series), 0.0, "{series}");
        }
    }
}
