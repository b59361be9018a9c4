//! The sockets that are open, on all listeners together.
//!
//! **Invariant:** there are no more of them than may be: for one that is beyond that, the one that has been silent for
//! longest without a login is closed, and counted; so devices log in beside peers that say nothing.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus::IntGauge;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio_util::sync::CancellationToken;

use crate::Config;

/// The places for sockets.
pub(crate) struct Lobby {
    places: Mutex<Places>,
    max: usize,
    /// Shows how many are taken.
    shown: IntGauge,
}

#[derive(Default)]
struct Places {
    taken: usize,
    next: u64,
    /// Those whose sockets have not logged in yet, the oldest first.
    silent: BTreeMap<u64, CancellationToken>,
}

/// How a socket got its place.
pub(crate) enum Entry {
    /// There was one.
    Free(Place),
    /// The socket that had been silent for longest gave it.
    MadeRoom(Place),
    /// It did not: all others have logged in.
    Full,
}

/// A socket's place. It is free again when this is dropped, unless it was given to another.
pub(crate) struct Place {
    lobby: Arc<Lobby>,
    number: u64,
    /// Cancelled when it was given to another socket. None once it is given to no other any more.
    given: Option<CancellationToken>,
}

impl Lobby {
    pub(crate) fn new(max: usize, shown: IntGauge) -> Arc<Self> {
        Arc::new(Self { places: Mutex::default(), max, shown })
    }

    /// A place for a socket that has not logged in yet.
    pub(crate) fn enter(self: &Arc<Self>) -> Entry {
        let mut places = self.places();
        let free = places.taken < self.max;
        if free {
            places.taken += 1;
            self.shown.inc();
        } else {
            let Some((_, oldest)) = places.silent.pop_first() else { return Entry::Full };
            oldest.cancel();
        }
        let (number, given) = (places.next, CancellationToken::new());
        places.next += 1;
        places.silent.insert(number, given.clone());
        let place = Place { lobby: self.clone(), number, given: Some(given) };
        if free { Entry::Free(place) } else { Entry::MadeRoom(place) }
    }

    /// Nothing that is done under this lock can panic half way.
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Ends when it was given to another socket.
    pub(crate) async fn given_away(&self) {
        match &self.given {
            Some(given) => given.cancelled().await,
            None => std::future::pending().await,
        }
    }

    /// Its socket logs in: it is given to no other any more. `false` if it was already.
    pub(crate) fn keep(&mut self) -> bool {
        let ours = self.lobby.places().silent.remove(&self.number).is_some();
        if ours {
            self.given = None;
        }
        ours
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut places = self.lobby.places();
        places.silent.remove(&self.number);
        if self.given.as_ref().is_none_or(|given| !given.is_cancelled()) {
            places.taken -= 1;
            self.lobby.shown.dec();
        }
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

#[cfg(test)]
mod tests;
