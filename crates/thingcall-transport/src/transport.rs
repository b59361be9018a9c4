//! The transport: deliveries while there is a connection.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use prometheus::Registry;
use thingcall_core::{
    Broadcast, DeliverError, Delivery, DeviceKey, Letter, NotBroadcast, NotCarried, PostAnswer, Presence, Problems,
    Section, Sent, SyncTopic, Transport, TransportKind, TransportName,
};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tracing::warn;

use crate::contact::{Around, Contact, Which};
use crate::metrics::PublishResult;
use crate::protocol::{NotSent, Protocol};
use crate::section::BrokerSection;
use crate::supervisor::{lost, supervise};

/// The way to devices through an external broker.
pub struct BrokerTransport<P> {
    protocol: Arc<P>,
    stop: CancellationToken,
    /// Gone with this value.
    task: Mutex<Option<AbortOnDropHandle<()>>>,
}

/// Why a transport to an external broker cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BrokerStartError {
    /// Its section cannot be used.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// The metrics are registered already.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

impl<P: Protocol> BrokerTransport<P> {
    /// Starts to connect, and keeps connecting in a task of its own. Needs a running tokio.
    ///
    /// # Errors
    /// If the configuration cannot be used. A broker that is away is no error: it may come.
    pub fn start(
        name: TransportName,
        config: P::Config,
        around: Around,
        metering: &Registry,
    ) -> Result<Arc<Self>, BrokerStartError> {
        config.check()?;
        let (unacknowledged_max, foreign_max) = (P::unacknowledged_max(&config), P::foreign_kept_max(&config));
        let presence_max = P::presence_devices_max(&config);
        let which = Which { kind: P::KIND, name, unacknowledged_max, foreign_max, presence_max };
        let contact = Contact::register(which, config.keys(), around, metering)?;
        let protocol = Arc::new(P::new(config, contact)?);
        let stop = CancellationToken::new();
        let task = AbortOnDropHandle::new(tokio::spawn(supervise(protocol.clone(), stop.clone())));
        Ok(Arc::new(Self { protocol, stop, task: Mutex::new(Some(task)) }))
    }

    /// What all its connections share.
    pub fn protocol(&self) -> &Arc<P> {
        &self.protocol
    }

    /// Says goodbye to the broker and ends; at most `within`.
    pub async fn shutdown(&self, within: Duration) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut task) = task else { return };
        if timeout(within, &mut task).await.is_err() {
            warn!("the broker did not close the connection in time");
            task.abort();
            // It holds the connection, and what is queued may still be sent, until it is gone.
            let _cancelled = task.await;
            self.protocol.contact().close("shutting down");
            lost(&*self.protocol);
        }
    }
}

#[async_trait]
impl<P: Protocol> Transport for BrokerTransport<P> {
    fn kind(&self) -> TransportKind {
        P::KIND
    }

    fn name(&self) -> TransportName {
        self.protocol.contact().name
    }

    fn presence(&self, device: &DeviceKey) -> Presence {
        self.protocol.contact().presence_of(device)
    }

    fn ready(&self) -> bool {
        self.protocol.contact().standing().holds()
    }

    fn failure(&self) -> Option<String> {
        self.protocol.contact().standing().failure()
    }

    fn delay(&self) -> Duration {
        self.protocol.contact().probe.delay(Instant::now().into_std())
    }

    fn sync_topic(&self) -> Option<SyncTopic> {
        self.protocol.sync_topic()
    }

    fn slots_changed(&self) {
        self.protocol.slots_changed();
    }

    fn carries(&self, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        self.protocol.carries(device, letter)
    }

    async fn broadcast(&self, broadcast: &Broadcast) -> Result<u64, NotBroadcast> {
        let mut counted = self.protocol.contact().metrics.publishing(PublishResult::Sent);
        let sent = self.protocol.broadcast(broadcast).await;
        counted.ends(match &sent {
            Ok(Sent::Acked) => PublishResult::Acked,
            Ok(Sent::Sent | Sent::Kept) => PublishResult::Sent,
            Err(NotBroadcast::Topic(_)) => PublishResult::Failed,
            Err(NotBroadcast::Failed(error)) => PublishResult::of(&Err(error.clone())),
        });
        sent.map(|_| 1)
    }

    async fn tell(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        self.protocol.tell(answer).await
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        // Nobody waits any more where the device's answer comes first: then it was sent.
        let mut counted = self.protocol.contact().metrics.publishing(PublishResult::Sent);
        if self.protocol.contact().is_lost_on(delivery) {
            counted.ends(PublishResult::Returned);
            return Err(DeliverError::Offline);
        }
        let sent = self.protocol.deliver(delivery).await;
        counted.ends(result_of(&sent));
        sent.map_err(|NotSent { error, .. }| error)
    }

    fn deliver_at_once(&self, delivery: &Delivery) -> Option<Result<Sent, DeliverError>> {
        if self.protocol.contact().is_lost_on(delivery) {
            return None;
        }
        let sent = self.protocol.deliver_at_once(delivery)?;
        self.protocol.contact().metrics.published(result_of(&sent));
        Some(sent.map_err(|NotSent { error, .. }| error))
    }
}

/// What a delivery's end counts as.
const fn result_of(sent: &Result<Sent, NotSent>) -> PublishResult {
    match sent {
        Ok(Sent::Acked) => PublishResult::Acked,
        Ok(Sent::Sent | Sent::Kept) => PublishResult::Sent,
        Err(NotSent { result, .. }) => *result,
    }
}
