//! A broker on a free port whose surroundings are kept in memory and tell what happened to them.
//!
//! **Invariant:** tests wait for events, each at most `PATIENCE`; no test sleeps a guessed time.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use prometheus::Registry;
use thingcall_alink as alink;
use thingcall_core::testing::{self, MemoryJournal};
use thingcall_core::{
    Args, Arrival, CallId, CallMode, Credentials, Delivery, Device, DeviceCredential, DeviceKey, HeardOnce, IotId,
    JournalEntry, JournalError, LookUp, LookUpFailed, Outbox, PresenceSink, Qos, RawReply, Receipt, Reply, ReplySink,
    Secret, TransportName, UnixMillis,
};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::client::{Client, Login};
use crate::{Broker, BrokerParts, Config};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
pub(crate) const SECRET: &str = "a device secret";

/// What the broker told its surroundings.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Online(DeviceKey),
    Offline(DeviceKey),
    Seen(DeviceKey),
    Reply(Reply),
    Raw(RawReply),
    Post,
    Gone(DeviceKey),
    Dropped(thingcall_core::DropReason),
    Acked(CallId),
}

/// The surroundings.
pub(crate) struct Surroundings {
    devices: Mutex<HashMap<DeviceKey, bool>>,
    pub(crate) journal: Arc<MemoryJournal>,
    /// The store is slow: acknowledgements stay invisible.
    pub(crate) forgetful: AtomicBool,
    /// Nobody can say which devices there are.
    pub(crate) unreadable: AtomicBool,
    /// The next device that is looked up is disabled after that.
    pub(crate) disabled_once_looked_up: AtomicBool,
    /// Of replies of devices whose names begin with `held`, and of reports of those whose names begin with `posts`.
    pub(crate) held: Mutex<Vec<Receipt>>,
    events: UnboundedSender<Event>,
}

impl Surroundings {
    pub(crate) fn new() -> (Arc<Self>, UnboundedReceiver<Event>) {
        let (events, told) = unbounded_channel();
        let (devices, journal, forgetful) = (Mutex::default(), Arc::default(), AtomicBool::new(false));
        let (unreadable, disabled_once_looked_up) = (AtomicBool::new(false), AtomicBool::new(false));
        let held = Mutex::default();
        (Arc::new(Self { devices, journal, forgetful, unreadable, disabled_once_looked_up, held, events }), told)
    }

    fn tell(&self, event: Event) {
        self.events.send(event).ok();
    }

    /// Puts a command into the outbox.
    pub(crate) fn keep(&self, delivery: &Delivery) {
        let kept = testing::entry(&delivery.device, delivery.id, &delivery.service, delivery.qos);
        self.journal.put(JournalEntry { delivery: delivery.clone(), ..kept }).unwrap();
    }

    pub(crate) fn enable(&self, device: &DeviceKey, enabled: bool) {
        self.devices.lock().unwrap().insert(device.clone(), enabled);
    }
}

impl Credentials for Surroundings {
    fn credential(&self, device: &DeviceKey) -> LookUp<'_, DeviceCredential> {
        if self.unreadable.load(Ordering::Relaxed) {
            return LookUp::sought(async { Err(LookUpFailed("the store fails".to_owned())) });
        }
        let enabled = self.devices.lock().unwrap().get(device).copied();
        if self.disabled_once_looked_up.swap(false, Ordering::Relaxed) {
            self.enable(device, false);
        }
        LookUp::known(enabled.map(|enabled| DeviceCredential { secret: Secret::new(SECRET), enabled }))
    }
}

#[async_trait]
impl Outbox for Surroundings {
    async fn unacknowledged(
        &self,
        device: &DeviceKey,
        after: Option<CallId>,
        max: usize,
    ) -> Result<Vec<Delivery>, JournalError> {
        self.journal.unacknowledged(device, after, max).await
    }

    fn acknowledged(&self, device: &DeviceKey, id: CallId) {
        if !self.forgetful.load(Ordering::SeqCst) {
            self.journal.acknowledged(device, id);
        }
        self.tell(Event::Acked(id));
    }
}

