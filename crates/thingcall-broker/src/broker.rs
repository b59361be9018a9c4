//! Start and stop.
//!
//! **Invariant:** when `start` returns, the listeners are bound and every hook is in place; when `shutdown` returns,
//! nobody is connected, and every device that was is reported offline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use rmqtt::context::ServerContext;
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use rmqtt::types::{From, Id, Reason};
use thingcall_core::{
    Credentials, DeviceKey, Outbox, PresenceSink, ReplySink, TransportMetrics, TransportName, UnixMillis,
};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use crate::limits::LimitsOf;
use crate::nobody::Nobody;
use crate::sessions::Sessions;
use crate::{Config, hooks};

/// Devices whose outbox is read at the same time, when many connect at once.
const OUTBOX_READS_MAX: usize = 16;
/// How often connections that ended without a word are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(1);
const CLIENT_ID_BYTES_MAX: usize = 1024;
const SUBSCRIPTIONS_MAX: usize = 256;

/// What the broker works with.
#[derive(Clone)]
pub struct Parts {
    /// Whom to believe.
    pub credentials: Arc<dyn Credentials>,
    /// QoS 1 commands that wait for devices.
    pub outbox: Arc<dyn Outbox>,
    /// Who is told of devices coming and going.
    pub presence: Arc<dyn PresenceSink>,
    /// Who takes what devices answer.
    pub replies: Arc<dyn ReplySink>,
}

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The address cannot be bound.
    #[error("cannot listen on {address}: {reason}")]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The certificate or key cannot be used.
    #[error("cannot use {cert_file} and {key_file} for TLS: {reason}")]
    Tls {
        /// The certificate.
        cert_file: String,
        /// The key.
        key_file: String,
        /// Why.
        reason: String,
    },
    /// The metrics are registered already.
    #[error("metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// The embedded broker. Devices connect to it; calls go straight into their sessions.
pub struct Broker {
    inner: Arc<Inner>,
    scx: ServerContext,
    local_addr: SocketAddr,
    tls_addr: Option<SocketAddr>,
    websocket_addr: Option<SocketAddr>,
    accepting: JoinHandle<()>,
}

/// What hooks, deliveries and tasks share.
pub(crate) struct Inner {
    pub(crate) config: Config,
    pub(crate) parts: Parts,
    pub(crate) sessions: Sessions,
    pub(crate) metrics: TransportMetrics,
    /// The sender of all pushes.
    pub(crate) from: From,
    pub(crate) outbox_reads: Semaphore,
    pub(crate) tasks: TaskTracker,
}

impl Broker {
    /// Binds the listeners and accepts devices.
    ///
    /// # Errors
    /// If a listener cannot be bound, or its certificate cannot be used.
    pub async fn start(config: Config, parts: Parts, registry: &Registry) -> Result<Arc<Self>, StartError> {
        let metrics = TransportMetrics::register(registry, TransportName::EMBEDDED)?;
        let (listeners, addresses) = listeners(&config)?;
        let scx = context(&config).await;
        let login_time = config.handshake_timeout * 2;
        let inner = Arc::new(Inner {
            sessions: Sessions::new(parts.presence.clone(), login_time),
            from: From::from_system(Id::from(scx.node.id(), "thingcall".into())),
            outbox_reads: Semaphore::new(OUTBOX_READS_MAX),
            tasks: TaskTracker::new(),
            config,
            parts,
            metrics,
        });
        hooks::start(&scx, &inner).await;
        let server = listeners
            .into_iter()
            .zip(1..)
            .fold(MqttServer::new(scx.clone()), |server, (listener, id)| server.listener_by_id(listener, id))
            .build();
        let (sweeping, swept) = (inner.clone(), scx.clone());
        let accepting = tokio::spawn(async move {
            // Not `start()`, which would end the process on an error. Neither of the two returns.
            let (served, ()) = tokio::join!(server.run(), sweeping.sweep(&swept));
            if let Err(error) = served {
                tracing::error!(%error, "broker ended");
            }
        });
        inner.announce(&addresses);
        let Addresses { tcp: local_addr, tls: tls_addr, websocket: websocket_addr } = addresses;
        Ok(Arc::new(Self { inner, scx, local_addr, tls_addr, websocket_addr, accepting }))
    }

    /// Where devices connect in plain text.
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Where devices connect with TLS, if they can.
    pub fn tls_addr(&self) -> Option<SocketAddr> {
        self.tls_addr
    }

    /// Where devices connect over WebSocket, if they can.
    pub fn websocket_addr(&self) -> Option<SocketAddr> {
        self.websocket_addr
    }

    /// How many devices are connected.
    pub fn connected_devices(&self) -> usize {
        self.inner.sessions.all().len()
    }

    /// Disconnects a device, after DisableThing or DeleteDevice. It counts as offline at once.
    pub async fn kick(&self, device: &DeviceKey) {
        if let Some(connection) = self.inner.sessions.of_device(device) {
            self.inner.ended(&connection);
            connection.close(Reason::ConnectKicked(true));
        }
    }

