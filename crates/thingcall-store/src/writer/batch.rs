//! What is written in one transaction, and what becomes of those who wait for it.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::Ordering;

use thingcall_core::{DeviceKey, JournalError, Lease, MessageKind, Outcome, Reply, UnixMillis, UnwrittenReply};
use tokio::sync::oneshot;
use tracing::debug;

use super::asked::{Listing, Opening, Reading, Write};
use super::{flush_heard, told};
use crate::calls::{self, CallKey, End, NotWritten, Noted};
use crate::failure::{Failure, SaysTrouble, Written};
use crate::log_batch::LogWritten;
use crate::log_queue::LogWork;
use crate::outbox;
use crate::replies::{self, Ends, Verdicts};
use crate::shared::{Shared, Unwritten, WriteSide};
use crate::sizes::wide;
use crate::trouble::Trouble;

/// Records dropped with a batch at least, while there are too many.
const PRUNE_RECORDS_MIN: u64 = 100;

/// How many messages are written in a transaction of their own, about.
const LOG_MESSAGES_MAX: usize = 500;
/// And in one that callers wait for.
const LOG_MESSAGES_BESIDE_CALLS_MAX: usize = 128;

/// What is written in one transaction.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) writes: usize,
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
    /// Of these, those that may have been ended by it already, and when.
    doubted: HashMap<CallKey, UnixMillis>,
    /// What is written to the log of messages.
    log: LogWork,
    /// Whether it was tried before, so that some of it may be there.
    again: bool,
}

/// What a transaction did.
#[derive(Debug, Default)]
struct Committed {
    /// New calls that were not written.
    refused: HashMap<CallKey, NotWritten>,
    verdicts: Verdicts,
    pruned: u64,
    prune_after: i64,
    log: LogWritten,
}

impl Batch {
    /// A batch with what earlier ones could not write.
    pub(super) fn begin(side: &mut WriteSide) -> Self {
        let Unwritten { notes, replies, doubted } = std::mem::take(&mut side.unwritten);
        let replied: HashSet<_> = replies.iter().filter_map(|reply| replies::key_of(reply.reply())).collect();
        let carried = notes.keys().chain(&replied).cloned().collect();
        Self { touched: notes.keys().cloned().collect(), carried, notes, replies, replied, doubted, ..Self::default() }
    }

