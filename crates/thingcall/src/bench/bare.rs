//! The reference: the same devices on the same broker, asked without HTTP, signature, checks and engine.
//!
//! On an external MQTT broker it is one bare rumqttc connection that publishes requests and waits for responses, on
//! RabbitMQ one bare lapin connection that waits for its confirms too; on the embedded broker, whose devices nobody else
//! can reach, deliveries go straight into it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, bail};
use prometheus::Registry as Metering;
use rumqttc_v4::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use thingcall_broker::Broker as Embedded;
use thingcall_core::{
    Args as Arguments, CallId, CallMode, Delivery, Device as Called, DeviceKey, Qos, Reply, ReplySink, Transport,
    TransportName,
};
use thingcall_store::Store;
use thingcall_tsl::{Directory, NewProduct, ProductSettings};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::amqp::{self, Bare};
use super::device;
use super::pace::{Pace, Plan};
use super::report::Report;
use super::target::{self, IDENTIFIER};
use super::{Args, Broker};
use crate::simulate::{Address, Device};
use crate::tool::scratch;

const REPLY_TIMEOUT: Duration = Duration::from_secs(8);
const REQUESTS_MAX: usize = 20_000;
/// Requests at QoS 1 under way to the broker, as many as may be in flight: the reference must not wait for itself.
const UNACKNOWLEDGED_MAX: u16 = 10_000;

/// Requests that wait for their answer.
#[derive(Default)]
pub(super) struct Waiting(Mutex<HashMap<u32, oneshot::Sender<()>>>);

impl Waiting {
    fn open(&self, id: u32) -> oneshot::Receiver<()> {
        let (sender, receiver) = oneshot::channel();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(id, sender);
        receiver
    }

    /// The answer to this request came.
    pub(super) fn answered(&self, id: u32) {
        let waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&id);
        if let Some(sender) = waiting {
            // Nobody waits any more after the time-out.
            let _gone = sender.send(());
        }
    }
}

impl ReplySink for Waiting {
    fn speaks_raw(&self, _device: &DeviceKey) -> bool {
        false
    }

    fn accept_raw(&self, _raw: thingcall_core::RawReply, _topic: &str) {}

