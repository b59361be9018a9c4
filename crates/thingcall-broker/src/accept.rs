//! Connections before their CONNECT: accepting them, and their TLS and WebSocket handshakes.
//!
//! **Invariant:** from its first moment a socket has `handshake_timeout` until its CONNECT is there whole. So peers that say
//! nothing take a bounded number of files (`lobby`) for a bounded time, and the rest of the server keeps its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use thingcall_alink::Refusal;
use thingcall_core::{Enrolment, PeerText};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::enrol;
use crate::hub::Hub;
use crate::lobby::{Entry, Place};
use crate::login;
use crate::metrics::NoSession;
use crate::packet::{ConnackReason, Connect, Version};
use crate::websocket::WebSocketBytes;
use crate::wire::{Broken, Socket, Wire};

/// How long accepting rests when the system has no file or memory for a connection.
const REST: Duration = Duration::from_millis(100);

/// What lies around MQTT on a listener.
#[derive(Clone)]
pub(crate) enum Around {
    Nothing,
    Tls(TlsAcceptor),
    WebSocket,
}

/// A listener, and where it is.
pub(crate) struct Listener {
    pub(crate) around: Around,
    pub(crate) address: SocketAddr,
    listener: TcpListener,
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

impl Listener {
    pub(crate) fn of(listener: TcpListener, around: Around) -> io::Result<Self> {
        Ok(Self { around, address: listener.local_addr()?, listener })
    }

    /// Accepts until the broker stops.
    pub(crate) async fn accept(self, hub: Arc<Hub>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = hub.stopping.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => take(&hub, self.around.clone(), stream, peer),
                Err(error) if of_the_connection(&error) => tracing::debug!(%error, "lost before it was accepted"),
                Err(error) => {
                    tracing::warn!(address = %self.address, %error, "cannot accept devices");
                    tokio::time::sleep(REST).await;
                }
            }
        }
    }
}

/// Whether an accept failed through the one connection alone.
fn of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Gives a connection its place and its task.
fn take(hub: &Arc<Hub>, around: Around, stream: TcpStream, peer: SocketAddr) {
    let (place, made_room) = match hub.lobby.enter() {
        Entry::Free(place) => (Some(place), false),
        Entry::MadeRoom(place) => (Some(place), true),
        Entry::Full => (None, false),
    };
    if made_room || place.is_none() {
        hub.refused(NoSession::SocketsMax);
        tracing::warn!(%peer, made_room, "more sockets of devices than may be open (broker.sockets_max, ulimit -n)");
    }
    let Some(place) = place else { return };
    // A device that vanished is found out by its keep-alive; both of these only help.
    if let Err(error) = options(&stream) {
        tracing::debug!(%error, "a socket without its options");
    }
    let until = Instant::now() + hub.config.handshake_timeout;
    let stranger = Stranger { hub: hub.clone(), peer, until, place };
    // Tasks of their own kinds: a plain one has no room for TLS.
    match around {
        Around::Nothing => hub.tasks.spawn(greet(stranger, stream)),
        Around::Tls(acceptor) => hub.tasks.spawn(greet_in_tls(stranger, acceptor, stream)),
        Around::WebSocket => hub.tasks.spawn(greet_in_websocket(stranger, stream)),
    };
}

fn options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    Ok(rustix::net::sockopt::set_socket_keepalive(stream, true)?)
}

async fn greet_in_tls(stranger: Stranger, acceptor: TlsAcceptor, stream: TcpStream) {
    match stranger.in_time(acceptor.accept(stream)).await {
        Ok(Ok(stream)) => greet(stranger, stream).await,
        Ok(Err(error)) => stranger.no_handshake(&error),
        Err(late) => stranger.late(late),
    }
}

async fn greet_in_websocket(stranger: Stranger, stream: TcpStream) {
    let accepting = WebSocketBytes::accept(stream, stranger.hub.config.message_bytes_max);
    match stranger.in_time(accepting).await {
        Ok(Ok(stream)) => greet(stranger, stream).await,
        Ok(Err(error)) => stranger.no_handshake(&error),
        Err(late) => stranger.late(late),
    }
}

/// Waits for the CONNECT and starts the session that it begins.
async fn greet<S: Socket + 'static>(stranger: Stranger, socket: S) {
    let (hub, peer) = (stranger.hub.clone(), stranger.peer);
    let mut wire = Wire::new(socket, hub.config.send_timeout);
    let first = match stranger.in_time(wire.first()).await {
        Ok(Ok(first)) => first,
        Ok(Err(Broken::Closed | Broken::Io(_))) => return tracing::debug!(%peer, "closed before its CONNECT"),
        Ok(Err(error)) => {
            hub.refused(NoSession::Malformed);
            let reason = error.to_string();
            tracing::info!(%peer, reason = %PeerText::new(&reason), "connect refused");
            // The one fault of which MQTT 3 can be told: no client id, and a session to be kept for it.
            if error.is_client_id() {
                login::turn_away(wire, Version::V3.refused(ConnackReason::ClientId)).await;
            }
            return;
        }
        Err(late) => return stranger.late(late),
    };
    let Some(connect) = Connect::of(first) else {
        hub.refused(NoSession::Malformed);
        return tracing::info!(%peer, reason = "its first packet is no CONNECT", "connect refused");
    };
    // The session keeps it, since it counts the socket.
    let mut place = stranger.place;
    if !place.keep() {
        return tracing::debug!(%peer, "made room for another with its CONNECT");
    }
    if let Some(asked) = asked(&connect) {
        // On the heap by itself: it is rare.
        return Box::pin(enrol::answer(&hub, wire, connect, asked, peer)).await;
    }
    if let Some(session) = login::welcome(&hub, wire, connect, (peer, place)).await {
        // In a task by itself, so that nothing of this one stays.
        hub.tasks.spawn(session.run());
    }
}

/// A socket that has not logged in yet.
struct Stranger {
    hub: Arc<Hub>,
    peer: SocketAddr,
    until: Instant,
    place: Place,
}

/// Why a handshake is waited for no longer.
enum Late {
    Elapsed,
    MadeRoom,
    Stopping,
}

/// What a device asks that comes for its secret.
fn asked(connect: &Connect) -> Option<Result<Enrolment, Refusal>> {
    let username = connect.username.as_deref().unwrap_or_default();
    thingcall_alink::enrolment(&connect.client_id, username, connect.password.as_deref().unwrap_or_default())
}

impl Stranger {
    /// Waits for a part of its handshake.
    async fn in_time<F: Future>(&self, part: F) -> Result<F::Output, Late> {
        tokio::select! {
            ended = timeout_at(self.until, part) => ended.map_err(|_elapsed| Late::Elapsed),
            () = self.place.given_away() => Err(Late::MadeRoom),
            () = self.hub.stopping.cancelled() => Err(Late::Stopping),
        }
    }

    fn late(&self, late: Late) {
        let peer = self.peer;
        match late {
            // Counted when it happened.
            Late::MadeRoom => tracing::debug!(%peer, "made room for another"),
            Late::Stopping => self.hub.refused(NoSession::Stopping),
            Late::Elapsed => {
                self.hub.refused(NoSession::Timeout);
                tracing::info!(%peer, "connection closed: no CONNECT in time (broker.handshake_timeout)");
            }
        }
    }

    fn no_handshake(&self, error: &dyn std::fmt::Display) {
        self.hub.refused(NoSession::Handshake);
        let error = error.to_string();
        tracing::info!(
            peer = %self.peer, error = %PeerText::new(&error), "connection closed: no TLS or WebSocket handshake"
        );
    }
}
