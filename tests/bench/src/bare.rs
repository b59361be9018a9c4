//! The reference: the same devices on the same broker, asked without HTTP, signature, checks and engine.
//!
//! On an external MQTT broker it is one bare rumqttc connection that publishes requests and waits for responses, on
//! RabbitMQ one bare lapin connection that waits for its confirms too; on the embedded broker, whose devices nobody else
//! can reach, deliveries go straight into it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, bail};
use prometheus::Registry as Metering;
use rumqttc_v4::{AsyncClient, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS};
use thingcall_broker::Broker as Embedded;
use thingcall_core::{Args as Arguments, CallId, CallMode, Delivery, Device as Called, DeviceKey, Qos, Transport};
use thingcall_store::Store;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::amqp::{self, Bare};
use crate::args::Args;
use crate::broker::{Address, Broker};
use crate::device::{self, Device};
use crate::pace::{Pace, Plan};
use crate::registered::{self, IDENTIFIER, scratch};
use crate::report::Report;
use crate::unanswered::Unanswered;

const REPLY_TIMEOUT: Duration = Duration::from_secs(8);
const REQUESTS_MAX: usize = 20_000;
/// Requests at QoS 1 under way to the broker, as many as may be in flight: the reference must not wait for itself.
const UNACKNOWLEDGED_MAX: u16 = 10_000;

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
pub(crate) async fn turn(args: &Args, plan: Plan) -> anyhow::Result<Report> {
    let folder = scratch()?;
    let store = Store::open(thingcall_store::Config::default(), folder.path()).await?;
    let waiting = Arc::new(Unanswered::default());
    let mut tasks = JoinSet::new();
    let broker = args.reference_broker();
    let (way, place) = match broker {
        Broker::Embedded => embedded(&store, &waiting).await?,
        Broker::At(address) => (mqtt(address, &waiting, &mut tasks).await?, Some(address.clone())),
        Broker::Amqp(rabbit) => (Way::Amqp(Bare::start(&rabbit.uri(), &waiting, &mut tasks).await?), None),
    };
    let devices = registered::devices(&store, args.devices, false).await?;
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

async fn embedded(store: &Arc<Store>, waiting: &Arc<Unanswered>) -> anyhow::Result<(Way, Option<Address>)> {
    let parts = thingcall_broker::BrokerParts {
        credentials: store.clone(),
        outbox: store.clone(),
        presence: store.clone(),
        replies: waiting.clone(),
        registrar: None,
    };
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let config = thingcall_broker::Config { listen, ..thingcall_broker::Config::default() };
    let broker = Embedded::start(config, parts, &Metering::new()).await?;
    let address = broker.local_addr();
    Ok((Way::Embedded(broker), Some(Address { host: address.ip().to_string(), port: address.port() })))
}

/// Connects and subscribes; the connection's loop runs in `tasks`.
async fn mqtt(address: &Address, waiting: &Arc<Unanswered>, tasks: &mut JoinSet<()>) -> anyhow::Result<Way> {
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

async fn receive(mut events: EventLoop, waiting: Arc<Unanswered>, ready: oneshot::Sender<()>) {
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
    waiting: Arc<Unanswered>,
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
                    letter: None,
                    id: CallId::from_u32(id),
                    device: device.clone(),
                    service: IDENTIFIER.try_into()?,
                    raw: None,
                    params: Arguments::checked(&params),
                    mode: CallMode::Sync,
                    qos: self.qos,
                    deadline: None,
                    sync_topic: None,
                    trace: None,
                };
                broker.deliver(&delivery).await?;
            }
        }
        Ok(())
    }
}
