//! Start and stop.
//!
//! **Invariant:** when `start` returns, the listeners are bound and every hook is in place; when `shutdown` returns,
//! nobody is connected, and every device that was is reported offline.

use std::net::SocketAddr;
use std::sync::Arc;

use async_trait::async_trait;
use futures::future::OptionFuture;
use prometheus::Registry;
use thingcall_core::{
    Broadcast, DeliverError, Delivery, DeviceKey, Letter, NotBroadcast, NotCarried, PostAnswer, Presence, Problem,
    Problems, Sent, Transport, TransportKind, TransportName, UnixMillis,
};
use thingcall_transport::TransportMetrics;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::accept::{Around, Listener};
use crate::connection::Ended;
use crate::hub::{BrokerParts, Hub};
use crate::kept::Kept;
use crate::lobby::{Lobby, sockets_max};
use crate::metrics::Metrics;
use crate::sessions::Sessions;
use crate::{Config, deliver, tls};

/// Devices whose outbox is read at the same time, when many connect at once.
const OUTBOX_READS_MAX: usize = 16;

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A listener cannot be bound, or its certificate or key cannot be used.
    #[error(transparent)]
    Configuration(#[from] Problems),
    /// The metrics are registered already.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The embedded broker. Devices connect to it; calls go straight into their sessions.
pub struct Broker {
    hub: Arc<Hub>,
    addresses: Addresses,
}

/// The sockets of its listeners, as the configuration names them.
pub struct Sockets {
    /// For plain MQTT.
    pub tcp: TcpListener,
    /// For MQTT over TLS.
    pub tls: Option<TcpListener>,
    /// For MQTT over WebSocket.
    pub websocket: Option<TcpListener>,
}

/// Where the listeners are.
struct Addresses {
    tcp: SocketAddr,
    tls: Option<SocketAddr>,
    websocket: Option<SocketAddr>,
}

/// What came of looking at all connections.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Looked {
    /// So many were closed.
    pub kicked: usize,
    /// Of so many nobody can say now.
    pub undecided: usize,
}

impl Broker {
    /// Binds the listeners and accepts devices.
    ///
    /// # Errors
    /// If a listener cannot be bound, or its certificate cannot be used.
    pub async fn start(config: Config, parts: BrokerParts, registry: &Registry) -> Result<Arc<Self>, StartError> {
        let sockets = Sockets::bind(&config).await?;
        Self::start_on(sockets, config, parts, registry)
    }

    /// Accepts devices on these sockets.
    ///
    /// # Errors
    /// If a certificate cannot be used, or the metrics are registered already.
    pub fn start_on(
        sockets: Sockets,
        config: Config,
        parts: BrokerParts,
        registry: &Registry,
    ) -> Result<Arc<Self>, StartError> {
        let (listeners, addresses) = listeners(&config, sockets)?;
        let sockets_max = sockets_max(&config);
        let sessions_max = usize::try_from(config.sessions_max.get()).unwrap_or(usize::MAX);
        let metrics = TransportMetrics::register(registry, TransportName::EMBEDDED)?;
        let own_metrics = Metrics::register(registry, (sockets_max, sessions_max), &config)?;
        let kept = (config.kept_messages_per_device_max.into(), config.kept_messages_bytes_max);
        let hub = Arc::new(Hub {
            kept: Kept::new(kept.0, kept.1, own_metrics.kept_bytes.clone()),
            sessions: Sessions::new(parts.presence.clone(), sessions_max),
            lobby: Lobby::new(sockets_max, own_metrics.sockets.clone()),
            outbox_reads: Semaphore::new(OUTBOX_READS_MAX),
            tasks: TaskTracker::new(),
            stopping: CancellationToken::new(),
            config,
            parts,
            metrics,
            own_metrics,
        });
        announce(&hub, &addresses, sockets_max);
        for listener in listeners {
            hub.tasks.spawn(listener.accept(hub.clone()));
        }
        Ok(Arc::new(Self { hub, addresses }))
    }

    /// Where devices connect in plain text.
    pub fn local_addr(&self) -> SocketAddr {
        self.addresses.tcp
    }

