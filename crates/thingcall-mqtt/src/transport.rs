//! The transport: deliveries while there is a connection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use rumqttc_v4::TlsConfiguration;
use thingcall_alink::{request_payload, request_topic};
use thingcall_core::{
    DeliverError, Delivery, DeviceKey, Presence, PresenceSink, PublishResult, ReplySink, Sent, Transport,
    TransportKind, TransportMetrics,
};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tracing::warn;

use crate::client::{Acknowledgement, Client, NotQueued};
use crate::config::{Address, Config, StartError};
use crate::{connection, tls};

/// The way to devices behind an external MQTT broker.
pub struct MqttTransport {
    shared: Arc<Shared>,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// What deliveries and the connection's task share.
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) address: Address,
    pub(crate) client_id: String,
    pub(crate) tls: Option<TlsConfiguration>,
    pub(crate) replies: Arc<dyn ReplySink>,
    pub(crate) presence: Arc<dyn PresenceSink>,
    pub(crate) metrics: TransportMetrics,
    pub(crate) stop: Notify,
    stopped: AtomicBool,
    /// The client of the present connection; `None` while there is none.
    client: RwLock<Option<Client>>,
}

impl MqttTransport {
    /// Starts to connect, and keeps connecting in a task of its own. Needs a running tokio.
    ///
    /// # Errors
    /// If the configuration cannot be used. A broker that is away is no error: it may come.
    pub fn start(
        config: Config,
        replies: Arc<dyn ReplySink>,
        presence: Arc<dyn PresenceSink>,
        metering: &prometheus::Registry,
    ) -> Result<Arc<Self>, StartError> {
        config.check()?;
        let address = config.address()?;
        let tls = address.tls.then(|| tls::load(&config.tls)).transpose()?;
        let metrics = TransportMetrics::register(metering, TransportKind::Mqtt)?;
        metrics.send_queue_limit.set(i64::try_from(config.send_queue_messages_max).unwrap_or(i64::MAX));
        let client_id = config.client_id.clone().unwrap_or_else(|| format!("thingcall-{:016x}", fastrand::u64(..)));
        let shared = Arc::new(Shared {
            address,
            client_id,
            tls,
            replies,
            presence,
            metrics,
            stop: Notify::new(),
            stopped: AtomicBool::new(false),
            client: RwLock::new(None),
            config,
        });
        let task = tokio::spawn(connection::run(shared.clone()));
        Ok(Arc::new(Self { shared, task: Mutex::new(Some(task)) }))
    }

    /// Says goodbye to the broker and ends; at most `within`.
    pub async fn shutdown(&self, within: Duration) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.shared.stop.notify_one();
        if let Some(client) = self.shared.client() {
            client.disconnect();
        }
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if timeout(within, &mut task).await.is_err() {
            warn!("the broker did not close the connection in time");
            task.abort();
        }
    }
}

impl Shared {
    pub(crate) fn stopping(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }

    /// Deliveries are taken from now on.
    pub(crate) fn open(&self, client: Client) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = Some(client);
    }

    /// Deliveries are refused from now on.
    pub(crate) fn close(&self) {
        *self.client.write().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn client(&self) -> Option<Client> {
        self.client.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Queues the message.
    fn publish(&self, delivery: &Delivery) -> Result<Option<Acknowledgement>, DeliverError> {
        let payload = request_payload(delivery);
        let (bytes, max) = (payload.len(), self.config.message_bytes_max);
        if bytes > max {
            return Err(DeliverError::TooLarge { bytes, max });
        }
        let topic = request_topic(delivery, delivery.sync_topic.unwrap_or(self.config.sync_topic));
        let client = self.client().ok_or(DeliverError::Down)?;
        let left = delivery.deadline.map(|deadline| deadline.left(Instant::now().into_std()));
        client.publish(topic, payload, delivery.qos, left).map_err(|error| match error {
            NotQueued::Full => DeliverError::QueueFull(self.config.send_queue_messages_max),
            NotQueued::Ended => DeliverError::Down,
        })
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

    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Unknown
    }

    fn ready(&self) -> bool {
        self.shared.client().is_some()
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let shared = &*self.shared;
        let sent = match shared.publish(delivery) {
            Ok(None) => Ok(Sent::Sent),
            Ok(Some(acknowledgement)) => shared.acknowledged(delivery, acknowledgement).await,
            Err(error) => Err(error),
        };
        shared.metrics.published(match &sent {
            Ok(Sent::Acked) => PublishResult::Acked,
            Ok(Sent::Sent | Sent::Kept) => PublishResult::Sent,
            Err(DeliverError::QueueFull(_)) => PublishResult::Blocked,
            Err(DeliverError::Offline) => PublishResult::Returned,
            Err(DeliverError::Refused(_)) => PublishResult::Nacked,
            Err(DeliverError::Down | DeliverError::Lost | DeliverError::TooLarge { .. }) => PublishResult::Failed,
        });
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
