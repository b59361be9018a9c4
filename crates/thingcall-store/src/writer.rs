//! The one task that makes the journal durable: it takes what waits, writes it in one transaction, and answers each.
//!
//! **Invariants:** nobody is answered before the commit. Within a batch new calls are written first, then notes, then
//! replies; where that order would differ from the queue's in what it does, the batch ends before. Notes and replies that
//! cannot be written are kept and go into the next batch.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, sleep};

use crate::failure::Failure;
use crate::shared::{self, Shared, WriteSide};
use crate::{flush, history, history_keeper, unkept};

mod asked;
mod batch;
mod told;

use batch::Batch;

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
/// How often presence and last values are written.
const PRESENCE_EVERY: Duration = Duration::from_secs(1);
/// How often it is counted what is in a database that other servers write, too. In between each counts what it writes itself,
/// so limits on the whole are overrun by what others write in this time, at most.
const COUNT_EVERY: Duration = Duration::from_secs(30);

/// Writes until the store closes, then what is left.
pub(crate) async fn run(shared: Arc<Shared>, mut queue: mpsc::Receiver<Write>, mut closing: watch::Receiver<bool>) {
    let mut tick = tokio::time::interval(PRESENCE_EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut counted = Instant::now();
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
            () = shared.log.queue.due() => {
                let mut side = shared.write.lock().await;
                Batch::begin(&mut side).write(&shared, &mut side).await;
                shared.measure(&side);
            }
            _ = tick.tick() => {
                let mut side = shared.write.lock().await;
                look_after(&shared, &mut side).await;
                look_after_database(&shared, &mut side).await;
                if shared.reads.is_shared() && counted.elapsed() >= COUNT_EVERY {
                    count_anew(&shared, &mut side).await;
                    counted = Instant::now();
                }
                shared.measure(&side);
            }
            () = shared::closed(&mut closing), if !queue.is_closed() => queue.close(),
        }
    }
    let mut side = shared.write.lock().await;
    look_after(&shared, &mut side).await;
    Batch::begin(&mut side).write(&shared, &mut side).await;
    shared.log.queue.close();
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
    flush_heard(shared, side).await;
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

/// Counts what other servers may have changed.
async fn count_anew(shared: &Shared, side: &mut WriteSide) {
    let slots = shared.held.slots();
    let counted = async {
        let records = side.conn.count_records().await?;
        Ok::<_, Failure>((records, side.conn.waiting(slots.as_deref()).await?))
    };
    match counted.await {
        Ok((records, waiting)) => {
            side.records = records;
            side.waiting.replace(waiting);
            let WriteSide { waiting, unwritten, .. } = side;
            let leave = unwritten.notes.iter().filter(|(_, noted)| noted.leaves_outbox());
            leave.for_each(|(key, _)| waiting.leave(key));
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

async fn flush_heard(shared: &Shared, side: &mut WriteSide) {
    // What was heard is kept, and this is tried again.
    if let Err(problem) = flush::flush(shared, side).await {
        shared.failed(side, &problem);
    }
    let bound = (shared.config.last_values_per_device_max.get(), &shared.left_out);
    if let Err(problem) = unkept::write(&shared.unkept, &mut *side.conn, bound).await {
        shared.failed(side, &problem);
    }
    let written = history::write(&shared.history, &mut *side.conn).await;
    let kept = match written {
        Ok(()) => history_keeper::prune(shared, side).await,
        failed => failed,
    };
    if let Err(problem) = kept {
        shared.failed(side, &problem);
    }
}

#[cfg(test)]
mod tests;
