//! A log of messages in memory. Nothing is ever dropped from it, and nobody else holds what was taken.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::future::poll_fn;
use std::ops::RangeInclusive;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use async_trait::async_trait;

use crate::{
    GivenBack, JournalError, Message, MessageId, MessageKind, MessageLog, NewMessage, ProductKey, ReaderName, Standing,
    Taken, UnixMillis, Wanted,
};

/// Messages, for as long as it lives.
#[derive(Default)]
pub struct MemoryLog(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    messages: Vec<Message>,
    readers: BTreeMap<ReaderName, Reader>,
    waiting: Vec<Waker>,
}

#[derive(Default)]
struct Reader {
    wanted: Wanted,
    /// Places of what was wanted when it was written, and not given to it yet.
    queue: VecDeque<i64>,
    /// What it was given, and how often it was given that before.
    taken: BTreeMap<i64, u32>,
    back: BTreeMap<i64, Back>,
}

struct Back {
    tries: u32,
    /// `None` of a dead letter.
    again_at: Option<UnixMillis>,
    why: String,
}

impl MemoryLog {
    /// Sets what a reader wants; there is one from now on.
    pub fn want(&self, reader: &ReaderName, wanted: Wanted) {
        self.kept().readers.entry(reader.clone()).or_default().wanted = wanted;
    }

    /// There is no such reader any more.
    pub fn forget(&self, reader: &ReaderName) {
        self.kept().readers.remove(reader);
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a reader has; nothing for one that there is not.
    fn of<T: Default>(&self, reader: &ReaderName, read: impl FnOnce(&[Message], &mut Reader) -> T) -> T {
        let kept = &mut *self.kept();
        kept.readers.get_mut(reader).map_or_else(T::default, |reader| read(&kept.messages, reader))
    }
}

impl Kept {
    fn is_wanted(&self, product: &ProductKey, kind: MessageKind) -> bool {
        self.readers.values().any(|reader| reader.wanted.kinds(product).contains(kind))
    }

    fn add(&mut self, NewMessage { kind, device, at, words }: NewMessage) {
        if !self.is_wanted(&device.product, kind) {
            return;
        }
        let place = last(&self.messages) + 1;
        for reader in self.readers.values_mut().filter(|reader| reader.wanted.kinds(&device.product).contains(kind)) {
            reader.queue.push_back(place);
        }
        let id = MessageId((at.0.unsigned_abs() << 22) | place.unsigned_abs());
        self.messages.push(Message { place, id, kind, device, at, words });
    }
}

impl Reader {
    /// Gives it a message, so often tried before.
    fn give(&mut self, messages: &[Message], place: i64, tries: u32) -> Option<Taken> {
        self.taken.insert(place, tries);
        found(messages, place).map(|message| Taken { message, tries })
    }

    fn due(&self, now: UnixMillis) -> Vec<i64> {
        let due = self.back.iter().filter(|(_, back)| back.again_at.is_some_and(|at| at <= now));
        due.map(|(place, _)| *place).collect()
    }

    fn standing(&self) -> Standing {
        let dead = self.back.values().filter(|back| back.again_at.is_none()).count();
        let again = self.back.len() - dead;
        let (queued, again, dead) = (self.queue.len() as u64, again as u64, dead as u64);
        Standing { unread: queued + again, again, dead, lost: 0 }
    }
}

fn last(messages: &[Message]) -> i64 {
    messages.last().map_or(0, |message| message.place)
}

fn found(messages: &[Message], place: i64) -> Option<Message> {
    let at = messages.binary_search_by_key(&place, |message| message.place).ok()?;
    messages.get(at).cloned()
}

#[async_trait]
impl MessageLog for MemoryLog {
    fn is_wanted(&self, product: &ProductKey, kind: MessageKind) -> bool {
        self.kept().is_wanted(product, kind)
    }

    async fn append(&self, messages: Vec<NewMessage>) -> Result<(), JournalError> {
        let mut kept = self.kept();
        messages.into_iter().for_each(|message| kept.add(message));
        let waiting = std::mem::take(&mut kept.waiting);
        drop(kept);
        waiting.into_iter().for_each(Waker::wake);
        Ok(())
    }

    async fn set_reader(&self, reader: &ReaderName, wanted: Wanted) -> Result<(), JournalError> {
        self.want(reader, wanted);
        Ok(())
    }