    fn dropped(&self, _dropped: thingcall_core::Dropped<'_>) {}

    fn accept(&self, reply: Reply, _topic: &str) {
        if let Some(id) = reply.id() {
            self.answered(id.as_u32());
        }
    }

    fn device_gone(&self, _: &DeviceKey, _: TransportName) {}

    fn transport_lost(&self, _: TransportName) {}
}

/// How a request leaves.
#[derive(Clone)]
enum Way {
    Embedded(Arc<Embedded>),
    Mqtt(AsyncClient),
    Amqp(Bare),
}

/// Asks devices for the time of the plan.
///
/// # Errors
/// If broker or devices cannot be reached.
pub(super) async fn turn(args: &Args, plan: Plan) -> anyhow::Result<Report> {
    let folder = scratch("thingcall-bench-")?;
    let store = Store::open(thingcall_store::Config::default(), folder.path()).await?;
    let new = NewProduct { key: None, name: "bench".to_owned(), settings: ProductSettings::default() };
    let product = store.create_product(new).await?.key.clone();
    let waiting = Arc::new(Waiting::default());
    let mut tasks = JoinSet::new();
    let broker = args.reference_broker();
    let (way, place) = match broker {
        Broker::Embedded => embedded(&store, &waiting).await?,
        Broker::At(address) => (mqtt(address, &waiting, &mut tasks).await?, Some(address.clone())),
        Broker::Amqp(rabbit) => (Way::Amqp(Bare::start(&rabbit.uri(), &waiting, &mut tasks).await?), None),
    };
    let devices = target::devices(&store, &product, args.devices).await?;
    let devices: Vec<Device> = devices.into_iter().map(|device| Device { ext: false, ..device }).collect();
    let called: Arc<[Arc<Called>]> = devices.iter().map(called).collect::<anyhow::Result<Vec<_>>>()?.into();
    let running = match (place, broker) {
        (None, Broker::Amqp(rabbit)) => {
            let names: Vec<_> = devices.into_iter().map(|device| device.key).collect();
            amqp::connect(&rabbit.uri(), &names).await?
        }
        (place, _) => device::connect(devices, &place.context("an MQTT broker")?, args.habit()).await?,
    };

    let reports = (0..plan.in_flight).map(|_| Report::new(plan.measured)).collect::<Result<Vec<_>, _>>()?;
    let pace = Pace::new(plan);
    let mut asking = JoinSet::new();
    for report in reports {
        let (way, waiting, devices, pace) = (way.clone(), waiting.clone(), called.clone(), pace.clone());
        let asker = Asker { way, waiting, devices, pace, qos: args.qos.delivery() };
        asking.spawn(asker.run(report));
    }
    let mut report = Report::new(plan.measured)?;
    while let Some(part) = asking.join_next().await {
        report.add(&part?)?;
    }
    drop((running, tasks));
    if let Way::Embedded(broker) = way {
        broker.shutdown().await;
    }
    store.close().await;
    Ok(report)
}

fn called(device: &Device) -> anyhow::Result<Arc<Called>> {
    Ok(Arc::new(Called { key: device.key.clone(), iot_id: "bench".try_into()?, enabled: true, transport: None }))
}

async fn embedded(store: &Arc<Store>, waiting: &Arc<Waiting>) -> anyhow::Result<(Way, Option<Address>)> {
    let parts = thingcall_broker::BrokerParts {
        credentials: store.clone(),
        outbox: store.clone(),
        presence: store.clone(),
        replies: waiting.clone(),
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = thingcall_broker::Config { listen, ..thingcall_broker::Config::default() };
    let broker = Embedded::start(config, parts, &Metering::new()).await?;
    let address = broker.local_addr();
    Ok((Way::Embedded(broker), Some(Address { host: address.ip().to_string(), port: address.port() })))
}

/// Connects and subscribes; the connection's loop runs in `tasks`.
async fn mqtt(address: &Address, waiting: &Arc<Waiting>, tasks: &mut JoinSet<()>) -> anyhow::Result<Way> {
    let id = format!("thingcall-bench-{}", std::process::id());
    let mut options = MqttOptions::new(id, rumqttc_v4::Broker::tcp(address.host.as_str(), address.port));
    options.set_keep_alive(60);
    options.set_inflight(UNACKNOWLEDGED_MAX);
    let (client, mut events) = AsyncClient::builder(options).capacity(REQUESTS_MAX).build();
    let mut network = events.network_options();
    network.set_tcp_nodelay(true);
    events.set_network_options(network);
    client.subscribe("/sys/+/+/rrpc/response/+", QoS::AtMostOnce).await?;
    let (ready, subscribed) = oneshot::channel();
    tasks.spawn(receive(events, waiting.clone(), ready));
    timeout(REPLY_TIMEOUT, subscribed)
        .await
        .ok()
        .and_then(Result::ok)
        .with_context(|| format!("cannot connect and subscribe at {address}"))?;
    Ok(Way::Mqtt(client))
}

async fn receive(mut events: EventLoop, waiting: Arc<Waiting>, ready: oneshot::Sender<()>) {
    let mut ready = Some(ready);
    loop {
        match events.poll().await {
            Ok(Event::Incoming(Incoming::SubAck(_))) => drop(ready.take().map(|ready| ready.send(()))),
            Ok(Event::Incoming(Incoming::Publish(publish))) => {
                let id = publish.topic.rsplit(|byte| *byte == b'/').next();
                let id = id.and_then(|id| std::str::from_utf8(id).ok()).and_then(|id| id.parse().ok());
                id.into_iter().for_each(|id| waiting.answered(id));
            }
            Ok(_) => {}
            Err(_) => return,
        }
    }
}

/// One of those who ask.
struct Asker {
    way: Way,
    waiting: Arc<Waiting>,
    devices: Arc<[Arc<Called>]>,
    pace: Arc<Pace>,
    qos: Qos,
}

impl Asker {
    async fn run(self, mut report: Report) -> Report {
        while let Some((number, due)) = self.pace.next().await {
            let outcome = self.ask(number).await;
            let ended = Instant::now();
            if self.pace.counts(due, ended) {
                match outcome {
                    Ok(()) => report.took(ended - due),
                    Err(error) => report.failed(&error.to_string()),
                }
            }
        }
        report
    }

    async fn ask(&self, number: u64) -> anyhow::Result<()> {
        let id = u32::try_from(number % u64::from(u32::MAX))?;
        let index = usize::try_from(number)? % self.devices.len().max(1);
        let device = self.devices.get(index).context("no devices")?;
        let answered = self.waiting.open(id);
        let sent = self.send(id, device, number % 1000).await;
        if sent.is_err() {
            self.waiting.answered(id);
        }
        sent?;
        match timeout(REPLY_TIMEOUT, answered).await {
            Ok(_) => Ok(()),
            Err(_) => bail!("no answer within 8 s"),
        }
    }

    async fn send(&self, id: u32, device: &Arc<Called>, param: u64) -> anyhow::Result<()> {
        let params = format!(r#"{{"param1":{param}}}"#);
        match &self.way {
            Way::Mqtt(client) => {
                let DeviceKey { product, name } = &device.key;
                let topic = format!("/sys/{product}/{name}/rrpc/request/{id}");
                let payload = format!(
                    r#"{{"id":"{id}","version":"1.0","params":{params},"method":"thing.service.{IDENTIFIER}"}}"#
                );
                let qos = match self.qos {
                    Qos::AtMostOnce => QoS::AtMostOnce,
                    Qos::AtLeastOnce => QoS::AtLeastOnce,
                };
                client.publish(topic, payload, PublishOptions::new(qos)).await?;
            }
            Way::Amqp(bare) => bare.send(id, &device.key, param).await?,
            Way::Embedded(broker) => {
                let delivery = Delivery {
                    id: CallId::from_u32(id),
                    device: device.clone(),
                    service: IDENTIFIER.try_into()?,
                    raw: None,
                    params: Arguments::checked(&params),
                    mode: CallMode::Sync,
                    qos: self.qos,
                    deadline: None,
                    sync_topic: None,
                };
                broker.deliver(&delivery).await?;
            }
        }
        Ok(())
    }
}