impl PresenceSink for Surroundings {
    fn online(&self, device: &DeviceKey, transport: TransportName, address: Option<&str>, _at: UnixMillis) {
        assert_eq!(transport, TransportName::EMBEDDED);
        assert!(address.unwrap().starts_with("127.0.0.1:"));
        self.tell(Event::Online(device.clone()));
    }
    fn offline(&self, device: &DeviceKey, _at: UnixMillis) {
        self.tell(Event::Offline(device.clone()));
    }
    fn logged_in(&self, _: &DeviceKey, _: &thingcall_core::Login<'_>, _: UnixMillis) {
        panic!("the broker itself checks credentials");
    }

    fn seen(&self, device: &DeviceKey, _: TransportName, _at: UnixMillis) {
        self.tell(Event::Seen(device.clone()));
    }
}

impl ReplySink for Surroundings {
    fn dropped(&self, dropped: thingcall_core::Dropped<'_>) {
        self.tell(Event::Dropped(dropped.reason));
    }
    fn accept(&self, reply: Reply, _topic: &str, arrival: &dyn Arrival) {
        if reply.device.name.as_str().starts_with("held") {
            self.held.lock().unwrap().push(arrival.hold());
        }
        self.tell(Event::Reply(reply));
    }
    fn speaks_raw(&self, device: &DeviceKey) -> bool {
        device.name.as_str().starts_with("raw")
    }
    fn accept_raw(&self, raw: RawReply, _topic: &str, _arrival: &dyn Arrival) {
        self.tell(Event::Raw(raw));
    }
    fn accept_post(&self, post: thingcall_core::Post, _by: TransportName, _topic: &str, arrival: &dyn Arrival) {
        if post.device.name.as_str().starts_with("posts") {
            self.held.lock().unwrap().push(arrival.hold().of_report());
            self.tell(Event::Post);
        }
    }
    fn accept_raw_post(&self, raw: RawReply, heard: HeardOnce, _topic: &str, _arrival: &dyn Arrival) {
        assert!(heard.answers, "nobody else hears it");
        self.tell(Event::Raw(raw));
    }
    fn waits_for(&self, _product: &str, _name: &str) -> bool {
        false
    }
    fn device_gone(&self, device: &DeviceKey, _transport: TransportName) {
        self.tell(Event::Gone(device.clone()));
    }
    fn transport_lost(&self, _transport: TransportName) {}
}

