//! The one task that makes the journal durable: it takes what waits, writes it in one transaction, and answers each.
//!
//! **Invariants:** nobody is answered before the commit. Within a batch new calls are written first, then notes, then
//! replies; where that order would differ from the queue's in what it does, the batch ends before.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{CallId, Delivery, DeviceKey, JournalEntry, JournalError, UnixMillis};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep};
use tracing::debug;

use crate::calls::{self, Progress};
use crate::changes;
use crate::records;
use crate::replies::{Ends, Verdicts};
use crate::store::{self, Shared, WriteSide};
use crate::trouble::{SaysTrouble, Stop, Trouble};
use crate::waiting::CallKey;

mod asked;
mod log;
pub(crate) mod room;

pub(crate) use asked::{Answering, Listing, Opening, Reading, Write};

/// How many writes share a transaction at most.
const BATCH_WRITES_MAX: usize = 1024;
/// So many writes that wait are a crowd: others come at any moment, and a transaction for these alone would cost as much
/// as one for all.
const CROWD_WRITES_MIN: usize = 8;
/// How many writes a crowd may grow to before they are written.
const CROWD_WRITES_MAX: usize = 128;
/// How long it may take to.
const CROWD_TIME_MAX: Duration = Duration::from_millis(10);
/// How often it is looked how far it has grown. Woken by each write, the writer would take time from who makes them.
const CROWD_LOOK: Duration = Duration::from_millis(1);
/// How often presence is written.
const PRESENCE_EVERY: Duration = Duration::from_secs(1);
/// Records dropped with a batch at least, while there are too many.
const PRUNE_RECORDS_MIN: u64 = 100;

/// Writes until the store closes, then what is left.
pub(crate) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Write>, mut closing: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(PRESENCE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut log = log::Log::default();
    let mut last = UnixMillis::now();
    loop {
        tokio::select! {
            write = queue.recv() => match write {
                Some(write) => {
                    // Woken by the first, it would be the next to run, and would write that one alone.
                    tokio::task::yield_now().await;
                    gather(&queue).await;
                    write_all(&shared, &mut queue, write).await;
                }
                None => break,
            },
            _ = tick.tick() => {
                let mut side = shared.write.lock().await;
                let now = UnixMillis::now();
                if now < std::mem::replace(&mut last, now) {
                    shared.marked.none_in_the_future(&shared.memory.all_devices(), now);
                }
                look_after(&shared, &mut side).await;
                log.look_after(&shared, &mut side).await;
                shared.sizes.measure(&side);
            }
            () = store::closed(&mut closing), if !queue.is_closed() => queue.close(),
        }
    }
    let mut side = shared.write.lock().await;
    look_after(&shared, &mut side).await;
    let left = u64::try_from(side.unwritten.len()).unwrap_or(u64::MAX);
    if left > 0 {
        shared.lose_notes(left, "the store closes and cannot be written");
    }
}

/// What is done each second: a store that could not be written is tried, without anybody's asking, and gets what waits.
async fn look_after(shared: &Shared, side: &mut WriteSide) {
    if shared.health.failing() {
        match room::try_out(side).await {
            Ok(()) => shared.health.works(),
            Err(problem) => {
                shared.failed(side, &problem);
                return;
            }
        }
    }
    if !side.unwritten.is_empty() {
        Batch::begin(side).write(shared, side).await;
    }
    changes::end_gone(shared, side).await;
    flush_presence(shared, side).await;
}

/// Where a crowd waits, lets it grow. A disk that is quick would otherwise make many small transactions of it.
async fn gather(queue: &mpsc::Receiver<Write>) {
    if queue.len() < CROWD_WRITES_MIN {
        return;
    }
    let until = Instant::now() + CROWD_TIME_MAX;
    while queue.len() < CROWD_WRITES_MAX && Instant::now() < until {
        sleep(CROWD_LOOK).await;
    }
}

/// Writes `first` and what waits behind it: in one batch, or in several where their order matters.
async fn write_all(shared: &Shared, queue: &mut mpsc::Receiver<Write>, first: Write) {
    let mut side = shared.write.lock().await;
    let mut next = Some(first);
    while next.is_some() {
        let mut batch = Batch::begin(&mut side);
        while let Some(write) = next.take() {
            next = batch.add(write, shared, &mut side);
            if next.is_some() || batch.writes >= BATCH_WRITES_MAX {
                break;
            }
            next = queue.try_recv().ok();
        }
        batch.write(shared, &mut side).await;
    }
    shared.sizes.measure(&side);
}

