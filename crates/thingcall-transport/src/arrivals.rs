//! Messages that came on a connection and are not acknowledged yet, in the order in which they came.
//!
//! **Invariants:** a message is acknowledged after all that came before it, as MQTT wants it (3.1.1, section 4.6) and as
//! AMQP's acknowledgement of several at once needs it. Of replies no more than a number wait, and none longer than a time: a
//! broker gives its client so many unacknowledged messages at once, and behind those that wait for a store that stands
//! still come others that need none. Then they are acknowledged early, which is counted, until the store writes again. A
//! report is not: it waits until it is written, and where it cannot be, its connection has to end, so that it comes again.
//! Where reports come on a connection of their own, nothing is acknowledged early.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus::IntCounter;
use thingcall_core::{Arrival, Owed, Receipt};
use tokio::time::Instant;

/// How long a message is held at most. A store that works takes some milliseconds.
const HELD_MAX: Duration = Duration::from_secs(2);

/// The messages of one connection; `A` is what acknowledges one.
pub struct Arrivals<A>(Arc<Shared<A>>);

impl<A> Clone for Arrivals<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// One of them, while it is taken.
#[derive(Debug)]
#[must_use = "what came after it waits for its acknowledgement"]
pub struct Arriving<'a, A> {
    arrivals: &'a Arrivals<A>,
    number: u64,
}

/// Acknowledges one, or gives it back.
type Acknowledge<A> = Box<dyn Fn(A) -> Result<(), A> + Send + Sync>;

struct Shared<A> {
    waiting_max: usize,
    held_max: Duration,
    early: IntCounter,
    acknowledge: Acknowledge<A>,
    unwritten: Box<dyn Fn() + Send + Sync>,
    queue: Mutex<Queue<A>>,
}

struct Queue<A> {
    /// The number of the first that waits.
    first: u64,
    waiting: VecDeque<Waiting<A>>,
    /// The store stands still: nothing is held until it has written something.
    stands_still: bool,
}

struct Waiting<A> {
    /// `None` while it is taken.
    ack: Option<A>,
    held_since: Option<Instant>,
    is_report: bool,
}

/// Owes the acknowledgement of one.
struct Holding<A> {
    shared: Arc<Shared<A>>,
    number: u64,
    is_report: bool,
}

impl<A: Send + 'static> Arrivals<A> {
    /// None yet. `acknowledge` must not wait: it gives back what it has no room for now. `early` counts those that were
    /// acknowledged before they were written.
    pub fn new(
        waiting_max: usize,
        early: IntCounter,
        acknowledge: impl Fn(A) -> Result<(), A> + Send + Sync + 'static,
    ) -> Self {
        Self::with_reports((waiting_max, early), acknowledge, || ())
    }

    /// The same where reports are among them. `unwritten` is told of each that could not be written: neither it nor what came
    /// after it is acknowledged any more.
    pub fn with_reports(
        (waiting_max, early): (usize, IntCounter),
        acknowledge: impl Fn(A) -> Result<(), A> + Send + Sync + 'static,
        unwritten: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        Self::with((waiting_max, HELD_MAX, early), Box::new(acknowledge), Box::new(unwritten))
    }

    /// The same where none is acknowledged before it is written.
    pub fn patient(early: IntCounter, acknowledge: impl Fn(A) -> Result<(), A> + Send + Sync + 'static) -> Self {
        Self::with((usize::MAX, Duration::MAX, early), Box::new(acknowledge), Box::new(|| ()))
    }

    fn with(
        (waiting_max, held_max, early): (usize, Duration, IntCounter),
        acknowledge: Acknowledge<A>,
        unwritten: Box<dyn Fn() + Send + Sync>,
    ) -> Self {
        let queue = Mutex::new(Queue { first: 0, waiting: VecDeque::new(), stands_still: false });
        Self(Arc::new(Shared { waiting_max, held_max, early, acknowledge, unwritten, queue }))
    }

    /// For how long the first of them has been held.
    pub fn held_for(&self) -> Duration {
        let queue = self.0.queue();
        queue.waiting.front().and_then(|first| first.held_since).map_or(Duration::ZERO, |since| since.elapsed())
    }

    /// Whether all are acknowledged.
    pub fn is_empty(&self) -> bool {
        self.0.queue().waiting.is_empty()
    }

    /// The next one came.
    pub fn came(&self) -> Arriving<'_, A> {
        let mut queue = self.0.queue();
        if queue.waiting.len() >= self.0.waiting_max || queue.is_overdue(self.0.held_max) {
            self.0.let_go(&mut queue);
        }
        queue.waiting.push_back(Waiting { ack: None, held_since: None, is_report: false });
        Arriving { arrivals: self, number: queue.first + queue.waiting.len() as u64 - 1 }
    }

    /// Acknowledges what waits too long. To be called now and then: where nothing more comes for it, nothing else does.
    pub fn look(&self) {
        let mut queue = self.0.queue();
        if queue.is_overdue(self.0.held_max) {
            self.0.let_go(&mut queue);
        }
        self.0.acknowledge(&mut queue);
    }
}

