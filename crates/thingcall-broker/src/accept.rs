//! Connections before their CONNECT: accepting them, and their TLS and WebSocket handshakes.
//!
//! **Invariants:** no more sockets are open than may be, on all listeners together: for one that is beyond that, the one
//! that has been silent for longest is closed, and counted; so devices log in beside peers that say nothing. From its first moment a socket has `handshake_timeout` until its CONNECT is there whole. So peers
//! that say nothing take a bounded number of files for a bounded time, and the rest of the server keeps its own.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use thingcall_core::PeerText;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_util::sync::CancellationToken;

use crate::Config;
use crate::broker::Inner;
use crate::metrics::Refused;
use crate::packet::{Connect, Refusal, Version};
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

/// A socket's place among those that may be open.
struct Place {
    inner: Arc<Inner>,
    /// Cancelled when the place was given to another socket.
    given: CancellationToken,
}

impl Drop for Place {
    fn drop(&mut self) {
        if !self.given.is_cancelled() {
            self.inner.places.free();
            self.inner.own_metrics.sockets.dec();
        }
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How many sockets may be open: as many as are configured, or as few as the system's limit of open files leaves when
/// the rest of the server has its share. The limit is raised as far as this process may.
pub(crate) fn sockets_max(config: &Config) -> usize {
    let wanted = config.sockets_max.get() as usize;
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum }) {
        tracing::debug!(%error, "the limit of open files stays");
    }
    let Some(files) = getrlimit(Resource::Nofile).current else { return wanted };
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    let max = share(wanted, files, config.files_reserved as usize);
    if max < wanted {
        tracing::info!(
            sockets_max = max,
            files,
            "fewer sockets for devices than broker.sockets_max, for want of files"
        );
    }
    max
}

/// How many of so many files sockets may be. Of very few the rest of the server gets half.
fn share(wanted: usize, files: usize, reserved: usize) -> usize {
    wanted.min(files - reserved.min(files / 2)).max(1)
}