async fn flush_presence(shared: &Shared, side: &mut WriteSide) {
    // It stays marked, and is tried again.
    if let Err(problem) = shared.marked.flush(&mut side.conn).await {
        shared.failed(side, &problem);
    }
}

/// What is written in one transaction.
#[derive(Debug, Default)]
struct Batch {
    writes: usize,
    openings: Vec<Opening>,
    notes: HashMap<CallKey, Progress>,
    answers: Vec<Answering>,
    reads: Vec<Reading>,
    lists: Vec<Listing>,
    flushes: Vec<oneshot::Sender<()>>,
    /// Calls whose notes come from a batch that could not be written.
    carried: HashSet<CallKey>,
    /// Every call this batch is about.
    touched: HashSet<CallKey>,
    /// Those among them that a reply is for.
    replied: HashSet<CallKey>,
}

/// What a transaction did.
#[derive(Debug)]
struct Written {
    opened: Vec<bool>,
    verdicts: Verdicts,
    pruned: u64,
    prune_after: i64,
}

impl Batch {
    /// A batch with what earlier ones could not write.
    fn begin(side: &mut WriteSide) -> Self {
        let notes = std::mem::take(&mut side.unwritten);
        let carried: HashSet<_> = notes.keys().cloned().collect();
        Self { touched: carried.clone(), carried, notes, ..Self::default() }
    }

    /// Takes a write in, or gives it back if this batch must be written before.
    fn add(&mut self, write: Write, shared: &Shared, side: &mut WriteSide) -> Option<Write> {
        self.writes += 1;
        match write {
            Write::Open(opening) => {
                let key = calls::key_of(&opening.entry);
                // A note in this batch would be for an older call of this id, and must not reach this one.
                if self.carried.contains(&key) {
                    answer(opening.done, Err(JournalError::IdInUse));
                    return None;
                }
                if self.touched.contains(&key) {
                    return Some(Write::Open(opening));
                }
                self.open(key, *opening, shared, side);
            }
            Write::Note(key, progress) => {
                // Only ends compete with replies: the first one counts.
                if progress.end.is_some() && self.replied.contains(&key) {
                    return Some(Write::Note(key, progress));
                }
                self.note(key, *progress, side);
            }
            Write::Complete(answering) => {
                for key in answering.replies.iter().filter_map(|reply| Some((reply.device.clone(), reply.id()?))) {
                    self.touched.insert(key.clone());
                    self.replied.insert(key);
                }
                self.answers.push(answering);
            }
            Write::Read(reading) => self.reads.push(reading),
            Write::List(listing) => self.lists.push(listing),
            Write::Flush(done) => self.flushes.push(done),
        }
        None
    }

    /// Takes a new call in, or answers at once why not.
    fn open(&mut self, key: CallKey, opening: Opening, shared: &Shared, side: &mut WriteSide) {
        let device = &opening.entry.delivery.device;
        let known = shared.memory.device_by_key(&device.key).is_some_and(|entry| entry.device.iot_id == device.iot_id);
        let admitted = if shared.health.log_full() {
            Err(JournalError::says(Trouble::Log, false))
        } else if !known {
            Err(JournalError::Store(format!("device {} is not registered any more", device.key)))
        } else if calls::waits(&opening.entry) {
            side.waiting.admit(&key)
        } else {
            Ok(())
        };
        match admitted {
            Ok(()) => {
                self.touched.insert(key);
                self.openings.push(opening);
            }
            Err(refused) => answer(opening.done, Err(refused)),
        }
    }

    /// Takes a note in. The outbox has room for the next call at once.
    fn note(&mut self, key: CallKey, progress: Progress, side: &mut WriteSide) {
        if progress.leaves_outbox() {
            side.waiting.leave(&key);
        }
        self.touched.insert(key.clone());
        self.notes.entry(key).or_default().join(progress);
    }

    /// Writes the batch and answers everybody in it.
    async fn write(self, shared: &Shared, side: &mut WriteSide) {
        let mut written = self.transact(shared, side).await;
        if let Err(problem) = &written {
            // Once more on a new connection: what failed may have been the connection alone. Who waits for a lock has
            // waited long enough.
            if shared.failed(side, problem) != Trouble::Locked {
                written = self.transact(shared, side).await;
            }
        }
        let Self { openings, notes, answers, reads, lists, flushes, .. } = self;
        match written {
            Ok(written) => {
                if !notes.is_empty() || !answers.is_empty() {
                    shared.results.notify_one();
                }
                settle(side, openings, answers, written);
            }
            Err(problem) => {
                let trouble = shared.failed(side, &problem);
                keep(shared, side, notes);
                refuse(side, openings, answers, &JournalError::says(trouble, false));
            }
        }
        for reading in reads {
            read(shared, side, reading).await;
        }
        for listing in lists {
            listing.answer(shared, side).await;
        }
        if !flushes.is_empty() {
            flush_presence(shared, side).await;
        }
        for done in flushes {
            answer(done, ());
        }
    }

