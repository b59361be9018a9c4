//! The one task that makes the journal durable: it takes what waits, writes it in one transaction, and answers each.
//!
//! **Invariants:** nobody is answered before the commit. Within a batch new calls are written first, then notes, then
//! replies; where that order would differ from the queue's in what it does, the batch ends before. Notes and replies that
//! cannot be written are kept and go into the next batch.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thingcall_core::{DeviceKey, JournalError, Reply, UnixMillis, UnwrittenReply};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep};
use tracing::debug;

use crate::calls::{self, CallKey, NotWritten, Noted};
use crate::failure::{Failure, SaysTrouble, Written};
use crate::replies::{self, Ends, Verdicts};
use crate::shared::{self, Shared, Unwritten, WriteSide};
use crate::trouble::Trouble;
use crate::{flush, outbox};

mod asked;

pub(crate) use asked::{Listing, Opening, Reading, Write};

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
    loop {
        tokio::select! {
            write = queue.recv() => match write {
                Some(write) => {
                    // Woken by the first, it would be the next to run, and would write that one alone.
                    tokio::task::yield_now().await;
                    gather(|| queue.len().saturating_sub(shared.replies_queued.load(Ordering::Relaxed))).await;
                    write_all(&shared, &mut queue, write).await;
                }
                None => break,
            },
            _ = tick.tick() => {
                let mut side = shared.write.lock().await;
                look_after(&shared, &mut side).await;
                look_after_database(&shared, &mut side).await;
                shared.measure(&side);
            }
            () = shared::closed(&mut closing), if !queue.is_closed() => queue.close(),
        }
    }
    let mut side = shared.write.lock().await;
    look_after(&shared, &mut side).await;
    // Replies hold on to whoever handed them over, and so to this store.
    let left = u64::try_from(std::mem::take(&mut side.unwritten).len()).unwrap_or(u64::MAX);
    if left > 0 {
        shared.lose_notes(left, "the store closes and cannot be written");
    }
}

