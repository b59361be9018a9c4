//! The one task that writes records of calls: it takes what waits, writes it in batches, and drops the oldest where there are
//! too many.
//!
//! **Invariants:** a batch is one transaction, and whoever else writes has its turn between two. What cannot be written is kept
//! and tried again; meanwhile the queue fills, and what finds no room is counted. A batch of which nobody knows whether its
//! commit was made is written again, so a record may be there twice. An answer that came too late finds the record of its call in
//! this batch or before; one that does not is looked for once more.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use thingcall_core::UnixMillis;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use crate::failure::Failure;
use crate::message_tables::Limits;
use crate::record_body;
use crate::record_tables::{LateRow, RecordRow};
use crate::recording::{Entry, LeftOut, Receiving};
use crate::shared::{self, Shared};
use crate::sizes::wide;

/// How long others may join the first one that waits.
const GATHER: Duration = Duration::from_millis(100);
/// What could not be written is tried again after so long.
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How many records share a transaction.
const BATCH_RECORDS_MAX: usize = 512;
/// Or so many bytes of them.
const BATCH_BYTES_MAX: i64 = 1024 * 1024;
/// How often it is looked for records to drop.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many are dropped in one transaction.
const DROPPED_AT_ONCE: i64 = 1000;
/// How many transactions of them there are before the next look.
const STEPS_MAX: usize = 20;

/// Writes until the store closes, then what is left.
pub(crate) async fn run(shared: Arc<Shared>, mut closing: watch::Receiver<bool>) {
    let Some(receiving) = shared.recording.receiving() else { return };
    let mut recorder = Recorder { shared, receiving, batch: Batch::default(), again_at: None };
    let mut look = tokio::time::interval(LOOK_EVERY);
    look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = shared::closed(&mut closing) => break,
            came = recorder.comes() => {
                recorder.write_all().await;
                if let Came::Flush(done) = came {
                    // Whoever asked may have gone.
                    let _gone = done.send(());
                }
            }
            _ = look.tick() => recorder.look().await,
        }
    }
    recorder.end().await;
}

/// What there is to do.
enum Came {
    /// Records are to be written.
    Records,
    /// Somebody waits until they are.
    Flush(oneshot::Sender<()>),
}

struct Recorder {
    shared: Arc<Shared>,
    receiving: Receiving,
    /// What is written next.
    batch: Batch,
    /// When what could not be written is tried again.
    again_at: Option<Instant>,
}

/// What shares a transaction.
#[derive(Debug, Default)]
struct Batch {
    records: Vec<RecordRow>,
    late: Vec<LateRow>,
    /// Those whose call's record was not there the last time.
    missed: Vec<LateRow>,
}

impl Batch {
    fn len(&self) -> usize {
        self.records.len() + self.late.len()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0 && self.missed.is_empty()
    }

    fn bytes(&self) -> i64 {
        let late: i64 = self.late.iter().map(LateRow::bytes).sum();
        self.records.iter().map(RecordRow::bytes).sum::<i64>() + late
    }
}

impl Recorder {
    /// Returns when something is to be written. Cancel-safe: what it took out is in the batch.
    async fn comes(&mut self) -> Came {
        let Receiving { queue, flushes } = &mut self.receiving;
        if self.batch.is_empty() {
            tokio::select! {
                Some(first) = queue.recv() => {
                    self.take(first);
                }
                Some(done) = flushes.recv() => return Came::Flush(done),
            }
        }
        let at = self.again_at.unwrap_or_else(|| Instant::now() + GATHER);
        // Not woken by those that come meanwhile.
        tokio::select! {
            () = sleep_until(at) => Came::Records,
            Some(done) = self.receiving.flushes.recv() => Came::Flush(done),
        }
    }

    /// Takes one into the batch; says how much it counts.
    fn take(&mut self, entry: Entry) -> i64 {
        let Shared { recording, config, .. } = &*self.shared;
        recording.took(&entry);
        match entry {
            Entry::Call(record) => {
                let row = record_body::row(*record, recording.instance.get().map(String::as_str), &config.records);
                let bytes = row.bytes();
                self.batch.records.push(row);
                bytes
            }
            Entry::Late(late) => {
                let row = record_body::late(*late, &config.records);
                let bytes = row.bytes();
                self.batch.late.push(row);
                bytes
            }
        }
    }