    /// Where devices connect with TLS, if they can.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.addresses.tls
    }

    /// Where devices connect over WebSocket, if they can.
    pub fn websocket_addr(&self) -> Option<SocketAddr> {
        self.addresses.websocket
    }

    /// How many devices are connected.
    pub fn connected_devices(&self) -> usize {
        self.hub.sessions.count()
    }

    /// Disconnects a device, after DisableThing or DeleteDevice. It counts as offline at once.
    pub async fn kick(&self, device: &DeviceKey) {
        if let Some(connection) = self.hub.sessions.of_device(device) {
            deliver::ended(&self.hub, &connection);
            connection.close(Ended::Kicked);
        }
        drop(self.hub.kept.end(device));
    }

    /// Disconnects every device that may not be connected any more: where more was changed than anybody knows. One that
    /// cannot be looked up now stays.
    pub async fn kick_unwelcome(&self) -> Looked {
        let mut looked = Looked::default();
        for connection in self.hub.sessions.all() {
            match self.hub.parts.credentials.credential(&connection.device).await {
                Ok(Some(credential)) if credential.enabled => {}
                Ok(_) => {
                    self.kick(&connection.device).await;
                    looked.kicked += 1;
                }
                Err(_) => looked.undecided += 1,
            }
        }
        looked
    }

    /// Lets nobody in, closes every connection and waits for them to end, at most for the configured send timeout.
    pub async fn shutdown(&self) {
        self.hub.sessions.close();
        self.hub.stopping.cancel();
        for connection in self.hub.sessions.all() {
            deliver::ended(&self.hub, &connection);
            connection.close(Ended::Shutdown);
        }
        self.hub.tasks.close();
        if tokio::time::timeout(self.hub.config.send_timeout, self.hub.tasks.wait()).await.is_err() {
            tracing::warn!(tasks = self.hub.tasks.len(), "connections did not end in time");
        }
        self.hub.metrics.up.set(0);
        self.hub.metrics.posts_up.set(0);
        tracing::info!("broker stopped");
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.hub.stopping.cancel();
    }
}

#[async_trait]
impl Transport for Broker {
    fn kind(&self) -> TransportKind {
        TransportKind::Embedded
    }

    fn name(&self) -> TransportName {
        TransportName::EMBEDDED
    }

    fn presence(&self, device: &DeviceKey) -> Presence {
        match self.hub.sessions.of_device(device) {
            Some(_) => Presence::Online,
            None => Presence::Offline,
        }
    }

    fn ready(&self) -> bool {
        self.hub.sessions.is_open()
    }

    fn carries(&self, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        deliver::carries(&self.hub, device, letter)
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        deliver::deliver(&self.hub, delivery)
    }

    fn deliver_at_once(&self, delivery: &Delivery) -> Option<Result<Sent, DeliverError>> {
        Some(deliver::deliver(&self.hub, delivery))
    }

    async fn broadcast(&self, broadcast: &Broadcast) -> Result<u64, NotBroadcast> {
        deliver::broadcast(&self.hub, broadcast)
    }

    async fn tell(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        deliver::tell(&self.hub, answer)
    }
}

/// Says that it is there.
fn announce(hub: &Hub, addresses: &Addresses, sockets_max: usize) {
    hub.metrics.up.set(1);
    hub.metrics.posts_up.set(1);
    hub.metrics.last_connect.set(UnixMillis::now().0 / 1000);
    let config = &hub.config;
    let limit = i64::from(config.sessions_max.get()) * i64::from(config.session_queue_messages_max.get());
    hub.metrics.send_queue_limit.set(limit);
    let shown = |address: Option<SocketAddr>| address.map(|address| address.to_string());
    let (tls, websocket) = (shown(addresses.tls), shown(addresses.websocket));
    tracing::info!(address = %addresses.tcp, tls, websocket, sockets_max, "broker started");
}

impl Sockets {
    async fn bind(config: &Config) -> Result<Self, Problems> {
        let at = async |key: &str, address: SocketAddr| TcpListener::bind(address).await.map_err(|e| unusable(key, e));
        let tls = config.tls.as_ref().map(|tls| at("tls.listen", tls.listen));
        let websocket = config.websocket.as_ref().map(|websocket| at("websocket.listen", websocket.listen));
        Ok(Self {
            tcp: at("listen", config.listen).await?,
            tls: OptionFuture::from(tls).await.transpose()?,
            websocket: OptionFuture::from(websocket).await.transpose()?,
        })
    }
}

fn listeners(config: &Config, sockets: Sockets) -> Result<(Vec<Listener>, Addresses), Problems> {
    let on = |key, socket, around| Listener::of(socket, around).map_err(|error| unusable(key, error));
    let tcp = on("listen", sockets.tcp, Around::Nothing)?;
    let mut addresses = Addresses { tcp: tcp.address, tls: None, websocket: None };
    let mut listeners = vec![tcp];
    if let Some((tls, socket)) = config.tls.as_ref().zip(sockets.tls) {
        let listener =
            on("tls.listen", socket, Around::Tls(tls::acceptor(&tls.cert_file, &tls.key_file).map_err(Problems)?))?;
        addresses.tls = Some(listener.address);
        listeners.push(listener);
    }
    if let Some(socket) = sockets.websocket {
        let listener = on("websocket.listen", socket, Around::WebSocket)?;
        addresses.websocket = Some(listener.address);
        listeners.push(listener);
    }
    Ok((listeners, addresses))
}

fn unusable(key: &str, error: std::io::Error) -> Problems {
    Problem::new(key, format_args!("unusable ({error})"), "a free address of this machine").into()
}