impl<A: Send + 'static> Arrival for Arriving<'_, A> {
    fn hold(&self) -> Receipt {
        let shared = self.arrivals.0.clone();
        if let Some(this) = shared.queue().at(self.number) {
            this.held_since = Some(Instant::now());
        }
        Receipt::new(Holding { shared, number: self.number, is_report: false })
    }
}

impl<A: Send> Owed for Holding<A> {
    fn settle(mut self: Box<Self>) {
        self.is_report = false;
        self.shared.settle(self.number);
    }

    fn of_report(&mut self) {
        self.is_report = true;
        if let Some(this) = self.shared.queue().at(self.number) {
            this.is_report = true;
        }
    }
}

impl<A> Drop for Holding<A> {
    fn drop(&mut self) {
        if self.is_report {
            (self.shared.unwritten)();
        }
    }
}

impl<A: Send + 'static> Arriving<'_, A> {
    /// It was taken, and unless it is held it is acknowledged when all before it are.
    pub fn taken(self, ack: A) {
        let shared = &self.arrivals.0;
        let mut queue = shared.queue();
        let stands_still = queue.stands_still;
        if let Some(this) = queue.at(self.number) {
            this.ack = Some(ack);
            if stands_still && !this.is_report && this.held_since.take().is_some() {
                shared.early.inc();
            }
        }
        shared.acknowledge(&mut queue);
    }
}

impl<A> Shared<A> {
    fn queue(&self) -> MutexGuard<'_, Queue<A>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn settle(&self, number: u64) {
        let mut queue = self.queue();
        queue.stands_still = false;
        if let Some(this) = queue.at(number) {
            this.held_since = None;
        }
        self.acknowledge(&mut queue);
    }

    /// Holds none of those that wait any longer.
    #[cold]
    fn let_go(&self, queue: &mut Queue<A>) {
        let held = queue.waiting.iter_mut().filter(|one| !one.is_report);
        let held = held.filter_map(|one| one.held_since.take()).count();
        if held > 0 {
            queue.stands_still = true;
            self.early.inc_by(held as u64);
        }
        self.acknowledge(queue);
    }

    fn acknowledge(&self, queue: &mut Queue<A>) {
        while let Some(first) = queue.waiting.front_mut()
            && first.held_since.is_none()
            && let Some(ack) = first.ack.take()
        {
            if let Err(ack) = (self.acknowledge)(ack) {
                first.ack = Some(ack);
                return;
            }
            queue.waiting.pop_front();
            queue.first += 1;
        }
    }
}

impl<A> Queue<A> {
    /// Whether the first waits too long.
    fn is_overdue(&self, held_max: Duration) -> bool {
        let held_since = self.waiting.front().filter(|first| !first.is_report).and_then(|first| first.held_since);
        held_since.is_some_and(|since| since.elapsed() >= held_max)
    }

    /// One that waits; `None` once it is acknowledged.
    fn at(&mut self, number: u64) -> Option<&mut Waiting<A>> {
        let at = number.checked_sub(self.first)?;
        self.waiting.get_mut(usize::try_from(at).ok()?)
    }
}

impl<A> fmt::Debug for Arrivals<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Arrivals({} wait)", self.0.queue().waiting.len())
    }
}

#[cfg(test)]
mod tests;
