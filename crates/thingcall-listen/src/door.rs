//! Accepting connections, for every protocol.
//!
//! **Invariant:** no more than `connections_max` are inside. Who comes when there is no room, or when the system has no
//! descriptor, takes the place of the one that has waited longest, if that has waited for [`PATIENCE`]; one that is busy
//! stays. An error of the system costs a rest, never the listener.

use std::collections::HashMap;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use crate::figures::{Cut, Figures};
use crate::reserve::Reserve;

/// How long a connection may wait (for a request, for a CONNECT) before it gives way to another.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long accepting rests where nothing can be done but to wait.
const REST: Duration = Duration::from_millis(100);

/// Descriptors that each door keeps in reserve.
const RESERVED: usize = 16;

/// What `waits_since` says of one that does not wait.
const BUSY: u64 = u64::MAX;

/// What it says of one that waited and was asked to leave.
const ASKED: u64 = u64::MAX - 1;

/// Where connections come in.
#[derive(Debug)]
pub struct Door {
    listener: TcpListener,
    room: Arc<Room>,
    /// Accepted, and without a place yet.
    waiting: Option<(TcpStream, SocketAddr)>,
    /// The last attempt to accept failed.
    failing: bool,
}

/// Who is inside.
#[derive(Debug)]
struct Room {
    connections_max: usize,
    // Locked when connections come and go, never for what is done on one.
    guests: Mutex<Guests>,
    left: Notify,
    opened: Instant,
    reserve: Reserve,
    figures: Figures,
}

#[derive(Debug, Default)]
struct Guests {
    next: u64,
    all: HashMap<u64, Arc<Guest>>,
}

#[derive(Debug)]
struct Guest {
    /// Milliseconds after the door was opened, or [`BUSY`], or [`ASKED`].
    waits_since: AtomicU64,
    leave: Notify,
}

/// The place of a connection. Drop it after the connection's socket, so that the socket's descriptor is free by then.
///
/// From the start, and after [`Place::waits`], its connection must leave when [`Place::must_leave`] says so.
#[derive(Debug)]
pub struct Place {
    number: u64,
    guest: Arc<Guest>,
    room: Arc<Room>,
}

impl Door {
    /// Accepts from this listener.
    pub fn new(listener: TcpListener, connections_max: usize, figures: Figures) -> Self {
        let room = Room {
            connections_max,
            guests: Mutex::default(),
            left: Notify::new(),
            opened: Instant::now(),
            reserve: Reserve::new(RESERVED),
            figures,
        };
        Self { listener, room: Arc::new(room), waiting: None, failing: false }
    }

    /// The next connection, and its place. Nothing is lost if the future is dropped.
    pub async fn next(&mut self) -> (TcpStream, SocketAddr, Place) {
        loop {
            if let Some((stream, address)) = self.waiting.take() {
                match self.room.enter() {
                    Some(place) => return (stream, address, place),
                    None => self.waiting = Some((stream, address)),
                }
                self.room.make_way().await;
                continue;
            }
            match self.listener.accept().await {
                Ok(accepted) => self.accepted(accepted),
                Err(error) if of_the_connection(&error) => debug!(%error, "connection lost before it was accepted"),
                Err(error) if self.room.reserve.lends(&error) => {}
                Err(error) => self.refused(&error).await,
            }
        }
    }

    fn accepted(&mut self, (stream, address): (TcpStream, SocketAddr)) {
        if std::mem::take(&mut self.failing) {
            info!(listener = self.room.figures.name, "connections are accepted again");
        }
        if let Err(error) = stream.set_nodelay(true) {
            debug!(%error, "no TCP_NODELAY");
        }
        self.waiting = Some((stream, address));
    }

    async fn refused(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.failing, true) {
            let (listener, open) = (self.room.figures.name, self.room.guests().all.len());
            warn!(listener, open, %error, "cannot accept connections; right is a higher limit of open files");
        }
        self.room.make_way().await;
        self.room.reserve.refill();
    }
}

impl Room {
    fn enter(self: &Arc<Self>) -> Option<Place> {
        let mut guests = self.guests();
        if guests.all.len() >= self.connections_max {
            return None;
        }
        let number = guests.next;
        guests.next += 1;
        let guest = Arc::new(Guest { waits_since: AtomicU64::new(self.now()), leave: Notify::new() });
        guests.all.insert(number, guest.clone());
        self.figures.connections.inc();
        Some(Place { number, guest, room: self.clone() })
    }

    /// Asks the one that has waited longest to leave, and waits until somebody has left or a while has passed.
    async fn make_way(&self) {
        if let Some((guest, since)) = self.most_patient()
            && guest.waits_since.compare_exchange(since, ASKED, Ordering::Relaxed, Ordering::Relaxed).is_ok()
        {
            guest.leave.notify_one();
        }
        tokio::select! {
            () = self.left.notified() => {}
            () = sleep(REST) => {}
        }
    }

    fn most_patient(&self) -> Option<(Arc<Guest>, u64)> {
        let latest = self.now().checked_sub(u64::try_from(PATIENCE.as_millis()).unwrap_or(u64::MAX))?;
        let guests = self.guests();
        let waiting = guests.all.values().map(|guest| (guest, guest.waits_since.load(Ordering::Relaxed)));
        let longest = waiting.filter(|(_, since)| *since <= latest).min_by_key(|(_, since)| *since);
        longest.map(|(guest, since)| (guest.clone(), since))
    }

    fn now(&self) -> u64 {
        u64::try_from(self.opened.elapsed().as_millis()).unwrap_or(ASKED - 1)
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// The connection does something for which it may stay.
    pub fn busy(&self) {
        self.guest.waits_since.store(BUSY, Ordering::Relaxed);
    }

    /// The connection waits for its peer.
    pub fn waits(&self) {
        self.guest.waits_since.store(self.room.now(), Ordering::Relaxed);
    }

    /// Ends when the connection must give way to another.
    pub async fn must_leave(&self) {
        loop {
            self.guest.leave.notified().await;
            // It may have become busy since it was asked.
            if self.guest.waits_since.load(Ordering::Relaxed) == ASKED {
                self.room.figures.cut(Cut::MadeRoom);
                return;
            }
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.guests().all.remove(&self.number);
        self.room.figures.connections.dec();
        self.room.reserve.refill();
        self.room.left.notify_one();
    }
}

/// Whether an accept failed through the one connection alone.
fn of_the_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