/// What is done each second: a store that could not be written is tried, without anybody's asking, and gets what waits.
async fn look_after(shared: &Shared, side: &mut WriteSide) {
    if shared.health.failing() {
        match side.conn.try_out().await {
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
    flush_presence(shared, side).await;
}

/// Where the database's log may not grow any more, new asynchronous calls are refused; what belongs to accepted ones is
/// written.
async fn look_after_database(shared: &Shared, side: &mut WriteSide) {
    let max = shared.config.log_bytes_max.get();
    match side.conn.look_after(max).await {
        Ok(bytes) => {
            shared.sizes.log_bytes.store(bytes, Ordering::Relaxed);
            shared.health.set_log_full(bytes > max);
        }
        Err(problem) => {
            shared.failed(side, &problem);
        }
    }
}

/// Where a crowd waits, lets it grow. A disk that is quick would otherwise make many small transactions of it.
async fn gather(crowd: impl Fn() -> usize) {
    if crowd() < CROWD_WRITES_MIN {
        return;
    }
    let until = Instant::now() + CROWD_TIME_MAX;
    while crowd() < CROWD_WRITES_MAX && Instant::now() < until {
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
    shared.measure(&side);
}

async fn flush_presence(shared: &Shared, side: &mut WriteSide) {
    // What was heard is kept, and this is tried again.
    if let Err(problem) = flush::flush(&shared.devices, &mut *side.conn, &mut side.none_online).await {
        shared.failed(side, &problem);
    }
}

/// What is written in one transaction.
#[derive(Debug, Default)]
struct Batch {
    writes: usize,
    openings: Vec<Opening>,
    notes: HashMap<CallKey, Noted>,
    replies: Vec<Box<dyn UnwrittenReply>>,
    reads: Vec<Reading>,
    lists: Vec<Listing>,
    flushes: Vec<oneshot::Sender<()>>,
    /// Calls that an earlier batch was about, which could not be written.
    carried: HashSet<CallKey>,
    /// Calls that are opened or noted here.
    touched: HashSet<CallKey>,
    /// Those that a reply is for.
    replied: HashSet<CallKey>,
}

/// What a transaction did.
#[derive(Debug, Default)]
struct Committed {
    /// New calls that were not written.
    refused: HashMap<CallKey, NotWritten>,
    verdicts: Verdicts,
    pruned: u64,
    prune_after: i64,
}

impl Batch {
    /// A batch with what earlier ones could not write.
    fn begin(side: &mut WriteSide) -> Self {
        let Unwritten { notes, replies } = std::mem::take(&mut side.unwritten);
        let replied: HashSet<_> = replies.iter().filter_map(|reply| replies::key_of(reply.reply())).collect();
        let carried = notes.keys().chain(&replied).cloned().collect();
        Self { touched: notes.keys().cloned().collect(), carried, notes, replies, replied, ..Self::default() }
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
                if self.touched.contains(&key) || self.replied.contains(&key) {
                    return Some(Write::Open(opening));
                }
                self.open(key, *opening, shared, side);
            }
            // The reply before it ends the call if it is open, and the first end counts.
            Write::Note(key, noted) if noted.end.is_some() && self.replied.contains(&key) => {}
            Write::Note(key, noted) => self.note(key, *noted, side),
            Write::Reply(reply) => {
                shared.replies_queued.fetch_sub(1, Ordering::Relaxed);
                self.replied.extend(replies::key_of(reply.reply()));
                self.replies.push(reply);
            }
            Write::Read(reading) => self.reads.push(reading),
            Write::List(listing) => self.lists.push(listing),
            Write::Flush(done) => self.flushes.push(done),
        }
        None
    }

    /// Takes a new call in, or answers at once why not.
    fn open(&mut self, key: CallKey, opening: Opening, shared: &Shared, side: &mut WriteSide) {
        let admitted = if shared.health.log_full() {
            Err(JournalError::says(Trouble::Log, Written::No))
        } else if outbox::is_kept(&opening.entry) {
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
    fn note(&mut self, key: CallKey, noted: Noted, side: &mut WriteSide) {
        if noted.leaves_outbox() {
            side.waiting.leave(&key);
        }
        self.touched.insert(key.clone());
        self.notes.entry(key).or_default().join(noted);
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
        let Self { openings, notes, replies, reads, lists, flushes, .. } = self;
        match written {
            Ok(written) => {
                let answered = openings.iter().any(|opening| opening.entry.answer.is_some());
                if answered || !notes.is_empty() || !replies.is_empty() {
                    shared.results.notify_one();
                }
                settle(side, openings, replies, written);
            }
            Err(problem) => {
                let trouble = shared.failed(side, &problem);
                side.unwritten.replies = replies;
                keep(shared, side, notes);
                refuse(side, openings, &JournalError::says(trouble, problem.written()));
            }
        }
        for reading in reads {
            reading.answer(shared, side).await;
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

    async fn transact(&self, shared: &Shared, side: &mut WriteSide) -> Result<Committed, Failure> {
        let mut committed = Committed { prune_after: side.prune_after, ..Committed::default() };
        if self.openings.is_empty() && self.notes.is_empty() && self.replies.is_empty() {
            return Ok(committed);
        }
        let now = UnixMillis::now();
        let mut tx = side.conn.begin().await?;
        let entries: Vec<_> = self.openings.iter().map(|opening| &opening.entry).collect();
        if !entries.is_empty() {
            committed.refused = tx.insert_calls(&entries, now).await?;
        }
        let replies: Vec<&Reply> = self.replies.iter().map(|reply| reply.reply()).collect();
        let mut ends = Ends::of(&replies, now);
        let notes: Vec<_> = self.notes.iter().filter(|(key, noted)| !ends.take(key, noted)).collect();
        if !notes.is_empty() {
            tx.advance(&notes).await?;
        }
        if !replies.is_empty() {
            committed.verdicts = ends.write(&mut *tx, &replies).await?;
        }
        let new = u64::try_from(self.openings.len()).unwrap_or(u64::MAX);
        let max = u64::try_from(shared.config.journal_records_max.get()).unwrap_or(u64::MAX);
        let excess = (side.records + new).saturating_sub(max).min(new * 2 + PRUNE_RECORDS_MIN);
        if excess > 0 {
            (committed.pruned, committed.prune_after) = tx.prune(side.prune_after, excess).await?;
        }
        tx.commit().await?;
        let (opened, pruned) = (self.openings.len(), committed.pruned);
        debug!(opened, notes = self.notes.len(), replies = replies.len(), pruned, "batch written");
        Ok(committed)
    }
}

/// Brings memory to what was committed, and answers.
fn settle(
    side: &mut WriteSide,
    openings: Vec<Opening>,
    replies: Vec<Box<dyn UnwrittenReply>>,
    Committed { refused, verdicts, pruned, prune_after }: Committed,
) {
    side.prune_after = prune_after;
    side.records = side.records.saturating_sub(pruned);
    for opening in openings {
        let key = (!refused.is_empty()).then(|| calls::key_of(&opening.entry));
        if let Some((key, why)) = key.and_then(|key| refused.get_key_value(&key)) {
            side.waiting.leave(key);
            answer(opening.done, Err(not_written(*why, &key.0)));
        } else {
            side.records += 1;
            answer(opening.done, Ok(()));
        }
    }
    for key in &verdicts.ended {
        side.waiting.leave(key);
    }
    for (reply, did) in replies.into_iter().zip(verdicts.completions) {
        reply.told(did);
    }
}

fn not_written(why: NotWritten, device: &DeviceKey) -> JournalError {
    match why {
        NotWritten::IdInUse => JournalError::IdInUse,
        NotWritten::NoDevice => JournalError::Store(format!("device {device} is not registered any more")),
    }
}

/// Keeps notes until they can be written, as many as may wait for it.
fn keep(shared: &Shared, side: &mut WriteSide, notes: HashMap<CallKey, Noted>) {
    let mut lost = 0;
    for (key, noted) in notes {
        if side.unwritten.notes.len() < shared.config.write_queue_records_max.get() {
            side.unwritten.notes.insert(key, noted);
        } else {
            lost += 1;
        }
    }
    if lost > 0 {
        shared.lose_notes(lost, "the store cannot be written, and too many wait for it");
    }
}

/// Tells whoever waits that nothing was written.
fn refuse(side: &mut WriteSide, openings: Vec<Opening>, why: &JournalError) {
    for opening in openings {
        if outbox::is_kept(&opening.entry) {
            side.waiting.leave(&calls::key_of(&opening.entry));
        }
        answer(opening.done, Err(why.clone()));
    }
}

/// Who asked may have gone; what was done stays done.
fn answer<T>(done: oneshot::Sender<T>, result: T) {
    let _gone = done.send(result);
}

#[cfg(test)]
mod tests;
