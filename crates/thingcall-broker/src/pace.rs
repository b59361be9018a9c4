//! How fast a device is read: of its reports so many are under way at most, and what it says next waits in its socket until one
//! of them is written. So it is answered all of them, however many it sends in one go.

use std::sync::Arc;

use thingcall_core::{Arrival, Owed, Receipt};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The reports of one session.
pub(crate) struct Pace(Arc<Semaphore>);

impl Pace {
    /// For so many at once.
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Semaphore::new(max)))
    }

    /// Whether one more may come.
    pub(crate) fn has_room(&self) -> bool {
        self.0.available_permits() > 0
    }

    /// Returns when one more may come. Cancel-safe.
    pub(crate) async fn room(&self) {
        // Never closed.
        let _room = self.0.acquire().await;
    }

    /// A message that takes a place if it turns out to be a report.
    pub(crate) fn arrival<'a>(&'a self, message: &'a dyn Arrival) -> Paced<'a> {
        Paced { message, places: &self.0 }
    }
}

/// One of the device's messages, while it is taken.
pub(crate) struct Paced<'a> {
    message: &'a dyn Arrival,
    places: &'a Arc<Semaphore>,
}

impl Arrival for Paced<'_> {
    fn hold(&self) -> Receipt {
        Receipt::new(Held { receipt: self.message.hold(), places: self.places.clone(), _place: None })
    }
}

/// One that is held.
struct Held {
    receipt: Receipt,
    places: Arc<Semaphore>,
    /// Given back with it.
    _place: Option<OwnedSemaphorePermit>,
}

impl Owed for Held {
    fn settle(self: Box<Self>) {
        self.receipt.settle();
    }

    fn of_report(&mut self) {
        self.receipt = std::mem::take(&mut self.receipt).of_report();
        // One that had to be translated first may find none: no more are read meanwhile.
        self._place = self.places.clone().try_acquire_owned().ok();
    }
}