    /// Stops accepting, closes every connection and waits for them to end, at most for the configured send timeout.
    pub async fn shutdown(&self) {
        self.inner.sessions.close();
        self.accepting.abort();
        for connection in self.inner.sessions.all() {
            self.inner.ended(&connection);
            connection.close(Reason::ConnectRemoteClose);
        }
        self.inner.tasks.close();
        let ended = async {
            self.inner.tasks.wait().await;
            // rmqtt has no event for the last connection's end.
            while self.scx.connections.count() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        if tokio::time::timeout(self.inner.config.send_timeout, ended).await.is_err() {
            tracing::warn!(connections = self.scx.connections.count(), "connections did not end in time");
        }
        self.inner.metrics.up.set(0);
        tracing::info!("broker stopped");
    }

    /// How many sessions rmqtt keeps, connected or not.
    #[cfg(test)]
    pub(crate) fn rmqtt_sessions(&self) -> isize {
        self.scx.sessions.count()
    }

    pub(crate) fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Inner {
    fn announce(&self, addresses: &Addresses) {
        self.metrics.up.set(1);
        self.metrics.last_connect.set(UnixMillis::now().0 / 1000);
        let limit = i64::from(self.config.sessions_max) * i64::from(self.config.session_queue_messages_max);
        self.metrics.send_queue_limit.set(limit);
        let shown = |address: Option<SocketAddr>| address.map(|address| address.to_string());
        let (tls, websocket) = (shown(addresses.tls), shown(addresses.websocket));
        tracing::info!(address = %addresses.tcp, tls, websocket, "broker started");
    }

    /// Ends what ended without a word: a handshake that broke after its login. Does not return.
    async fn sweep(&self, scx: &ServerContext) {
        let mut every = tokio::time::interval(SWEEP_EVERY);
        loop {
            every.tick().await;
            let (over, absent) = self.sessions.sweep(Instant::now());
            for connection in over {
                self.ended(&connection);
                // rmqtt forgets such a session only when its client id comes again.
                let mut entry = scx.extends.shared().await.entry(connection.id.clone());
                if let Err(error) = entry.remove_with(&connection.id).await {
                    tracing::warn!(device = %connection.device, %error, "session not removed");
                }
            }
            for device in absent {
                self.parts.replies.device_gone(&device, TransportName::EMBEDDED);
            }
        }
    }
}

struct Addresses {
    tcp: SocketAddr,
    tls: Option<SocketAddr>,
    websocket: Option<SocketAddr>,
}

/// rmqtt's context with our limits, and without its routing.
async fn context(config: &Config) -> ServerContext {
    let scx = ServerContext::new()
        // It would refuse devices while this machine is busy with anything.
        .busy_check_enable(false)
        .mqtt_max_sessions(isize::try_from(config.sessions_max).unwrap_or(isize::MAX))
        .build()
        .await;
    *scx.extends.router_mut().await = Box::new(Nobody::default());
    let keep_alive_max = u16::try_from(config.keep_alive_max.as_secs()).unwrap_or(u16::MAX).max(1);
    *scx.extends.fitter_mgr_mut().await = Box::new(LimitsOf { keep_alive_max });
    scx
}

fn listeners(config: &Config) -> Result<(Vec<Listener>, Addresses), StartError> {
    let (tcp, address) = bind(config, config.listen, None)?;
    let refused = |error: rmqtt::Error| StartError::Listen { address, reason: error.to_string() };
    let mut addresses = Addresses { tcp: address, tls: None, websocket: None };
    let mut listeners = vec![tcp.tcp().map_err(refused)?];
    if let Some(tls) = &config.tls {
        let (listener, address) = bind(config, tls.listen, Some(tls))?;
        listeners.push(listener.tls().map_err(|error| StartError::Tls {
            cert_file: tls.cert_file.display().to_string(),
            key_file: tls.key_file.display().to_string(),
            reason: error.to_string(),
        })?);
        addresses.tls = Some(address);
    }
    if let Some(websocket) = &config.websocket {
        let (listener, address) = bind(config, websocket.listen, None)?;
        listeners.push(listener.ws().map_err(|error| StartError::Listen { address, reason: error.to_string() })?);
        addresses.websocket = Some(address);
    }
    Ok((listeners, addresses))
}

fn bind(config: &Config, address: SocketAddr, tls: Option<&crate::Tls>) -> Result<(Listener, SocketAddr), StartError> {
    let refused = |error: rmqtt::Error| StartError::Listen { address, reason: error.to_string() };
    let sessions_max = usize::try_from(config.sessions_max).unwrap_or(usize::MAX);
    // Room for synchronous QoS 1 calls beside the outbox's window; neither rmqtt limit is ever reached, ours are.
    let inflight = config.inflight_messages_max.saturating_add(config.session_queue_messages_max);
    let builder = Builder::new()
        .name("devices")
        .laddr(address)
        .nodelay(true)
        .reuseaddr(Some(true))
        .backlog(4096)
        .allow_anonymous(false)
        .max_connections(sessions_max.max(1000))
        .max_handshaking_limit(sessions_max.max(1000))
        .max_packet_size(config.message_bytes_max)
        .max_clientid_len(CLIENT_ID_BYTES_MAX)
        .max_subscriptions(SUBSCRIPTIONS_MAX)
        .max_inflight(inflight)
        .max_mqueue_len(usize::from(inflight.get()))
        .handshake_timeout(config.handshake_timeout)
        .send_timeout(config.send_timeout)
        // Both zero: rmqtt never sends a message again by itself, nor lets one expire that has no deadline.
        .message_retry_interval(Duration::ZERO)
        .message_expiry_interval(Duration::ZERO)
        .session_expiry_interval(Duration::ZERO)
        .tls_cert(tls.map(|tls| tls.cert_file.display().to_string()))
        .tls_key(tls.map(|tls| tls.key_file.display().to_string()));
    let listener = builder.bind().map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}
