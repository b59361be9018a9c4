//! The transport: deliveries while there is a connection.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use rumqttc_v4::TlsConfiguration;
use thingcall_alink::{payload, request_topic};
use thingcall_core::{
    CallMode, DeliverError, Delivery, DeviceKey, PeerText, Presence, PresenceSink, Problems, ReplySink, Section, Sent,
    SyncTopic, Transport, TransportKind, TransportName,
};
use thingcall_transport::{
    BrokerAddress, BrokerStartError, Probe, PublishResult, Standing, TransportMetrics, Unacknowledged,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use crate::client::{Acknowledgement, Client, NotQueued, Outgoing, Target};
use crate::config::{Config, Version};
use crate::echoes::Echoes;
use crate::unacked::Shown;
use crate::watch::Found;
use crate::{connection, tls};

/// The way to devices behind an external MQTT broker.
pub struct MqttTransport {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What deliveries and the connection's task share.
pub(crate) struct Shared {
    pub(crate) name: TransportName,
    pub(crate) config: Config,
    pub(crate) address: BrokerAddress,
    pub(crate) client_id: String,
    pub(crate) tls: Option<TlsConfiguration>,
    pub(crate) replies: Arc<dyn ReplySink>,
    pub(crate) presence: Arc<dyn PresenceSink>,
    pub(crate) metrics: TransportMetrics,
    /// Our own raw messages that this broker brings back.
    pub(crate) echoes: Echoes,
    /// Why deliveries do not arrive, where they do not.
    pub(crate) standing: Standing,
    pub(crate) probe: Probe,
    pub(crate) unacknowledged: Arc<Shown>,
    /// How the connection was found last: a [`crate::watch::Found`].
    pub(crate) found: AtomicU8,
    /// A device's message came on this connection.
    pub(crate) heard: AtomicBool,
    pub(crate) stop: Notify,
    stopped: AtomicBool,
    /// The present connection; `None` while there is none.
    pub(crate) open: RwLock<Option<Open>>,
}

/// A connection that takes deliveries.
#[derive(Clone)]
pub(crate) struct Open {
    pub(crate) client: Client,
    /// The largest packet the broker takes.
    pub(crate) packet_bytes_max: usize,
}

impl MqttTransport {
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
        let tls = address.tls.then(|| tls::load(&config.tls)).transpose();
        let tls = tls.map_err(Problems)?;
        let metrics = TransportMetrics::register(metering, name)?;
        metrics.send_queue_limit.set(i64::try_from(config.send_queue_messages_max.get()).unwrap_or(i64::MAX));
        let unacknowledged = Unacknowledged::register(metering, name, usize::from(config.inflight_messages_max.get()))?;
        let client_id = config.client_id.clone().unwrap_or_else(|| format!("thingcall-{:016x}", fastrand::u64(..)));
        let shared = Arc::new(Shared {
            name,
            address,
            client_id,
            tls,
            replies,
            presence,
            metrics,
            echoes: Echoes::default(),
            standing: Standing::new(format!("there is no connection to {} yet", config.url)),
            probe: Probe::new(config.probe_interval, config.probe_timeout, fastrand::u64(..)),
            unacknowledged: Arc::new(Shown::new(unacknowledged)),
            found: AtomicU8::new(0),
            heard: AtomicBool::new(false),
            stop: Notify::new(),
            stopped: AtomicBool::new(false),
            open: RwLock::new(None),
            config,
        });
        let task = tokio::spawn(connection::run(shared.clone()));
        Ok(Arc::new(Self { shared, task: Mutex::new(Some(task)) }))
    }

    /// Says goodbye to the broker and ends; at most `within`.
    pub async fn shutdown(&self, within: Duration) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.stop.notify_one();
        if let Some(open) = self.shared.present() {
            open.client.disconnect();
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if timeout(within, &mut task).await.is_err() {
            warn!("the broker did not close the connection in time");
            task.abort();
            // What is queued may still be sent until the task is gone.
            let _cancelled = task.await;
            if self.shared.close("shutting down") {
                self.shared.lost();
            }
        }
    }
}

impl Shared {
    pub(crate) fn stopping(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    pub(crate) fn target(&self) -> Target<'_> {
        Target { config: &self.config, address: &self.address, client_id: &self.client_id, tls: self.tls.as_ref() }
    }

    /// Deliveries are taken from now on.
    pub(crate) fn open(&self, open: Open) {
        self.metrics.send_queue_length.set(0);
        self.probe.begin();
        self.heard.store(false, Ordering::Relaxed);
        self.found.store(Found::Begun as u8, Ordering::Relaxed);
        *self.open.write().unwrap_or_else(PoisonError::into_inner) = Some(open);
        self.look();
    }

    /// Deliveries are refused from now on. Says whether they were taken before.
    pub(crate) fn close(&self, why: &str) -> bool {
        let was = self.open.write().unwrap_or_else(PoisonError::into_inner).take();
        self.standing.set(Some(format!("no connection to {}: {}", self.config.url, PeerText::new(why))));
        self.metrics.up.set(0);
        self.echoes.forget_all();
        was.is_some()
    }

    /// A device's message came: the broker carries those.
    pub(crate) fn heard(&self) {
        self.heard.store(true, Ordering::Relaxed);
    }

    /// Whom the broker's access rules must let do what we need.
    pub(crate) fn user(&self) -> String {
        self.config.username.as_ref().map_or_else(|| "clients without a user name".to_owned(), |n| format!("user {n}"))
    }

    /// Ends the calls whose messages were sent, or were queued for a connection that is gone.
    pub(crate) fn lost(&self) {
        debug!("connection to the broker ended");
        self.metrics.send_queue_length.set(0);
        self.replies.transport_lost(self.name);
    }

    fn present(&self) -> Option<Open> {
        self.open.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues the message.
    fn publish(&self, delivery: &Delivery) -> Result<Option<Acknowledgement>, DeliverError> {
        let payload = payload(delivery);
        let (bytes, max) = (payload.len(), self.config.message_bytes_max);
        if bytes > max {
            return Err(DeliverError::TooLarge { bytes, max });
        }
        let sync_topic = delivery.sync_topic.unwrap_or(self.config.sync_topic);
        let topic = request_topic(delivery, sync_topic);
        let expires_after = delivery.deadline.map(|deadline| deadline.left(Instant::now().into_std()));
        let message = Outgoing { topic, payload, qos: delivery.qos, expires_after };
        let Open { client, packet_bytes_max } = self.present().ok_or(DeliverError::Down)?;
        // A packet over the broker's limit would end the connection.
        let excess = message.packet_bytes().saturating_sub(packet_bytes_max);
        if excess > 0 {
            return Err(DeliverError::TooLarge { bytes, max: bytes.saturating_sub(excess) });
        }
        // Before it leaves: the broker may bring it back at once.
        let expected = self.comes_back(delivery, sync_topic).then(|| self.echoes.expect(delivery.id, &message.payload));
        self.metrics.send_queue_length.inc();
        client.publish(message).map_err(|error| {
            self.metrics.send_queue_length.dec();
            if expected.is_some() {
                self.echoes.forget(delivery.id);
            }
            match error {
                NotQueued::Full => DeliverError::QueueFull(self.config.send_queue_messages_max.get()),
                NotQueued::Ended => DeliverError::Down,
            }
        })
    }

    /// Whether the broker brings us this message back, as one that does not say whose it is. In MQTT 5 we ask it not to.
    fn comes_back(&self, delivery: &Delivery, sync_topic: SyncTopic) -> bool {
        let shared_topic = delivery.mode == CallMode::Sync && sync_topic == SyncTopic::Ext;
        delivery.raw.is_some() && shared_topic && self.config.version == Version::V4
    }

    /// Waits for the broker to take a QoS 1 message.
    async fn acknowledged(&self, delivery: &Delivery, acknowledgement: Acknowledgement) -> Result<Sent, DeliverError> {
        let began = Instant::now();
        let patience = delivery.deadline.map(|deadline| deadline.left(began.into_std()));
        let waited = timeout(patience.unwrap_or(self.config.publish_ack_timeout), acknowledgement.wait()).await;
        waited.unwrap_or(Err(DeliverError::Lost))?;
        self.metrics.publish_ack_seconds.observe(began.elapsed().as_secs_f64());
        Ok(Sent::Acked)
    }
}

#[async_trait]
impl Transport for MqttTransport {
    fn kind(&self) -> TransportKind {
        TransportKind::Mqtt
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

    fn sync_topic(&self) -> Option<SyncTopic> {
        Some(self.shared.config.sync_topic)
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let shared = &*self.shared;
        // Nobody waits any more where the device's answer comes first: then it was sent.
        let mut counted = shared.metrics.publishing(PublishResult::Sent);
        let sent = match shared.publish(delivery) {
            Ok(None) => Ok(Sent::Sent),
            Ok(Some(acknowledgement)) => shared.acknowledged(delivery, acknowledgement).await,
            Err(error) => Err(error),
        };
        counted.ends(PublishResult::of(&sent));
        sent
    }
}

impl Drop for MqttTransport {
    fn drop(&mut self) {
        if let Some(task) = self.task.lock().unwrap_or_else(PoisonError::into_inner).take() {
            task.abort();
        }
    }
}
