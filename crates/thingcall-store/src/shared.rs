//! What the store, its two tasks and all that is written by them share. Whoever is above this room knows it; it knows none
//! of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex as StdMutex, MutexGuard, PoisonError};

use thingcall_core::{UnixMillis, UnwrittenReply};
use tokio::sync::{Mutex, broadcast, watch};
use tracing::warn;

use crate::Config;
use crate::audit_queue::Audit;
use crate::calls::{CallKey, Noted};
use crate::change::Change;
use crate::claim::Claim;
use crate::count::DeviceCount;
use crate::database::{Database, WriteConnection};
use crate::devices::Devices;
use crate::dismissed::Dismissals;
use crate::failure::{Failure, SaysTrouble, Stop, Written};
use crate::groups::Groups;
use crate::health::Health;
use crate::held::Held;
use crate::history::History;
use crate::left_out::LeftOut;
use crate::log_state::LogState;
use crate::memory::Memory;
use crate::once_counts::Once;
use crate::outbox::WaitingCommands;
use crate::place::Place;
use crate::recording::Recording;
use crate::sizes::Sizes;
use crate::tally::Tally;
use crate::told::Told;
use crate::trouble::Trouble;
use crate::turns::Turns;
use crate::unkept::Unkept;

/// What the store and its tasks share.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) place: Place,
    pub(crate) health: Health,
    pub(crate) sizes: Sizes,
    pub(crate) memory: Memory,
    pub(crate) devices: Arc<Devices>,
    pub(crate) reads: Arc<dyn Database>,
    pub(crate) held: Held,
    pub(crate) log: LogState,
    pub(crate) groups: Groups,
    /// Devices that came and went, to be told.
    pub(crate) turns: Turns,
    /// Last values of properties, to be written.
    pub(crate) unkept: Unkept,
    /// What devices reported that is kept of their past and is not written yet.
    pub(crate) history: History,
    pub(crate) left_out: LeftOut,
    /// How many devices products have.
    pub(crate) tally: Tally,
    /// Records of calls, to be written.
    pub(crate) recording: Recording,
    /// Who changed what, to be written.
    pub(crate) audit: Audit,
    /// The one write lock of the process. Fair, which SQLite's own is not.
    pub(crate) write: Mutex<WriteSide>,
    /// Notes that found the write queue full.
    pub(crate) notes_lost: AtomicU64,
    /// Replies in the write queue: nobody waits for them, so they are no crowd.
    pub(crate) replies_queued: AtomicUsize,
    pub(crate) dismissed: Dismissals,
    /// Tokens of calls that are made once.
    pub(crate) once: Once,
    pub(crate) changes: broadcast::Sender<Change>,
    /// By the database, that there are changes.
    pub(crate) told: Told,
    /// Held by the one server of the data folder.
    pub(crate) claim: StdMutex<Option<Claim>>,
}

/// What only the holder of the write lock touches.
#[derive(Debug)]
pub(crate) struct WriteSide {
    pub(crate) conn: Box<dyn WriteConnection>,
    /// The last row of `changes` that memory has.
    pub(crate) last_change: i64,
    pub(crate) waiting: WaitingCommands,
    pub(crate) devices: DeviceCount,
    /// How many records the journal holds.
    pub(crate) records: u64,
    /// Where the next search for a record to drop begins.
    pub(crate) prune_after: i64,
    /// What became of calls, and could not be written yet.
    pub(crate) unwritten: Unwritten,
    /// Whether it is still to be written down that no device is connected.
    pub(crate) none_online: bool,
}

/// Notes and replies that wait until they can be written. Whoever hands replies over bounds them.
#[derive(Debug, Default)]
pub(crate) struct Unwritten {
    pub(crate) notes: HashMap<CallKey, Noted>,
    pub(crate) replies: Vec<Box<dyn UnwrittenReply>>,
    /// The calls of those that may have been written all the same, and when they would have ended them.
    pub(crate) doubted: HashMap<CallKey, UnixMillis>,
}

impl Unwritten {
    pub(crate) fn len(&self) -> usize {
        self.notes.len() + self.replies.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Shared {
    /// The claim of the data folder, if this process has it.
    pub(crate) fn claimed(&self) -> MutexGuard<'_, Option<Claim>> {
        self.claim.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Commands that wait for the server to know a change may go on.
    pub(crate) fn taken_over(&self, change: i64) {
        if let Some(claim) = &*self.claimed() {
            claim.note(change);
        }
    }

    /// What a piece of work on the write connection comes to for whoever asked for it.
    pub(crate) fn ended<T, E: SaysTrouble>(&self, side: &mut WriteSide, result: Result<T, Stop<E>>) -> Result<T, E> {
        result.map_err(|stop| match stop {
            Stop::Refused(why) => why,
            Stop::Failed(problem) => E::says(self.failed(side, &problem), problem.written()),
            Stop::Unread(problem) => E::says(self.failed(side, &problem), Written::Yes),
        })
    }

    /// Something failed on the write connection: it is not used as it is, and all are told.
    pub(crate) fn failed(&self, side: &mut WriteSide, problem: &Failure) -> Trouble {
        side.conn.failed();
        self.health.fails(problem)
    }

    /// Tells whoever listens; nobody need. What a server must act on is kept until it has.
    pub(crate) fn announce(&self, change: Change) {
        let is_server = || self.claimed().is_some();
        match &change {
            Change::DeviceDisabled(device) | Change::DeviceRemoved(device) if is_server() => self.dismissed.put(device),
            Change::Missed if is_server() => self.dismissed.put_any(),
            Change::Product(_)
            | Change::DevicesAdded
            | Change::DeviceChanged(_)
            | Change::DeviceDisabled(_)
            | Change::DeviceRemoved(_)
            | Change::Key(_)
            | Change::Missed => {}
        }
        let _listeners = self.changes.send(change);
    }

    /// Counts and tells notes that are not written.
    pub(crate) fn lose_notes(&self, count: u64, why: &str) {
        let before = self.notes_lost.fetch_add(count, Ordering::Relaxed);
        let lost = before + count;
        if before.checked_ilog2() != lost.checked_ilog2() {
            warn!(lost, why, "what became of calls is not written down; a command may be sent again");
        }
    }

    /// Takes over the figures that only the holder of the write lock knows.
    pub(crate) fn measure(&self, side: &WriteSide) {
        let WriteSide { records, waiting, unwritten, .. } = side;
        self.sizes.measure(*records, waiting.len(), unwritten.len());
    }
}

/// Returns when the store closes or is dropped.
pub(crate) async fn closed(closing: &mut watch::Receiver<bool>) {
    drop(closing.wait_for(|closing| *closing).await);
}
