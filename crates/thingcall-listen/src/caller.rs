//! One connection, as those see it that answer its requests.
//!
//! **Invariant:** until somebody vouches for a request, what it sent beyond [`FREE_BYTES`] counts against the listener's
//! budget, and its connection gives way to others. All of this is done from the connection's one task.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use tokio_util::sync::CancellationToken;

use crate::budget::{Budget, Share};
use crate::door::Place;

/// What each connection may send before it counts: about what reading takes for it anyway. Requests of usual size
/// never touch the budget, and come through when others have used it up.
pub(crate) const FREE_BYTES: usize = 8 * 1024;

/// Who sent a request. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Caller(Arc<Connection>);

#[derive(Debug)]
struct Connection {
    place: Place,
    peer: SocketAddr,
    share: Share,
    /// What came since a request was vouched for or answered.
    unsettled: AtomicUsize,
    /// What it sent went beyond the budget.
    over_budget: AtomicBool,
    /// A request of it is being answered.
    in_service: AtomicBool,
    /// It is one that somebody vouched for.
    vouched: AtomicBool,
    /// Something that was sent will not be read.
    cut_short: AtomicBool,
    /// The answer that is being given goes on.
    streams: AtomicBool,
    /// The listener takes no more requests.
    draining: CancellationToken,
}

/// An answer that goes on; dropping it ends it.
#[derive(Debug)]
pub struct Streaming(Caller);

impl Drop for Streaming {
    fn drop(&mut self) {
        self.0.0.streams.store(false, Ordering::Relaxed);
        self.0.answered();
    }
}

impl Caller {
    pub(crate) fn new((place, peer): (Place, SocketAddr), budget: Arc<Budget>, draining: CancellationToken) -> Self {
        Self(Arc::new(Connection {
            place,
            peer,
            share: Share::of(budget),
            unsettled: AtomicUsize::new(0),
            over_budget: AtomicBool::new(false),
            in_service: AtomicBool::new(false),
            vouched: AtomicBool::new(false),
            cut_short: AtomicBool::new(false),
            streams: AtomicBool::new(false),
            draining,
        }))
    }

    /// Where the connection comes from; a proxy, if one is in between.
    pub fn peer(&self) -> SocketAddr {
        self.0.peer
    }

    /// The request is one that may be here: nothing of it counts any more, and its connection stays until it is answered.
    pub fn vouched(&self) {
        self.0.vouched.store(true, Ordering::Relaxed);
        self.settle();
        self.0.place.busy();
    }

    /// Whether somebody vouched for the request that is being answered.
    pub fn is_vouched(&self) -> bool {
        self.0.vouched.load(Ordering::Relaxed)
    }

    /// Whether what the request sent went beyond what all requests together may hold before they are vouched for.
    pub fn over_budget(&self) -> bool {
        self.0.over_budget.load(Ordering::Relaxed)
    }

    /// Whether the answer may be so much larger, for a caller nobody vouches for; counts until it is written.
    pub fn may_be_told(&self, bytes: usize) -> bool {
        self.0.share.grow(bytes)
    }

    /// The rest of the request will not be read: its connection ends with this answer, and slowly enough for it to be
    /// read.
    pub fn cut_short(&self) {
        self.0.cut_short.store(true, Ordering::Relaxed);
    }

    /// The answer goes on for as long as this is held: its connection stays.
    pub fn streams(&self) -> Streaming {
        self.0.streams.store(true, Ordering::Relaxed);
        Streaming(self.clone())
    }

    /// Cancelled when running requests are to come to their end.
    pub fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    /// The budget of the listener.
    pub fn budget(&self) -> &Budget {
        self.0.share.budget()
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.place
    }

    pub(crate) fn is_cut_short(&self) -> bool {
        self.0.cut_short.load(Ordering::Relaxed)
    }

    pub(crate) fn is_in_service(&self) -> bool {
        self.0.in_service.load(Ordering::Relaxed)
    }

    pub(crate) fn begins(&self) {
        self.0.in_service.store(true, Ordering::Relaxed);
    }

    pub(crate) fn answered(&self) {
        if self.0.streams.load(Ordering::Relaxed) {
            return;
        }
        self.0.in_service.store(false, Ordering::Relaxed);
        self.0.vouched.store(false, Ordering::Relaxed);
        self.0.place.waits();
    }

    /// So much was read; `false` if there is no room for it. What comes while a request is answered is of the next ones,
    /// and no more than is read ahead.
    pub(crate) fn sent(&self, bytes: usize) -> bool {
        if self.0.vouched.load(Ordering::Relaxed) {
            return true;
        }
        let before = self.0.unsettled.load(Ordering::Relaxed);
        let now = before + bytes;
        self.0.unsettled.store(now, Ordering::Relaxed);
        if now <= FREE_BYTES {
            return true;
        }
        let fits = self.0.share.grow(now - before.max(FREE_BYTES));
        if !fits {
            self.0.over_budget.store(true, Ordering::Relaxed);
        }
        fits
    }

    /// All that was to be written is.
    pub(crate) fn written(&self) {
        if !self.is_in_service() {
            self.settle();
        }
    }

    fn settle(&self) {
        self.0.unsettled.store(0, Ordering::Relaxed);
        self.0.share.empty();
    }
}