/// The broker and its surroundings.
pub(crate) struct Bench {
    pub(crate) broker: Arc<Broker>,
    pub(crate) around: Arc<Surroundings>,
    registry: Registry,
    events: UnboundedReceiver<Event>,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::with(|_| ()).await
    }

    pub(crate) async fn with(set: impl FnOnce(&mut Config)) -> Self {
        let mut config = Config { listen: "127.0.0.1:0".parse().unwrap(), ..Config::default() };
        set(&mut config);
        let (around, events) = Surroundings::new();
        let registry = Registry::new();
        let broker = Broker::start(config, parts(&around), &registry).await.unwrap();
        Self { broker, around, registry, events }
    }

    /// The same surroundings for another broker.
    pub(crate) fn parts(&self) -> BrokerParts {
        parts(&self.around)
    }

    /// Connections that came to nothing for this reason.
    pub(crate) fn refusals(&self, reason: &str) -> u64 {
        self.value(&format!("broker_refusals_total{{reason=\"{reason}\"}}"))
    }

    /// One of the broker's own gauges.
    pub(crate) fn gauge(&self, name: &str) -> u64 {
        self.value(&format!("broker_{name}"))
    }

    /// What all transports count, by its label.
    pub(crate) fn counted(&self, name: &str, result: &str) -> u64 {
        self.value(&format!("transport_{name}{{result=\"{result}\",transport=\"embedded\"}}"))
    }

    /// Messages that wait to be written.
    pub(crate) fn queued(&self) -> u64 {
        self.value("transport_send_queue_length{transport=\"embedded\"}")
    }

    /// Waits until so many sockets are open.
    pub(crate) async fn sockets(&self, open: u64) {
        let reached = async {
            while self.gauge("sockets") != open {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{} are open", self.gauge("sockets")));
    }

    fn value(&self, series: &str) -> u64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap();
        let value = text.lines().find_map(|line| line.strip_prefix(&format!("thingcall_{series} ")));
        value.unwrap_or_else(|| panic!("no {series} in\n{text}")).parse().unwrap()
    }

    /// A registered device.
    pub(crate) fn device(&self, name: &str) -> DeviceKey {
        let device = key(name);
        self.around.enable(&device, true);
        device
    }

    /// A device that is connected.
    pub(crate) async fn connected(&mut self, name: &str) -> (DeviceKey, Client) {
        let device = self.device(name);
        let client = self.connect(&device).await;
        self.wait(|event| matches!(event, Event::Online(online) if *online == device)).await;
        (device, client)
    }

    /// Connects a device under its usual client id.
    pub(crate) async fn connect(&self, device: &DeviceKey) -> Client {
        self.open(&login(device)).await.unwrap()
    }

    /// Connects; `Err` has the CONNACK code of a refusal.
    pub(crate) async fn open(&self, login: &Login) -> Result<Client, u8> {
        Client::connect(self.broker.local_addr(), login).await
    }

    /// The next event that is none of `Seen`.
    pub(crate) async fn event(&mut self) -> Event {
        self.wait(|event| !matches!(event, Event::Seen(_))).await
    }

    /// The next event that fits; those before it are skipped.
    pub(crate) async fn wait(&mut self, fits: impl Fn(&Event) -> bool) -> Event {
        let next = async {
            loop {
                let event = self.events.recv().await.unwrap();
                if fits(&event) {
                    return event;
                }
            }
        };
        tokio::time::timeout(PATIENCE, next).await.unwrap()
    }

    /// Waits until no connection of the device is current.
    pub(crate) async fn gone(&mut self, device: &DeviceKey) {
        self.wait(|event| matches!(event, Event::Offline(gone) if gone == device)).await;
    }

    pub(crate) async fn reply(&mut self) -> Reply {
        let Event::Reply(reply) = self.wait(|event| matches!(event, Event::Reply(_))).await else { unreachable!() };
        reply
    }

    /// Waits until a report was taken.
    pub(crate) async fn post(&mut self) {
        self.wait(|event| matches!(event, Event::Post)).await;
    }

    pub(crate) async fn raw(&mut self) -> RawReply {
        let Event::Raw(raw) = self.wait(|event| matches!(event, Event::Raw(_))).await else { unreachable!() };
        raw
    }

    pub(crate) async fn acked(&mut self) -> CallId {
        let Event::Acked(id) = self.wait(|event| matches!(event, Event::Acked(_))).await else { unreachable!() };
        id
    }
}

fn parts(around: &Arc<Surroundings>) -> BrokerParts {
    BrokerParts {
        credentials: around.clone(),
        outbox: around.clone(),
        presence: around.clone(),
        replies: around.clone(),
        registrar: None,
    }
}

pub(crate) fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "pk1".try_into().unwrap(), name: name.try_into().unwrap() }
}

/// A right login without `ext`.
pub(crate) fn login(device: &DeviceKey) -> Login {
    login_as(device, &alink::client_id(device, false, 1))
}

/// A right login under this client id.
pub(crate) fn login_as(device: &DeviceKey, client_id: &str) -> Login {
    Login {
        client_id: client_id.to_owned(),
        username: alink::username(device),
        password: alink::password(device, client_id, &Secret::new(SECRET)),
        ..Login::default()
    }
}

pub(crate) fn delivery(device: &DeviceKey, id: u32, mode: CallMode, qos: Qos) -> Delivery {
    Delivery {
        letter: None,
        id: CallId::from_u32(id),
        device: Arc::new(Device {
            key: device.clone(),
            iot_id: IotId::try_from("iot1").unwrap(),
            enabled: true,
            transport: None,
        }),
        service: "Measure".try_into().unwrap(),
        raw: None,
        params: Args::checked("{}"),
        mode,
        qos,
        deadline: None,
        sync_topic: None,
        trace: None,
    }
}