    /// Takes a write in, or gives it back if this batch must be written before.
    pub(super) fn add(&mut self, write: Write, shared: &Shared, side: &mut WriteSide) -> Option<Write> {
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
        let admitted = if let Some(trouble) = refusing(shared, &key) {
            Err(JournalError::says(trouble, Written::No))
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
    pub(super) async fn write(mut self, shared: &Shared, side: &mut WriteSide) {
        let alone = self.openings.is_empty() && self.replies.is_empty();
        self.log = shared.log.queue.take(if alone { LOG_MESSAGES_MAX } else { LOG_MESSAGES_BESIDE_CALLS_MAX });
        let written = self.transact_twice(shared, side).await;
        let Self { openings, notes, replies, doubted, reads, lists, flushes, log, .. } = self;
        match written {
            Ok(mut written) => {
                log.settle(std::mem::take(&mut written.log), &shared.log);
                settle(side, openings, replies, written);
            }
            Err((trouble, written)) => {
                side.unwritten.replies = replies;
                side.unwritten.doubted = doubted;
                keep(shared, side, notes);
                if written == Written::Perhaps && shared.reads.is_shared() {
                    keep(shared, side, ends_in_doubt(&openings));
                }
                let why = JournalError::says(trouble, written);
                log.refuse(&why, &shared.log);
                refuse(side, openings, &why);
            }
        }
        for reading in reads {
            reading.answer(shared, side).await;
        }
        for listing in lists {
            listing.answer(shared, side).await;
        }
        if !flushes.is_empty() {
            flush_heard(shared, side).await;
        }
        for done in flushes {
            answer(done, ());
        }
    }

    /// Once more on a new connection: what failed may have been the connection alone. Who waits for a lock has waited long
    /// enough. A database that cannot be reached is tried by nobody who has callers waiting.
    async fn transact_twice(&mut self, shared: &Shared, side: &mut WriteSide) -> Result<Committed, (Trouble, Written)> {
        if shared.health.unreachable() && !self.is_empty() {
            return Err((Trouble::Unreachable, Written::No));
        }
        let first = match self.transact_as_ours(shared, side).await {
            Ok(committed) => return Ok(committed),
            Err(problem) => problem,
        };
        let trouble = shared.failed(side, &first);
        if trouble == Trouble::Locked {
            return Err((trouble, first.written()));
        }
        self.again = true;
        match self.transact_as_ours(shared, side).await {
            Ok(committed) => {
                if trouble == Trouble::Unreachable {
                    shared.health.works();
                }
                Ok(committed)
            }
            Err(second) => {
                let in_doubt = [&first, &second].iter().any(|problem| problem.written() == Written::Perhaps);
                Err((shared.failed(side, &second), if in_doubt { Written::Perhaps } else { Written::No }))
            }
        }
    }

    /// Writes what is ours to write.
    async fn transact_as_ours(&mut self, shared: &Shared, side: &mut WriteSide) -> Result<Committed, Failure> {
        loop {
            self.let_go(shared, side);
            let now = UnixMillis::now();
            match self.transact(shared, side, now).await {
                // Some leases less are held now.
                Err(problem) if problem.trouble() == Trouble::Lease => {}
                Err(problem) if problem.written() == Written::Perhaps => {
                    let replied = self.replied.iter().cloned().map(|key| (key, now));
                    let before = std::mem::replace(&mut self.doubted, replied.collect());
                    self.doubted.extend(before);
                    return Err(problem);
                }
                written => return written,
            }
        }
    }

    /// Lets go of what is about calls of slots that are not ours any more: whoever took them over ends those calls. What a
    /// device answered is true whoever has its slot, and is written all the same: it may be the only one who heard it.
    fn let_go(&mut self, shared: &Shared, side: &mut WriteSide) {
        if shared.held.slots().is_none() {
            return;
        }
        let ours = |key: &CallKey| shared.held.is_ours(key.1);
        let before = self.notes.len();
        self.notes.retain(|key, _| ours(key));
        let lost = before - self.notes.len();
        if lost > 0 {
            shared.lose_notes(wide(lost), "another instance took over the slots of their calls");
        }
        let others = self.openings.extract_if(.., |opening| !ours(&calls::key_of(&opening.entry)));
        let why = JournalError::says(Trouble::Lease, Written::No);
        refuse(side, others.collect(), &why);
        self.log.let_go(&shared.held, &why);
    }

    fn is_empty(&self) -> bool {
        self.openings.is_empty() && self.notes.is_empty() && self.replies.is_empty() && self.log.is_empty()
    }

    /// The leases that are needed to write it. Answers need none.
    fn leases(&self, shared: &Shared) -> Vec<Lease> {
        let openings = self.openings.iter().map(|opening| opening.entry.delivery.id);
        let notes = self.notes.keys().map(|key| key.1);
        let mut needed = shared.held.needed(openings.chain(notes));
        if shared.held.slots().is_some() {
            needed.extend(self.log.leases());
            needed.sort_unstable();
            needed.dedup();
        }
        needed
    }

    async fn transact(&self, shared: &Shared, side: &mut WriteSide, now: UnixMillis) -> Result<Committed, Failure> {
        let mut committed = Committed { prune_after: side.prune_after, ..Committed::default() };
        if self.is_empty() {
            return Ok(committed);
        }
        let mut tx = side.conn.begin().await?;
        let leases = self.leases(shared);
        if !leases.is_empty() {
            let lost = tx.fence(&leases).await?;
            if !lost.is_empty() {
                shared.held.lose(&lost);
                return Err(Failure::new(Trouble::Lease, false, "somebody else holds a slot"));
            }
        }
        let entries: Vec<_> = self.openings.iter().map(|opening| &opening.entry).collect();
        if !entries.is_empty() {
            committed.refused = tx.insert_calls(&entries, now).await?;
        }
        let replies: Vec<&Reply> = self.replies.iter().map(|reply| reply.reply()).collect();
        let mut ends = Ends::of(&replies, &self.doubted, now);
        let notes = self.notes.iter().filter(|(key, noted)| !ends.take(key, noted));
        let is_told = |key: &CallKey| shared.tells(&key.0.product, MessageKind::Result).is_some();
        let (ending, notes): (Vec<_>, Vec<_>) = notes.partition(|(key, noted)| noted.end.is_some() && is_told(key));
        if !notes.is_empty() {
            tx.advance(&notes).await?;
        }
        let mut told = told::at_once(&entries, &committed.refused, now, is_told);
        if !ending.is_empty() {
            told.extend(told::failed(&ending, &tx.end(&ending).await?));
        }
        if !replies.is_empty() {
            committed.verdicts = ends.write(&mut *tx, &replies, &self.doubted, is_told).await?;
            told.append(&mut committed.verdicts.told);
        }
        let new = u64::try_from(self.openings.len()).unwrap_or(u64::MAX);
        let max = u64::try_from(shared.config.journal_records_max.get()).unwrap_or(u64::MAX);
        let excess = (side.records + new).saturating_sub(max).min(new * 2 + PRUNE_RECORDS_MIN);
        if excess > 0 {
            (committed.pruned, committed.prune_after) = tx.prune(side.prune_after, excess).await?;
        }
        // The last part: who writes messages holds up others that do until the commit.
        committed.log = self.log.write(&mut *tx, shared.of_ended(told).await?, &shared.log, self.again).await?;
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
    Committed { refused, verdicts, pruned, prune_after, .. }: Committed,
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

/// Why no new call is taken now.
fn refusing(shared: &Shared, key: &CallKey) -> Option<Trouble> {
    if shared.health.log_full() {
        Some(Trouble::Log)
    } else if shared.health.unreachable() {
        Some(Trouble::Unreachable)
    } else {
        (!shared.held.is_ours(key.1)).then_some(Trouble::Lease)
    }
}

/// New calls that may be found written, though their callers are told that they are not: they end as soon as that can be.
fn ends_in_doubt(openings: &[Opening]) -> HashMap<CallKey, Noted> {
    let end = || End {
        outcome: Outcome::NotDelivered,
        at: UnixMillis::now(),
        code: None,
        message: Some("the store did not say whether it was written down, so it was not sent".into()),
        data: None,
    };
    let open = openings.iter().filter(|opening| opening.entry.answer.is_none());
    open.map(|opening| (calls::key_of(&opening.entry), Noted { end: Some(end()), ..Noted::default() })).collect()
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
