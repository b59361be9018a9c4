//! What this process knows of the log of messages.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use enum_map::{Enum, EnumMap};
use strum::IntoStaticStr;
use thingcall_core::{MessageId, MessageKind, MessageKinds, MessageWords, NewMessage, ProductKey, ReaderName, Wanted};
use tokio::sync::{Mutex as TurnMutex, watch};

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
    wanted: RwLock<WantedOf>,
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
    pub(crate) readers: AtomicU64,
}

/// What kind of reader somebody is, by the word before the colon of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ReaderKind {
    Group,
    Exchange,
    Webhook,
    Topic,
    Stream,
    Other,
}

impl ReaderKind {
    /// That of this reader.
    pub(crate) fn of(reader: &ReaderName) -> Self {
        match reader.0.split_once(':').map(|(kind, _)| kind) {
            Some("group") => Self::Group,
            Some("exchange") => Self::Exchange,
            Some("webhook") => Self::Webhook,
            Some("topic") => Self::Topic,
            Some("stream") => Self::Stream,
            Some(_) | None => Self::Other,
        }
    }
}

struct ToldIn(Arc<dyn MessageWords>);

impl fmt::Debug for ToldIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("words")
    }
}

/// What readers want, and all of them together.
#[derive(Debug, Default)]
struct WantedOf {
    readers: HashMap<ReaderName, Wanted>,
    named: HashMap<ProductKey, MessageKinds>,
    others: MessageKinds,
}

impl WantedOf {
    fn add_up(&mut self) {
        let both = |a: MessageKinds, b: MessageKinds| a.iter().chain(b.iter()).collect();
        let lines = || self.readers.values().flat_map(|wanted| &wanted.of);
        let of = |product: &ProductKey| {
            self.readers.values().map(|wanted| wanted.kinds(product)).fold(MessageKinds::NONE, both)
        };
        let named = lines().filter_map(|(product, _)| product.clone()).map(|product| (product.clone(), of(&product)));
        let named = named.collect();
        let others = lines().filter(|(product, _)| product.is_none()).map(|(_, kinds)| *kinds);
        let others = others.fold(MessageKinds::NONE, both);
        (self.named, self.others) = (named, others);
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
        let wanted = self.wanted.read().unwrap_or_else(PoisonError::into_inner);
        wanted.named.get(product).copied().map_or(wanted.others, |named| named).contains(kind)
    }

    /// What a reader wants now; `None`: there is no such reader.
    pub(crate) fn wants(&self, reader: &ReaderName, wanted: Option<Wanted>) {
        let mut all = self.wanted.write().unwrap_or_else(PoisonError::into_inner);
        match wanted {
            Some(wanted) => all.readers.insert(reader.clone(), wanted),
            None => all.readers.remove(reader),
        };
        all.add_up();
        self.count_readers(&all.readers);
    }

    /// The same of all readers there are.
    pub(crate) fn want(&self, readers: HashMap<ReaderName, Wanted>) {
        let mut all = self.wanted.write().unwrap_or_else(PoisonError::into_inner);
        all.readers = readers;
        all.add_up();
        self.count_readers(&all.readers);
    }

    /// Those beside consumer groups, which have a limit of their own.
    fn count_readers(&self, readers: &HashMap<ReaderName, Wanted>) {
        let count = readers.keys().filter(|reader| ReaderKind::of(reader) != ReaderKind::Group).count();
        self.counts.readers.store(wide(count), Ordering::Relaxed);
    }

    /// Nothing is let go of as long as this is held.
    pub(crate) fn letting_go(&self) -> MutexGuard<'_, ()> {
        self.letting_go.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether there is such a reader.
    pub(crate) fn has_reader(&self, reader: &ReaderName) -> bool {
        self.wanted.read().unwrap_or_else(PoisonError::into_inner).readers.contains_key(reader)
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
