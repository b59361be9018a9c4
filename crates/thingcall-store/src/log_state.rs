//! What this process knows of the log of messages.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use enum_map::EnumMap;
use thingcall_core::{MessageId, MessageKind, MessageWords, NewMessage, ProductKey, ReaderName, Wanted};
use tokio::sync::{Mutex as TurnMutex, watch};

use crate::all_wanted::{AllWanted, ReaderKind};
use crate::in_hands::InHands;
use crate::log_queue::LogQueue;
use crate::message_ids::MessageIds;
use crate::sizes::wide;

/// All of it.
#[derive(Debug)]
pub(crate) struct LogState {
    pub(crate) queue: LogQueue,
    pub(crate) hands: InHands,
    pub(crate) ids: MessageIds,
    /// The newest message's place.
    newest: watch::Sender<i64>,
    wanted: RwLock<AllWanted>,
    words: OnceLock<ToldIn>,
    /// Who takes for a reader, and up to where there was nothing for it.
    turns: Mutex<HashMap<ReaderName, Arc<TurnMutex<i64>>>>,
    /// Held from when something is let go of until that waits to be written.
    letting_go: Mutex<()>,
    /// Whether there may be claims of ours that nobody here knows of.
    pub(crate) unsure: AtomicBool,
    pub(crate) counts: LogCounts,
}

/// What is counted.
#[derive(Debug, Default)]
pub(crate) struct LogCounts {
    pub(crate) appended: EnumMap<MessageKind, AtomicU64>,
    pub(crate) lost: EnumMap<ReaderKind, AtomicU64>,
    pub(crate) refused: AtomicU64,
    pub(crate) turns_lost: AtomicU64,
    pub(crate) messages: AtomicU64,
    pub(crate) bytes: AtomicU64,
    /// Beside consumer groups and streams.
    pub(crate) readers: AtomicU64,
    pub(crate) streams: AtomicU64,
}

struct ToldIn(Arc<dyn MessageWords>);

impl fmt::Debug for ToldIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("words")
    }
}

impl LogState {
    /// Of a log whose newest message stands here.
    pub(crate) fn new(newest: i64) -> Self {
        Self {
            queue: LogQueue::default(),
            hands: InHands::default(),
            ids: MessageIds::new(),
            newest: watch::Sender::new(newest),
            wanted: RwLock::default(),
            words: OnceLock::new(),
            turns: Mutex::default(),
            letting_go: Mutex::default(),
            unsure: AtomicBool::new(true),
            counts: LogCounts::default(),
        }
    }

    /// The newest message's place, as far as this process knows.
    pub(crate) fn newest(&self) -> i64 {
        *self.newest.borrow()
    }

    /// There are messages up to here.
    pub(crate) fn is_at(&self, newest: i64) {
        self.newest.send_if_modified(|before| {
            let is_new = newest > *before;
            *before = newest.max(*before);
            is_new
        });
    }

    /// Returns when there are messages behind this place.
    pub(crate) async fn behind(&self, place: i64) {
        // The sender lives as long as this.
        drop(self.newest.subscribe().wait_for(|newest| *newest > place).await);
    }

    /// Whether anybody wants this kind of message of this product.
    pub(crate) fn is_wanted(&self, product: &ProductKey, kind: MessageKind) -> bool {
        self.wanted.read().unwrap_or_else(PoisonError::into_inner).contains(product, kind)
    }

    /// What a reader wants now; `None`: there is no such reader.
    pub(crate) fn wants(&self, reader: &ReaderName, wanted: Option<Wanted>) {
        let mut all = self.wanted.write().unwrap_or_else(PoisonError::into_inner);
        all.set(reader, wanted);
        self.count_readers(&all);
    }

    /// The same of all readers there are.
    pub(crate) fn want(&self, readers: impl Iterator<Item = (ReaderName, Wanted)>) {
        let mut all = AllWanted::default();
        readers.for_each(|(reader, wanted)| all.set(&reader, Some(wanted)));
        self.count_readers(&all);
        *self.wanted.write().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Consumer groups have a limit of their own.
    fn count_readers(&self, all: &AllWanted) {
        let streams = all.count(ReaderKind::Stream);
        let others = [ReaderKind::Exchange, ReaderKind::Webhook, ReaderKind::Topic, ReaderKind::Other];
        self.counts.readers.store(wide(others.map(|kind| all.count(kind)).iter().sum()), Ordering::Relaxed);
        self.counts.streams.store(wide(streams), Ordering::Relaxed);
    }

    /// Nothing is let go of as long as this is held.
    pub(crate) fn letting_go(&self) -> MutexGuard<'_, ()> {
        self.letting_go.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is such a reader, or one whose place it takes.
    pub(crate) fn has_reader(&self, reader: &ReaderName) -> bool {
        self.wanted.read().unwrap_or_else(PoisonError::into_inner).has(reader)
    }

    /// From now on what the store sees happen is told in these words.
    pub(crate) fn tell_in(&self, words: Arc<dyn MessageWords>) {
        let _told_once = self.words.set(ToldIn(words));
    }

    /// The words, if there are any.
    pub(crate) fn words(&self) -> Option<&dyn MessageWords> {
        self.words.get().map(|told| &*told.0)
    }

    /// A reader's turn: whoever has it is the only one here who takes for it.
    pub(crate) fn turn(&self, reader: &ReaderName) -> Arc<TurnMutex<i64>> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.entry(reader.clone()).or_default().clone()
    }

    /// There is no such reader.
    pub(crate) fn forget(&self, reader: &ReaderName) {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).remove(reader);
        self.hands.forget(reader);
    }

    /// These were written.
    pub(crate) fn count(&self, messages: &[(MessageId, NewMessage)]) {
        for (_, message) in messages {
            self.counts.appended[message.kind].fetch_add(1, Ordering::Relaxed);
        }
    }

    /// So many were dropped that a reader had not read.
    pub(crate) fn lost(&self, reader: &ReaderName, count: u64) {
        self.counts.lost[ReaderKind::of(reader)].fetch_add(count, Ordering::Relaxed);
    }
}
