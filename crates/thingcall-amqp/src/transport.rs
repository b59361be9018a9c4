//! The transport: deliveries while there is a connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use lapin::tcp::RustlsConnector;
use thingcall_core::{
    DeliverError, Delivery, DeviceKey, PeerText, Presence, PresenceSink, Problems, Qos, ReplySink, Section, Sent,
    Transport, TransportKind, TransportName,
};
use thingcall_transport::{
    BrokerAddress, BrokerStartError, Probe, PublishResult, Standing, TransportMetrics, Unacknowledged,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::bindings::{Bindings, Wanted};
use crate::config::Config;
use crate::link;
use crate::outgoing::{Way, command};
use crate::publisher::{Confirmed, NotConfirmed, Publisher};
use crate::results::Results;
use crate::watch::State;

/// The way to devices through RabbitMQ.
pub struct AmqpTransport {
    pub(crate) shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What deliveries and the connections' task share.
pub(crate) struct Shared {
    pub(crate) name: TransportName,
    pub(crate) config: Config,
    pub(crate) address: BrokerAddress,
    pub(crate) instance: String,
    pub(crate) tls: Option<RustlsConnector>,
    pub(crate) replies: Arc<dyn ReplySink>,
    pub(crate) presence: Arc<dyn PresenceSink>,
    pub(crate) metrics: TransportMetrics,
    pub(crate) wanted: Wanted,
    /// Why deliveries do not arrive, where they do not.
    pub(crate) standing: Standing,
    pub(crate) probe: Probe,
    pub(crate) unacknowledged: Unacknowledged,
    pub(crate) watched: Mutex<State>,
    pub(crate) stop: Notify,
    stopped: AtomicBool,
    /// Deliveries were taken, and the engine is not told yet of their connection's end.
    owes_end: AtomicBool,
    /// The present connections; `None` while there are none.
    pub(crate) open: RwLock<Option<Open>>,
}

/// Connections that take deliveries.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) publisher: Arc<Publisher>,
    /// `None` unless MQTT devices are served.
    pub(crate) bindings: Option<Arc<Bindings>>,
}

impl AmqpTransport {
    /// Starts to connect, and keeps connecting in a task of its own. Needs a running tokio.
    ///
    /// # Errors
    /// If the configuration cannot be used. A broker that is away is no error: it may come.
    pub fn start(
        name: TransportName,
        config: Config,
        replies: Arc<dyn ReplySink>,
        presence: Arc<dyn PresenceSink>,
        metering: &prometheus::Registry,
    ) -> Result<Arc<Self>, BrokerStartError> {
        config.check()?;
        let address = config.address().map_err(Problems::from)?;
        let tls = address.tls.then(|| crate::tls::load(&config.tls)).transpose();
        let tls = tls.map_err(Problems)?;
        let metrics = TransportMetrics::register(metering, name)?;
        metrics.send_queue_limit.set(i64::try_from(config.send_queue_messages_max.get()).unwrap_or(i64::MAX));
        let channels = usize::from(config.publish_channels_max.get());
        let unacknowledged = Unacknowledged::register(metering, name, channels)?;
        let instance = config.instance.clone().unwrap_or_else(|| format!("{:016x}", fastrand::u64(..)));
        let shared = Arc::new(Shared {
            name,
            address,
            instance,
            tls,
            replies,
            presence,
            metrics,
            wanted: Wanted::default(),
            standing: Standing::new(format!("there is no connection to {} yet", config.url)),
            probe: Probe::new(config.probe_interval, config.probe_timeout, fastrand::u64(..)),
            unacknowledged,
            watched: Mutex::default(),
            stop: Notify::new(),
            stopped: AtomicBool::new(false),
            owes_end: AtomicBool::new(false),
            open: RwLock::new(None),
            config,
        });
        let task = tokio::spawn(link::run(shared.clone()));
        Ok(Arc::new(Self { shared, task: Mutex::new(Some(task)) }))
    }

    /// What publishes the results of asynchronous calls; `None` unless `results_exchange` is set.
    pub fn results(&self) -> Option<Results> {
        Results::of(self.shared.clone())
    }

    /// Says goodbye to the broker and ends; at most `within`.
    pub async fn shutdown(&self, within: Duration) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.stop.notify_one();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if timeout(within, &mut task).await.is_err() {
            warn!("the broker did not close the connections in time");
            task.abort();
            // It holds the connections until it is gone.
            let _cancelled = task.await;
            self.shared.close("shutting down");
            self.shared.lost();
        }
    }
}

