//! What waits to be written to the log of messages. The writer takes it along with what is written of calls.
//!
//! **Invariant:** what is put in at once is taken out at once: what came back and the end of its claim are one transaction.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thingcall_core::{GivenBack, JournalError, Lease, MessageId, NewMessage, ReaderName};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until};

use crate::message_tables::{Again, ClaimRow};

/// How long others may join what somebody waits for.
const GATHER: Duration = Duration::from_millis(4);
/// And what nobody waits for.
const GATHER_SETTLED: Duration = Duration::from_millis(50);
/// What could not be written is tried again after so long.
const GATHER_UNWRITTEN: Duration = Duration::from_secs(1);

/// Messages of about so many bytes are written in one transaction.
const BYTES_AT_ONCE: usize = 4 * 1024 * 1024;
/// What a message takes beside its words.
const MESSAGE_BYTES: usize = 256;

/// What may wait.
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// The queue.
#[derive(Debug, Default)]
pub(crate) struct LogQueue {
    waiting: Mutex<Waiting>,
    came: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    appends: VecDeque<Appending>,
    messages: usize,
    bytes: usize,
    work: LogWork,
    /// When it is to be written at the latest.
    due: Option<Instant>,
    /// Nobody writes any more: whoever asks learns at once that the store is closed.
    closed: bool,
}

/// Messages to be written, and who waits for it.
#[derive(Debug)]
pub(crate) struct Appending {
    pub(crate) messages: Vec<(MessageId, NewMessage)>,
    pub(crate) done: oneshot::Sender<Result<(), JournalError>>,
}

impl Appending {
    fn bytes(&self) -> usize {
        self.messages.iter().map(|(_, m)| m.words.topic.len() + m.words.body.len() + MESSAGE_BYTES).sum()
    }
}

/// A claim to be made, and who waits for it.
#[derive(Debug)]
pub(crate) struct Claiming {
    /// Where the reader stood when this was looked for.
    pub(crate) from: i64,
    pub(crate) claim: ClaimRow,
    pub(crate) places: Vec<i64>,
    pub(crate) done: oneshot::Sender<Result<bool, JournalError>>,
}

/// A wish for what came back, and who waits.
#[derive(Debug)]
pub(crate) struct TakingAgain {
    pub(crate) reader: ReaderName,
    pub(crate) lease: Lease,
    pub(crate) max: usize,
    pub(crate) done: oneshot::Sender<Result<Vec<Again>, JournalError>>,
}

/// What is written in one go.
#[derive(Debug, Default)]
pub(crate) struct LogWork {
    pub(crate) appends: Vec<Appending>,
    pub(crate) claims: Vec<Claiming>,
    pub(crate) settled: Settled,
    pub(crate) takings: Vec<TakingAgain>,
}

/// What nobody waits for: it is kept until it is written.
#[derive(Debug, Default)]
pub(crate) struct Settled {
    pub(crate) back: Vec<(ReaderName, GivenBack)>,
    pub(crate) claims: Vec<(ReaderName, i64)>,
    pub(crate) again: Vec<(ReaderName, i64)>,
    /// What had been given back, and counts if nobody was given it since.
    pub(crate) late: Vec<(ReaderName, i64)>,
}

impl Settled {
    fn is_empty(&self) -> bool {
        self.back.is_empty() && self.claims.is_empty() && self.again.is_empty() && self.late.is_empty()
    }

    fn join(&mut self, later: Self) {
        self.back.extend(later.back);
        self.claims.extend(later.claims);
        self.again.extend(later.again);
        self.late.extend(later.late);
    }
}

impl LogWork {
    /// Whether there is nothing to be written.
    pub(crate) fn is_empty(&self) -> bool {
        self.appends.is_empty() && self.claims.is_empty() && self.settled.is_empty() && self.takings.is_empty()
    }
}

impl LogQueue {
    /// How many messages wait.
    pub(crate) fn messages(&self) -> usize {
        self.lock().messages
    }

