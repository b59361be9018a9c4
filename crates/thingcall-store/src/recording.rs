//! Records of calls on their way to the database: a bounded queue, and what did not fit into it.
//!
//! **Invariant:** putting one never waits and wakes nobody but a recorder that is at rest. What is left out is counted, and
//! told once a minute at most.

use std::sync::atomic::{AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use enum_map::{Enum, EnumMap};
use strum::IntoStaticStr;
use thingcall_core::{CallRecord, LateAnswer, UnixMillis};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tracing::warn;

use crate::records_config::RecordsConfig;

/// How often it is told that records are left out.
const TOLD_EVERY: Duration = Duration::from_secs(60);
/// What a record takes beside its texts.
const RECORD_BYTES: usize = 640;
/// What an answer takes that came too late.
const LATE_BYTES: usize = 128;
/// Of a minute.
const MILLIS: i64 = 60_000;

/// Why a record is not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum LeftOut {
    /// As many wait to be written as may.
    Queue,
    /// They have as many bytes as they may.
    Bytes,
    /// As many requests were refused in this minute as are kept.
    Refused,
    /// The store was closed before it was written.
    Closed,
}

impl LeftOut {
    const fn setting(self) -> &'static str {
        match self {
            Self::Queue => "records.queue_records_max",
            Self::Bytes => "records.queue_bytes_max",
            Self::Refused => "records.refused_per_minute_max",
            Self::Closed => "none; the store could not be written when it was closed",
        }
    }
}

/// What waits to be written.
#[derive(Debug)]
pub(crate) enum Entry {
    /// A call that ended.
    Call(Box<CallRecord>),
    /// An answer to one that had ended.
    Late(Box<LateAnswer>),
}

/// What waits, and what became of it so far.
#[derive(Debug)]
pub(crate) struct Recording {
    queue: mpsc::Sender<Entry>,
    flushes: mpsc::UnboundedSender<oneshot::Sender<()>>,
    /// For the one task that writes.
    receiving: Mutex<Option<Receiving>>,
    bytes: AtomicUsize,
    bytes_max: usize,
    /// The minute in which requests were refused, and how many of them are kept.
    minute: AtomicI64,
    refused: AtomicU32,
    refused_max: u32,
    left_out: EnumMap<LeftOut, AtomicU64>,
    told: Mutex<EnumMap<LeftOut, Option<Instant>>>,
    pub(crate) written: AtomicU64,
    /// How many there are in the database, and their bytes.
    pub(crate) records: AtomicU64,
    pub(crate) record_bytes: AtomicU64,
    /// What this server is called.
    pub(crate) instance: OnceLock<String>,
}

/// What the recorder takes records from.
#[derive(Debug)]
pub(crate) struct Receiving {
    pub(crate) queue: mpsc::Receiver<Entry>,
    pub(crate) flushes: mpsc::UnboundedReceiver<oneshot::Sender<()>>,
}

impl Recording {
    pub(crate) fn new(config: &RecordsConfig) -> Self {
        let (queue, records) = mpsc::channel(config.queue_records_max.get());
        let (flushes, flushed) = mpsc::unbounded_channel();
        Self {
            queue,
            flushes,
            receiving: Mutex::new(Some(Receiving { queue: records, flushes: flushed })),
            bytes: AtomicUsize::new(0),
            bytes_max: config.queue_bytes_max.get(),
            minute: AtomicI64::new(0),
            refused: AtomicU32::new(0),
            refused_max: config.refused_per_minute_max,
            left_out: EnumMap::default(),
            told: Mutex::default(),
            written: AtomicU64::new(0),
            records: AtomicU64::new(0),
            record_bytes: AtomicU64::new(0),
            instance: OnceLock::new(),
        }
    }

    /// Takes a record, or counts it where there is no room.
    pub(crate) fn put(&self, record: CallRecord) {
        self.enter(Entry::Call(Box::new(record)));
    }

    /// Takes an answer that came too late, or counts it where there is no room.
    pub(crate) fn put_late(&self, late: LateAnswer) {
        self.enter(Entry::Late(Box::new(late)));
    }

    fn enter(&self, entry: Entry) {
        let bytes = entry.bytes();
        if self.bytes.fetch_add(bytes, Ordering::Relaxed).saturating_add(bytes) > self.bytes_max {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            return self.leave_out(LeftOut::Bytes, 1);
        }
        if self.queue.try_send(entry).is_err() {
            self.bytes.fetch_sub(bytes, Ordering::Relaxed);
            self.leave_out(LeftOut::Queue, 1);
        }
    }

    /// The same of a request that anybody can make: so many a minute.
    pub(crate) fn put_refused(&self, record: CallRecord) {
        let minute = UnixMillis::now().0.div_euclid(MILLIS);
        if self.minute.swap(minute, Ordering::Relaxed) != minute {
            self.refused.store(0, Ordering::Relaxed);
        }
        if self.refused.fetch_add(1, Ordering::Relaxed) < self.refused_max {
            self.put(record);
        } else {
            // Back, so that it never runs over.
            self.refused.fetch_sub(1, Ordering::Relaxed);
            self.leave_out(LeftOut::Refused, 1);
        }
    }

    /// What the one task that writes takes from; `None` once somebody has it.
    pub(crate) fn receiving(&self) -> Option<Receiving> {
        self.receiving.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Something was taken out.
    pub(crate) fn took(&self, entry: &Entry) {
        self.bytes.fetch_sub(entry.bytes(), Ordering::Relaxed);
    }

    /// Returns when what was put before is written, or cannot be.
    pub(crate) async fn flush(&self) {
        let (done, written) = oneshot::channel();
        if self.flushes.send(done).is_ok() {
            // An error means that the recorder ended, which it does after its last write.
            let _ended = written.await;
        }
    }

    /// How many wait, and their bytes.
    pub(crate) fn waiting(&self) -> (usize, usize) {
        (self.queue.max_capacity() - self.queue.capacity(), self.bytes.load(Ordering::Relaxed))
    }

    /// How many were left out.
    pub(crate) fn left_out(&self, why: LeftOut) -> u64 {
        self.left_out[why].load(Ordering::Relaxed)
    }

    /// So many are not written.
    pub(crate) fn leave_out(&self, why: LeftOut, records: u64) {
        let so_far = self.left_out[why].fetch_add(records, Ordering::Relaxed) + records;
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told[why].is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
            told[why] = Some(Instant::now());
            drop(told);
            let (reason, setting): (&str, _) = (why.into(), why.setting());
            warn!(reason, so_far, setting, "records of calls are left out; the calls themselves go on");
        }
    }
}

impl Entry {
    /// What it takes while it waits.
    fn bytes(&self) -> usize {
        match self {
            Self::Call(record) => {
                let args = record.args.as_ref().map_or(0, |args| args.as_str().len());
                let reply = record.reply.as_ref().map_or(0, |reply| reply.data.len());
                let letter = record.letter.as_ref().map_or(0, |letter| letter.payload.len());
                let said = record.said.as_ref().map_or(0, Bytes::len);
                RECORD_BYTES + args + reply + letter + said + record.text.len()
            }
            Self::Late(late) => LATE_BYTES + late.answer.as_ref().map_or(0, |body| body.data.len()),
        }
    }
}