    async fn remove_reader(&self, reader: &ReaderName) -> Result<(), JournalError> {
        self.forget(reader);
        Ok(())
    }

    async fn readers(&self) -> Result<Vec<ReaderName>, JournalError> {
        Ok(self.kept().readers.keys().cloned().collect())
    }

    async fn take(&self, reader: &ReaderName, max: usize) -> Result<Vec<Taken>, JournalError> {
        Ok(self.of(reader, |messages, reader| {
            let places: Vec<_> = reader.queue.drain(..max.min(reader.queue.len())).collect();
            places.into_iter().filter_map(|place| reader.give(messages, place, 0)).collect()
        }))
    }

    async fn take_again(&self, reader: &ReaderName, max: usize) -> Result<Vec<Taken>, JournalError> {
        Ok(self.of(reader, |messages, reader| {
            let due = reader.due(UnixMillis::now()).into_iter().take(max);
            due.filter_map(|place| {
                let tries = reader.back.remove(&place)?.tries;
                reader.give(messages, place, tries)
            })
            .collect()
        }))
    }

    fn settle(&self, reader: &ReaderName, places: &[i64]) {
        self.of(reader, |_, reader| {
            reader.taken.retain(|place, _| !places.contains(place));
            reader.back.retain(|place, _| !places.contains(place));
        });
    }

    fn give_back(&self, reader: &ReaderName, back: Vec<GivenBack>) {
        self.of(reader, |_, reader| {
            for GivenBack { place, again_at, tried, why } in back {
                if let Some(tries) = reader.taken.remove(&place) {
                    reader.back.insert(place, Back { tries: tries + u32::from(tried), again_at, why });
                }
            }
        });
    }

    async fn dead(&self, reader: &ReaderName, after: i64, max: usize) -> Result<Vec<(Taken, String)>, JournalError> {
        Ok(self.of(reader, |messages, reader| {
            let dead = reader.back.range(after.saturating_add(1)..).filter(|(_, back)| back.again_at.is_none());
            let told = dead.filter_map(|(place, back)| {
                Some((Taken { message: found(messages, *place)?, tries: back.tries }, back.why.clone()))
            });
            told.take(max).collect()
        }))
    }

    async fn revive(&self, reader: &ReaderName, places: Option<&[i64]>) -> Result<u64, JournalError> {
        Ok(self.of(reader, |_, reader| {
            let meant = |place: &i64| places.is_none_or(|places| places.contains(place));
            let dead = reader.back.iter_mut().filter(|(place, back)| back.again_at.is_none() && meant(place));
            dead.map(|(_, back)| (back.tries, back.again_at) = (0, Some(UnixMillis::now()))).count() as u64
        }))
    }

    async fn skip(&self, reader: &ReaderName) -> Result<u64, JournalError> {
        Ok(self.of(reader, |_, reader| {
            let skipped = reader.standing().unread;
            reader.queue.clear();
            reader.back.retain(|_, back| back.again_at.is_none());
            skipped
        }))
    }

    async fn standing(&self, reader: &ReaderName) -> Result<Standing, JournalError> {
        Ok(self.of(reader, |_, reader| reader.standing()))
    }

    async fn look(&self, after: i64, wanted: &Wanted, max: usize) -> Result<Vec<Message>, JournalError> {
        let kept = self.kept();
        let behind = kept.messages.iter().filter(|message| message.place > after);
        let wanted = behind.filter(|message| wanted.kinds(&message.device.product).contains(message.kind));
        Ok(wanted.take(max).cloned().collect())
    }

    async fn places(&self) -> Result<RangeInclusive<i64>, JournalError> {
        Ok(1..=last(&self.kept().messages))
    }

    fn newest(&self) -> i64 {
        last(&self.kept().messages)
    }

    async fn appended(&self, after: i64) {
        poll_fn(|context| {
            let mut kept = self.kept();
            if last(&kept.messages) > after {
                return Poll::Ready(());
            }
            kept.waiting.push(context.waker().clone());
            Poll::Pending
        })
        .await;
    }
}

impl fmt::Debug for MemoryLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kept = self.kept();
        write!(f, "MemoryLog({} messages, {} readers)", kept.messages.len(), kept.readers.len())
    }
}
