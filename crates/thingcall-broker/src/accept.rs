//! Connections before their CONNECT: accepting them, and their TLS and WebSocket handshakes.
//!
//! **Invariants:** no more sockets are open than may be, on all listeners together: what is beyond that is closed at
//! once and counted. From its first moment a socket has `handshake_timeout` until its CONNECT is there whole. So peers
//! that say nothing take a bounded number of files for a bounded time, and the rest of the server keeps its own.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::{Resource, getrlimit};
use thingcall_core::ConnectResult;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::Config;
use crate::broker::Inner;
use crate::metrics::Refused;
use crate::packet::{Connect, Refusal, Version};
use crate::websocket::WebSocketBytes;
use crate::wire::{Broken, Socket, Wire};

const BACKLOG: u32 = 4096;
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

/// A socket's place among those that may be open.
struct Place {
    inner: Arc<Inner>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.inner.own_metrics.sockets.dec();
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How many sockets may be open: as many as are configured, or as few as the system's limit of open files leaves when
/// the rest of the server has its share.
pub(crate) fn sockets_max(config: &Config) -> usize {
    let wanted = config.sockets_max.get() as usize;
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let max = share(wanted, files, config.files_reserved as usize);
    if max < wanted {
        tracing::warn!(
            sockets_max = max,
            files,
            "fewer sockets for devices than broker.sockets_max; right is a higher limit of open files (ulimit -n, \
             LimitNOFILE)"
        );
    }
    max
}

/// How many of so many files sockets may be. Of very few the rest of the server gets half.
fn share(wanted: usize, files: usize, reserved: usize) -> usize {
    wanted.min(files - reserved.min(files / 2)).max(1)
}

impl Listener {
    pub(crate) fn bind(address: SocketAddr, around: Around) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        let listener = socket.listen(BACKLOG)?;
        Ok(Self { around, address: listener.local_addr()?, listener })
    }

    /// Accepts until the broker stops.
    pub(crate) async fn accept(self, inner: Arc<Inner>) {
        loop {
            let accepted = tokio::select! {
                accepted = self.listener.accept() => accepted,
                () = inner.stopping.cancelled() => return,
            };
            match accepted {
                Ok((stream, peer)) => take(&inner, self.around.clone(), stream, peer),
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
fn take(inner: &Arc<Inner>, around: Around, stream: TcpStream, peer: SocketAddr) {
    let Ok(permit) = inner.sockets.clone().try_acquire_owned() else {
        inner.own_metrics.refused(Refused::SocketsMax);
        tracing::warn!(%peer, "connection closed: as many sockets of devices are open as may be (broker.sockets_max)");
        return;
    };
    inner.own_metrics.sockets.inc();
    let place = Place { inner: inner.clone(), _permit: permit };
    // A device that vanished is found out by its keep-alive; both of these only help.
    if let Err(error) =
        stream.set_nodelay(true).and_then(|()| Ok(rustix::net::sockopt::set_socket_keepalive(&stream, true)?))
    {
        tracing::debug!(%error, "a socket without its options");
    }
    inner.tasks.spawn(async move { serve(&place.inner, around, stream, peer).await });
}

async fn serve(inner: &Arc<Inner>, around: Around, stream: TcpStream, peer: SocketAddr) {
    let until = Instant::now() + inner.config.handshake_timeout;
    match around {
        Around::Nothing => greet(inner, stream, peer, until).await,
        Around::Tls(acceptor) => match inner.in_time(until, acceptor.accept(stream)).await {
            Ok(Ok(stream)) => greet(inner, stream, peer, until).await,
            Ok(Err(error)) => no_handshake(inner, peer, &error),
            Err(late) => inner.late(peer, late),
        },
        Around::WebSocket => {
            let accepting = WebSocketBytes::accept(stream, inner.config.message_bytes_max);
            match inner.in_time(until, accepting).await {
                Ok(Ok(stream)) => greet(inner, stream, peer, until).await,
                Ok(Err(error)) => no_handshake(inner, peer, &error),
                Err(late) => inner.late(peer, late),
            }
        }
    }
}

/// Waits for the CONNECT and runs the session that it begins.
async fn greet<S: Socket>(inner: &Arc<Inner>, socket: S, peer: SocketAddr, until: Instant) {
    let mut wire = Wire::new(socket, inner.config.send_timeout);
    let first = match inner.in_time(until, wire.first()).await {
        Ok(Ok(first)) => first,
        Ok(Err(Broken::Closed | Broken::Io(_))) => return tracing::debug!(%peer, "closed before its CONNECT"),
        Ok(Err(error)) => {
            inner.own_metrics.refused(Refused::Malformed);
            tracing::info!(%peer, reason = %error, "connect refused");
            // The one fault of which MQTT 3 can be told: no client id, and a session to be kept for it.
            if error.is_client_id() {
                inner.turn_away(wire, Version::V3.refused(Refusal::ClientId)).await;
            }
            return;
        }
        Err(late) => return inner.late(peer, late),
    };
    let Some(connect) = Connect::of(first) else {
        inner.own_metrics.refused(Refused::Malformed);
        return tracing::info!(%peer, reason = "its first packet is no CONNECT", "connect refused");
    };
    if let Some(session) = inner.welcome(wire, connect, peer).await {
        // On the heap by itself: a socket that has not logged in yet holds nothing of it.
        Box::pin(session.run()).await;
    }
}

/// Why a handshake is waited for no longer.
enum Late {
    Elapsed,
    Stopping,
}

impl Inner {
    /// Waits for a part of a handshake.
    async fn in_time<F: Future>(&self, until: Instant, part: F) -> Result<F::Output, Late> {
        tokio::select! {
            ended = timeout_at(until, part) => ended.map_err(|_elapsed| Late::Elapsed),
            () = self.stopping.cancelled() => Err(Late::Stopping),
        }
    }

    fn late(&self, peer: SocketAddr, late: Late) {
        if let Late::Stopping = late {
            return self.own_metrics.refused(Refused::Stopping);
        }
        self.own_metrics.refused(Refused::Timeout);
        self.metrics.connected(ConnectResult::Timeout);
        tracing::info!(%peer, "connection closed: no CONNECT in time (broker.handshake_timeout)");
    }
}

fn no_handshake(inner: &Inner, peer: SocketAddr, error: &dyn std::fmt::Display) {
    inner.own_metrics.refused(Refused::Handshake);
    inner.metrics.connected(ConnectResult::Tls);
    tracing::info!(%peer, %error, "connection closed: no TLS or WebSocket handshake");
}

#[cfg(test)]
mod tests;
