//! The listeners, and the way back.
//!
//! **Invariant:** [`Endpoint::stop`] returns when every connection has ended and all that was taken from the log is settled or
//! given back, or when its time is over.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use prometheus::Registry;
use thingcall_core::{Consumers, Keys, MessageLog, Problem, Problems, Subscriptions};
use thingcall_listen::{Door, Figures, Place};
use thingcall_subscription::{Limits, Machine, amqp, stomp};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::certificate::Certificate;
use crate::config::Config;
use crate::conversation::{Arrival, converse};
use crate::groups::{Around, Groups};
use crate::metrics::Metrics;

/// What consumers are served with.
pub struct EndpointParts {
    /// What they read.
    pub log: Arc<dyn MessageLog>,
    /// Who they are.
    pub keys: Arc<dyn Keys>,
    /// Their groups.
    pub subscriptions: Arc<dyn Subscriptions>,
    /// Whether a key or a group that is not known is not there. Not so while the store cannot be read.
    pub knows: Arc<dyn Fn() -> bool + Send + Sync>,
}

/// Sockets that are bound, for the keys of the configuration.
#[derive(Debug, Default)]
pub struct Sockets {
    /// `tls.amqp_listen`
    pub amqp: Option<TcpListener>,
    /// `tls.stomp_listen`
    pub stomp: Option<TcpListener>,
    /// `plain_amqp_listen`
    pub plain_amqp: Option<TcpListener>,
    /// `plain_stomp_listen`
    pub plain_stomp: Option<TcpListener>,
}

/// Where consumers connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Addresses {
    /// AMQP 1.0 with TLS.
    pub amqp: Option<SocketAddr>,
    /// STOMP with TLS.
    pub stomp: Option<SocketAddr>,
    /// AMQP 1.0 in plain text.
    pub plain_amqp: Option<SocketAddr>,
    /// STOMP in plain text.
    pub plain_stomp: Option<SocketAddr>,
}

/// A running endpoint.
pub struct Endpoint {
    groups: Arc<Groups>,
    addresses: Addresses,
    /// No connection is taken any more.
    closing: CancellationToken,
}

impl Sockets {
    /// Where they are.
    ///
    /// # Errors
    /// If the system does not say.
    pub fn addresses(&self) -> io::Result<Addresses> {
        let address = |socket: &Option<TcpListener>| socket.as_ref().map(TcpListener::local_addr).transpose();
        Ok(Addresses {
            amqp: address(&self.amqp)?,
            stomp: address(&self.stomp)?,
            plain_amqp: address(&self.plain_amqp)?,
            plain_stomp: address(&self.plain_stomp)?,
        })
    }
}

/// A way to begin a machine.
type Begin = fn(Limits) -> Box<dyn Machine>;

/// One listener.
struct Listener {
    groups: Arc<Groups>,
    begin: Begin,
    certificate: Option<Arc<Certificate>>,
}