impl Listener {
    pub(crate) fn of(listener: TcpListener, around: Around) -> io::Result<Self> {
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

/// Gives a connection its place and its task. Where all places are taken, the socket that has been silent for longest
/// makes room; if all have logged in, there is none.
fn take(inner: &Arc<Inner>, around: Around, stream: TcpStream, peer: SocketAddr) {
    if inner.places.take() {
        inner.own_metrics.sockets.inc();
    } else {
        let made_room = inner.strangers.close_oldest();
        inner.refused(Refused::SocketsMax);
        tracing::warn!(%peer, made_room, "more sockets of devices than may be open (broker.sockets_max, ulimit -n)");
        if !made_room {
            return;
        }
    }
    // A device that vanished is found out by its keep-alive; both of these only help.
    if let Err(error) = options(&stream) {
        tracing::debug!(%error, "a socket without its options");
    }
    let stranger = Stranger::new(inner.clone(), peer);
    let place = Place { inner: inner.clone(), given: stranger.out.clone() };
    inner.tasks.spawn(async move {
        serve(stranger, around, stream).await;
        drop(place);
    });
}

fn options(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    Ok(rustix::net::sockopt::set_socket_keepalive(stream, true)?)
}

async fn serve(stranger: Stranger, around: Around, stream: TcpStream) {
    match around {
        Around::Nothing => greet(stranger, stream).await,
        Around::Tls(acceptor) => match stranger.in_time(acceptor.accept(stream)).await {
            Ok(Ok(stream)) => greet(stranger, stream).await,
            Ok(Err(error)) => stranger.no_handshake(&error),
            Err(late) => stranger.late(late),
        },
        Around::WebSocket => {
            let accepting = WebSocketBytes::accept(stream, stranger.inner.config.message_bytes_max);
            match stranger.in_time(accepting).await {
                Ok(Ok(stream)) => greet(stranger, stream).await,
                Ok(Err(error)) => stranger.no_handshake(&error),
                Err(late) => stranger.late(late),
            }
        }
    }
}

/// Waits for the CONNECT and runs the session that it begins.
async fn greet<S: Socket>(stranger: Stranger, socket: S) {
    let (inner, peer) = (stranger.inner.clone(), stranger.peer);
    let mut wire = Wire::new(socket, inner.config.send_timeout);
    let first = match stranger.in_time(wire.first()).await {
        Ok(Ok(first)) => first,
        Ok(Err(Broken::Closed | Broken::Io(_))) => return tracing::debug!(%peer, "closed before its CONNECT"),
        Ok(Err(error)) => {
            inner.refused(Refused::Malformed);
            let reason = error.to_string();
            tracing::info!(%peer, reason = %PeerText::new(&reason), "connect refused");
            // The one fault of which MQTT 3 can be told: no client id, and a session to be kept for it.
            if error.is_client_id() {
                inner.turn_away(wire, Version::V3.refused(Refusal::ClientId)).await;
            }
            return;
        }
        Err(late) => return stranger.late(late),
    };
    let Some(connect) = Connect::of(first) else {
        inner.refused(Refused::Malformed);
        return tracing::info!(%peer, reason = "its first packet is no CONNECT", "connect refused");
    };
    if !stranger.proceed() {
        return tracing::debug!(%peer, "made room for another with its CONNECT");
    }
    if let Some(session) = inner.welcome(wire, connect, peer).await {
        // On the heap by itself: a socket that has not logged in yet holds nothing of it.
        Box::pin(session.run()).await;
    }
}

/// A socket that has not logged in yet.
struct Stranger {
    inner: Arc<Inner>,
    peer: SocketAddr,
    until: Instant,
    number: u64,
    /// Cancelled when it is to make room.
    out: CancellationToken,
}

/// Why a handshake is waited for no longer.
enum Late {
    Elapsed,
    MadeRoom,
    Stopping,
}

impl Stranger {
    fn new(inner: Arc<Inner>, peer: SocketAddr) -> Self {
        let until = Instant::now() + inner.config.handshake_timeout;
        let (number, out) = inner.strangers.enter();
        Self { inner, peer, until, number, out }
    }

    /// Waits for a part of its handshake.
    async fn in_time<F: Future>(&self, part: F) -> Result<F::Output, Late> {
        tokio::select! {
            ended = timeout_at(self.until, part) => ended.map_err(|_elapsed| Late::Elapsed),
            () = self.out.cancelled() => Err(Late::MadeRoom),
            () = self.inner.stopping.cancelled() => Err(Late::Stopping),
        }
    }

    /// Its CONNECT is there: it makes room no more. `false` if it did already.
    fn proceed(self) -> bool {
        self.inner.strangers.leave(self.number)
    }

    fn late(&self, late: Late) {
        let peer = self.peer;
        match late {
            // Counted when it happened.
            Late::MadeRoom => tracing::debug!(%peer, "made room for another"),
            Late::Stopping => self.inner.refused(Refused::Stopping),
            Late::Elapsed => {
                self.inner.refused(Refused::Timeout);
                tracing::info!(%peer, "connection closed: no CONNECT in time (broker.handshake_timeout)");
            }
        }
    }

    fn no_handshake(&self, error: &dyn std::fmt::Display) {
        self.inner.refused(Refused::Handshake);
        let error = error.to_string();
        tracing::info!(
            peer = %self.peer, error = %PeerText::new(&error), "connection closed: no TLS or WebSocket handshake"
        );
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        self.inner.strangers.leave(self.number);
    }
}

/// The places for sockets, on all listeners together.
pub(crate) struct Places {
    taken: AtomicUsize,
    max: usize,
}

impl Places {
    pub(crate) const fn new(max: usize) -> Self {
        Self { taken: AtomicUsize::new(0), max }
    }

    /// Takes one; `false` if all are taken.
    fn take(&self) -> bool {
        let more = |taken| (taken < self.max).then_some(taken + 1);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn free(&self) {
        self.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All sockets that have not logged in yet, the oldest first.
#[derive(Default)]
pub(crate) struct Strangers(Mutex<Waiting>);

#[derive(Default)]
struct Waiting {
    next: u64,
    waiting: BTreeMap<u64, CancellationToken>,
}

impl Strangers {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn enter(&self) -> (u64, CancellationToken) {
        let mut all = self.lock();
        let (number, out) = (all.next, CancellationToken::new());
        all.next += 1;
        all.waiting.insert(number, out.clone());
        (number, out)
    }

    /// `false` if it is not there any more.
    fn leave(&self, number: u64) -> bool {
        self.lock().waiting.remove(&number).is_some()
    }

    /// Has the oldest give its place; `false` if there is none.
    fn close_oldest(&self) -> bool {
        let oldest = self.lock().waiting.pop_first();
        oldest.is_some_and(|(_, out)| {
            out.cancel();
            true
        })
    }
}

#[cfg(test)]
mod tests;