    /// How many bytes they have.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Messages to be written, if there is room for them; where none wait, there is.
    pub(crate) fn append(&self, appending: Appending, room: &Room) -> Result<(), Appending> {
        let (messages, bytes) = (appending.messages.len(), appending.bytes());
        let mut waiting = self.lock();
        if waiting.closed {
            return Ok(());
        }
        let is_full = waiting.messages + messages > room.messages || waiting.bytes + bytes > room.bytes;
        if is_full && waiting.messages > 0 {
            return Err(appending);
        }
        waiting.messages += messages;
        waiting.bytes += bytes;
        waiting.appends.push_back(appending);
        self.is_due(waiting, GATHER);
        Ok(())
    }

    /// A claim to be made.
    pub(crate) fn claim(&self, claiming: Claiming) {
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.work.claims.push(claiming);
            self.is_due(waiting, GATHER);
        }
    }

    /// A wish for what came back.
    pub(crate) fn take_again(&self, taking: TakingAgain) {
        let mut waiting = self.lock();
        if !waiting.closed {
            waiting.work.takings.push(taking);
            self.is_due(waiting, GATHER);
        }
    }

    /// What is settled.
    pub(crate) fn settle(&self, settled: Settled) {
        if settled.is_empty() {
            return;
        }
        let mut waiting = self.lock();
        waiting.work.settled.join(settled);
        self.is_due(waiting, GATHER_SETTLED);
    }

    /// Whether the end of this claim waits to be written.
    pub(crate) fn ends_claim(&self, reader: &ReaderName, first: i64) -> bool {
        self.lock().work.settled.claims.iter().any(|(of, claim)| *claim == first && of == reader)
    }

    /// Whether it waits to be written that this is settled, or came back.
    pub(crate) fn lets_go(&self, reader: &ReaderName, place: i64) -> bool {
        let waiting = self.lock();
        let Settled { back, again, .. } = &waiting.work.settled;
        again.iter().any(|(of, settled)| *settled == place && of == reader)
            || back.iter().any(|(of, back)| back.place == place && of == reader)
    }

    /// The same, which could not be written: it goes with what is written next.
    pub(crate) fn keep(&self, settled: Settled) {
        let mut waiting = self.lock();
        let later = mem::replace(&mut waiting.work.settled, settled);
        waiting.work.settled.join(later);
        if !waiting.work.settled.is_empty() {
            self.is_due(waiting, GATHER_UNWRITTEN);
        }
    }

    fn is_due(&self, mut waiting: MutexGuard<'_, Waiting>, within: Duration) {
        let due = Instant::now() + within;
        waiting.due = Some(waiting.due.map_or(due, |before| before.min(due)));
        drop(waiting);
        self.came.notify_one();
    }

    /// Returns when something is to be written.
    pub(crate) async fn due(&self) {
        loop {
            let due = self.lock().due;
            match due {
                Some(due) if due <= Instant::now() => return,
                Some(due) => tokio::select! { () = sleep_until(due) => {}, () = self.came.notified() => {} },
                None => self.came.notified().await,
            }
        }
    }

    /// Nothing is written any more.
    pub(crate) fn close(&self) {
        let mut waiting = self.lock();
        *waiting = Waiting { closed: true, ..Waiting::default() };
    }

    /// Takes out what waits: about so many messages at most, and the rest.
    pub(crate) fn take(&self, messages_max: usize) -> LogWork {
        let mut waiting = self.lock();
        let mut work = mem::take(&mut waiting.work);
        // All instances lock readers in one order.
        work.claims.sort_by(|a, b| a.claim.reader.cmp(&b.claim.reader));
        let (mut taken, mut bytes) = (0, 0);
        while taken < messages_max
            && bytes < BYTES_AT_ONCE
            && let Some(next) = waiting.appends.pop_front()
        {
            taken += next.messages.len();
            bytes += next.bytes();
            work.appends.push(next);
        }
        waiting.messages = waiting.messages.saturating_sub(taken);
        waiting.bytes = waiting.bytes.saturating_sub(bytes);
        waiting.due = (!waiting.appends.is_empty()).then(Instant::now);
        work
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