impl Shared {
    pub(crate) fn stopping(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Deliveries are taken from now on.
    pub(crate) fn open(&self, open: Open) {
        self.owes_end.store(true, Ordering::Relaxed);
        self.watch_begins();
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
        self.look();
    }

    /// Deliveries are refused from now on.
    pub(crate) fn close(&self, why: &str) {
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = None;
        self.no_connection(why);
        self.metrics.up.set(0);
        self.unacknowledged.length.set(0);
        self.unacknowledged.oldest_seconds.set(0.0);
    }

    /// Why there is none.
    pub(crate) fn no_connection(&self, why: &str) {
        self.standing.set(Some(format!("no connection to {}: {}", self.config.url, PeerText::new(why))));
    }

    /// Ends the calls whose messages were sent, once for each [`Self::open`].
    pub(crate) fn lost(&self) {
        if self.owes_end.swap(false, Ordering::Relaxed) {
            debug!("connection to the broker ended");
            self.replies.transport_lost(self.name);
        }
    }

    pub(crate) fn present(&self) -> Option<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends the command by the first way on which the device has a queue.
    async fn send(&self, delivery: &Delivery) -> Result<Sent, NotSent> {
        let Open { publisher, bindings } = self.present().ok_or(NotSent::down())?;
        let began = Instant::now();
        let left = delivery.deadline.map(|deadline| deadline.left(began.into_std()));
        let deadline = left.map(|left| began + left);
        for way in Way::all(&self.config) {
            let message = command(delivery, way, &self.config, &self.instance, deadline);
            let message = message.map_err(|error| NotSent(error, PublishResult::Failed))?;
            let patience = left.unwrap_or(self.config.publish_ack_timeout);
            if let (Way::Mqtt, Some(bindings)) = (way, &bindings) {
                let sync_topic = delivery.sync_topic.unwrap_or(self.config.sync_topic);
                let expected = timeout(patience, bindings.expect(&self.wanted, delivery, sync_topic)).await;
                expected.map_err(|_| NotSent::down())?.map_err(|_| NotSent::down())?;
            }
            let patience = patience.saturating_sub(began.elapsed());
            match publisher.publish(message, patience).await? {
                Confirmed::Routed => {
                    self.metrics.publish_ack_seconds.observe(began.elapsed().as_secs_f64());
                    return Ok(match delivery.qos {
                        Qos::AtMostOnce => Sent::Sent,
                        Qos::AtLeastOnce => Sent::Acked,
                    });
                }
                // It is in no queue, so it may be sent by another way.
                Confirmed::Unroutable => {}
            }
        }
        Err(NotSent(DeliverError::Offline, PublishResult::Returned))
    }
}

/// Why a command was not sent, for the caller and for the counter.
struct NotSent(DeliverError, PublishResult);

impl NotSent {
    fn down() -> Self {
        Self(DeliverError::Down, PublishResult::Failed)
    }
}

impl From<NotConfirmed> for NotSent {
    fn from(why: NotConfirmed) -> Self {
        match why {
            NotConfirmed::Down => Self::down(),
            NotConfirmed::Blocked => Self(DeliverError::Down, PublishResult::Blocked),
            NotConfirmed::Full(max) => Self(DeliverError::QueueFull(max), PublishResult::Blocked),
            NotConfirmed::Refused(why) => {
                Self(DeliverError::Refused(format!("the devices' broker refused it: {why}")), PublishResult::Nacked)
            }
            NotConfirmed::Lost => Self(DeliverError::Lost, PublishResult::Failed),
        }
    }
}

#[async_trait]
impl Transport for AmqpTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::Amqp
    }

    fn name(&self) -> TransportName {
        self.shared.name
    }

    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Unknown
    }

    fn ready(&self) -> bool {
        self.shared.standing.holds()
    }

    fn failure(&self) -> Option<String> {
        self.shared.standing.failure()
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        // Nobody waits any more where the device's answer comes first: then it was sent.
        let mut counted = self.shared.metrics.publishing(PublishResult::Sent);
        let sent = self.shared.send(delivery).await;
        counted.ends(match &sent {
            Ok(Sent::Acked) => PublishResult::Acked,
            Ok(Sent::Sent | Sent::Kept) => PublishResult::Sent,
            Err(NotSent(_, result)) => *result,
        });
        sent.map_err(|NotSent(error, _)| error)
    }
}

impl Drop for AmqpTransport {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