/// Why an endpoint does not start.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// What is wrong with the certificate.
    #[error("[subscription] {0}")]
    Certificate(#[from] Problems),
    /// A socket.
    #[error("[subscription] {0}")]
    Socket(#[from] io::Error),
    /// A metric.
    #[error(transparent)]
    Metrics(#[from] prometheus::Error),
}

impl Endpoint {
    /// Accepts on these sockets from now on.
    ///
    /// # Errors
    /// What is wrong with its certificate, its sockets or its metrics.
    pub fn start(
        config: Config,
        parts: EndpointParts,
        sockets: Sockets,
        registry: &Registry,
    ) -> Result<Self, NotStarted> {
        let addresses = sockets.addresses()?;
        let certificate = config.tls.as_ref().map(|tls| Certificate::new(&tls.cert_file, &tls.key_file)).transpose()?;
        let certificate = certificate.map(Arc::new);
        let read_every = config.tls.as_ref().map(|tls| tls.read_every).unwrap_or_default();
        if certificate.is_none() && (sockets.amqp.is_some() || sockets.stomp.is_some()) {
            return Err(Problems(vec![Problem::new("tls", "missing", "the section with a certificate")]).into());
        }
        let EndpointParts { log, keys, subscriptions, knows } = parts;
        let metrics = Metrics::register(registry, &config)?;
        let groups = Groups::new(Around { log, keys, subscriptions, knows }, config, metrics);
        let closing = CancellationToken::new();
        if let Some(certificate) = certificate.clone() {
            let (groups, closing) = (groups.clone(), closing.clone());
            groups.tasks.spawn(async move { closing.run_until_cancelled(certificate.follow(read_every)).await });
        }
        let (amqp, stomp): (Begin, Begin) = (amqp, stomp);
        let all = [
            ("amqp10", sockets.amqp, amqp, certificate.as_ref()),
            ("stomp", sockets.stomp, stomp, certificate.as_ref()),
            ("amqp10_plain", sockets.plain_amqp, amqp, None),
            ("stomp_plain", sockets.plain_stomp, stomp, None),
        ];
        for (name, socket, begin, certificate) in all {
            let Some(socket) = socket else { continue };
            let max = groups.config.sockets_per_listener_max();
            let figures = Figures::register(name, registry)?;
            figures.limits(max, 0);
            let listener = Listener { groups: groups.clone(), begin, certificate: certificate.cloned() };
            groups.tasks.spawn(accept(Door::new(socket, max, figures), Arc::new(listener), closing.clone()));
        }
        Ok(Self { groups, addresses, closing })
    }

    /// Where it listens.
    pub fn addresses(&self) -> Addresses {
        self.addresses
    }

    /// Who is connected.
    pub fn consumers(&self) -> Arc<dyn Consumers> {
        self.groups.clone()
    }

    /// Ends all connections, so that their clients come again, and gives back what they had not settled.
    pub async fn stop(self, within: Duration) {
        self.closing.cancel();
        self.groups.stopping.cancel();
        self.groups.tasks.close();
        if timeout(within, self.groups.tasks.wait()).await.is_err() {
            warn!("consumers kept their connections open; what they had not settled is told again");
        }
    }
}

async fn accept(mut door: Door, listener: Arc<Listener>, closing: CancellationToken) {
    loop {
        let (stream, address, place) = tokio::select! {
            next = door.next() => next,
            () = closing.cancelled() => return,
        };
        // A client that vanished is found out by silence; this only helps.
        if let Err(error) = rustix::net::sockopt::set_socket_keepalive(&stream, true) {
            debug!(%error, "a socket without keep-alive");
        }
        listener.groups.tasks.spawn(serve(listener.clone(), stream, address, place));
    }
}

/// Serves one connection. Each part has a box of its own: a connection holds what it needs now, and not what its handshake needed.
async fn serve(listener: Arc<Listener>, stream: TcpStream, address: SocketAddr, place: Place) {
    let Listener { groups, begin, certificate } = &*listener;
    let mut limits = groups.config.limits();
    let arrival = |limits, place| Arrival { groups: groups.clone(), address, machine: begin(limits), place };
    let Some(certificate) = certificate else { return Box::pin(converse(arrival(limits, place), stream)).await };
    let began = Instant::now();
    let until = began + limits.login_timeout;
    let Some(stream) = Box::pin(handshake(groups, certificate, (stream, address), &place, until)).await else { return };
    // What the handshake took is not there for the login.
    limits.login_timeout = limits.login_timeout.saturating_sub(began.elapsed());
    Box::pin(converse(arrival(limits, place), stream)).await;
}

/// What it becomes with TLS; `None` where it ends.
async fn handshake(
    groups: &Groups,
    certificate: &Certificate,
    (stream, address): (TcpStream, SocketAddr),
    place: &Place,
    until: Instant,
) -> Option<Box<TlsStream<TcpStream>>> {
    let shaken = tokio::select! {
        shaken = timeout_at(until, certificate.acceptor().accept(stream)) => shaken,
        () = place.must_leave() => return None,
        () = groups.stopping.cancelled() => return None,
    };
    let error = match shaken {
        Ok(Ok(stream)) => return Some(Box::new(stream)),
        Ok(Err(error)) => error.to_string(),
        Err(_elapsed) => "it took too long".to_owned(),
    };
    groups.metrics.handshakes_failed.inc();
    let error = thingcall_core::PeerText::new(&error);
    info!(peer = %address, %error, "consumer's connection closed: no TLS handshake");
    None
}