    /// Fills the batch from what waits.
    fn fill(&mut self) {
        let mut bytes = self.batch.bytes();
        while self.batch.len() < BATCH_RECORDS_MAX
            && bytes < BATCH_BYTES_MAX
            && let Ok(entry) = self.receiving.queue.try_recv()
        {
            bytes += self.take(entry);
        }
    }

    /// Writes what waits.
    async fn write_all(&mut self) {
        let mut missed = Vec::new();
        loop {
            self.fill();
            if self.batch.is_empty() {
                break;
            }
            match write(&self.shared, &self.batch).await {
                Ok(found) => missed.extend(self.written(&found)),
                Err(problem) => {
                    debug!(%problem, "records of calls could not be written; it is tried again");
                    self.batch.missed.append(&mut missed);
                    self.again_at = Some(Instant::now() + AGAIN_AFTER);
                    return;
                }
            }
        }
        missed.truncate(BATCH_RECORDS_MAX);
        self.batch.missed = missed;
        self.again_at = None;
    }

    /// The batch is written; gives back the answers whose calls were not among those found, to be looked for once more.
    fn written(&mut self, found: &[i64]) -> impl Iterator<Item = LateRow> + use<> {
        let Batch { records, mut late, .. } = std::mem::take(&mut self.batch);
        self.shared.recording.written.fetch_add(wide(records.len()), Ordering::Relaxed);
        late.retain(|row| !found.contains(&row.call_id));
        late.into_iter()
    }

    /// Writes the last ones.
    async fn end(mut self) {
        self.receiving.queue.close();
        self.write_all().await;
        let mut lost = self.batch.records.len() + self.batch.late.len();
        while self.receiving.queue.try_recv().is_ok() {
            lost += 1;
        }
        if lost > 0 {
            self.shared.recording.leave_out(LeftOut::Closed, wide(lost));
        }
    }

    /// Drops what is too old or too much, and measures. Of a store that this process serves.
    async fn look(&mut self) {
        let Shared { reads, recording, held, .. } = &*self.shared;
        let serves = if reads.is_shared() { held.first().is_some() } else { self.shared.claimed().is_some() };
        if !serves {
            return;
        }
        for _ in 0..STEPS_MAX {
            match drop_some(&self.shared).await {
                Ok(true) => {}
                Ok(false) => break,
                Err(problem) => {
                    debug!(%problem, "records of calls could not be dropped; it is tried again");
                    break;
                }
            }
        }
        if let Ok(size) = reads.record_size().await {
            recording.records.store(size.records, Ordering::Relaxed);
            recording.record_bytes.store(size.bytes, Ordering::Relaxed);
        }
    }
}

/// Writes a batch; says of which calls records were found that answers were added to.
async fn write(shared: &Shared, batch: &Batch) -> Result<Vec<i64>, Failure> {
    let late: Vec<_> = batch.late.iter().chain(&batch.missed).collect();
    let mut side = shared.write.lock().await;
    let written = async {
        let mut tx = side.conn.begin().await?;
        if !batch.records.is_empty() {
            tx.insert_records(&batch.records).await?;
        }
        let found = if late.is_empty() { Vec::new() } else { tx.add_late(&late).await? };
        tx.commit().await.map(|()| found)
    };
    let written = written.await;
    written.inspect_err(|problem| {
        shared.failed(&mut side, problem);
    })
}

/// Drops some; whether there may be more to drop.
async fn drop_some(shared: &Shared) -> Result<bool, Failure> {
    let config = &shared.config.records;
    let keep = i64::try_from(config.age_max.as_millis()).unwrap_or(i64::MAX);
    let limit = |max: u64| i64::try_from(max).unwrap_or(i64::MAX);
    let limits = Limits {
        since: UnixMillis(UnixMillis::now().0.saturating_sub(keep)),
        messages_max: limit(config.records_max.get()),
        bytes_max: limit(config.bytes_max.get()),
    };
    let Some(cut) = shared.reads.record_excess(&limits, DROPPED_AT_ONCE).await? else { return Ok(false) };
    let mut side = shared.write.lock().await;
    let dropped = async {
        let mut tx = side.conn.begin().await?;
        tx.drop_records(cut).await?;
        tx.commit().await
    };
    let dropped = dropped.await;
    dropped
        .inspect_err(|problem| {
            shared.failed(&mut side, problem);
        })
        .map(|()| true)
}