    async fn transact(&self, shared: &Shared, side: &mut WriteSide) -> Result<Written, sqlx::Error> {
        let nothing =
            Written { opened: Vec::new(), verdicts: Verdicts::default(), pruned: 0, prune_after: side.prune_after };
        if self.openings.is_empty() && self.notes.is_empty() && self.answers.is_empty() {
            return Ok(nothing);
        }
        let mut tx = side.conn.begin().await?;
        let entries: Vec<&JournalEntry> = self.openings.iter().map(|opening| &opening.entry).collect();
        let opened = calls::insert(&mut tx, &entries).await?;
        let replies = self.answers.iter().flat_map(|answering| &answering.replies);
        let mut ends = Ends::of(replies.clone(), UnixMillis::now());
        let notes: Vec<_> = self.notes.iter().filter(|(key, noted)| !ends.take(key, noted)).collect();
        calls::advance(&mut tx, &notes).await?;
        let verdicts = ends.write(&mut tx, replies).await?;
        let new = u64::try_from(opened.len()).unwrap_or(u64::MAX);
        let max = u64::try_from(shared.config.journal_records_max.get()).unwrap_or(u64::MAX);
        let excess = (side.records + new).saturating_sub(max).min(new * 2 + PRUNE_RECORDS_MIN);
        let (pruned, prune_after) = match excess {
            0 => (0, side.prune_after),
            excess => calls::prune(&mut tx, side.prune_after, excess).await?,
        };
        tx.commit().await?;
        debug!(
            opened = opened.len(),
            notes = self.notes.len(),
            replies = verdicts.completions.len(),
            pruned,
            "batch written"
        );
        Ok(Written { opened, verdicts, pruned, prune_after })
    }
}

/// Brings memory to what was committed, and answers.
fn settle(side: &mut WriteSide, openings: Vec<Opening>, answers: Vec<Answering>, written: Written) {
    side.prune_after = written.prune_after;
    side.records = side.records.saturating_sub(written.pruned);
    for (opening, opened) in openings.into_iter().zip(written.opened) {
        if opened {
            side.records += 1;
            answer(opening.done, Ok(()));
        } else {
            side.waiting.leave(&calls::key_of(&opening.entry));
            answer(opening.done, Err(JournalError::IdInUse));
        }
    }
    for key in &written.verdicts.ended {
        side.waiting.leave(key);
    }
    let mut completions = written.verdicts.completions.into_iter();
    for Answering { replies, done } in answers {
        answer(done, Ok(completions.by_ref().take(replies.len()).collect()));
    }
}

/// Keeps notes until they can be written, as many as may wait for it.
fn keep(shared: &Shared, side: &mut WriteSide, notes: HashMap<CallKey, Progress>) {
    let mut lost = 0;
    for (key, progress) in notes {
        if side.unwritten.len() < shared.config.write_queue_records_max.get() {
            side.unwritten.insert(key, progress);
        } else {
            lost += 1;
        }
    }
    if lost > 0 {
        shared.lose_notes(lost, "the store cannot be written, and too many wait for it");
    }
}

/// Tells everybody that nothing was written.
fn refuse(side: &mut WriteSide, openings: Vec<Opening>, answers: Vec<Answering>, why: &JournalError) {
    for opening in openings {
        if calls::waits(&opening.entry) {
            side.waiting.leave(&calls::key_of(&opening.entry));
        }
        answer(opening.done, Err(why.clone()));
    }
    for answering in answers {
        answer(answering.done, Err(why.clone()));
    }
}

async fn read(shared: &Shared, side: &mut WriteSide, reading: Reading) {
    let Reading { device, after, max, done } = reading;
    let found = if side.waiting.of(&device) == 0 {
        Ok(Vec::new())
    } else {
        waiting_for(shared, side, &device, after, max).await
    };
    answer(done, shared.ended(side, found.map_err(Stop::Failed)));
}

async fn waiting_for(
    shared: &Shared,
    side: &mut WriteSide,
    device: &DeviceKey,
    after: Option<CallId>,
    max: usize,
) -> Result<Vec<Delivery>, sqlx::Error> {
    records::unacknowledged(side.conn.read().await?, &shared.memory, device, after, max).await
}

/// Who asked may have gone; what was done stays done.
fn answer<T>(done: oneshot::Sender<T>, result: T) {
    let _gone = done.send(result);
}

#[cfg(test)]
mod tests;
