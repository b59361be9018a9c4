//! The log of messages as its readers and writers see it.
//!
//! **Invariant:** what is looked for is read beside whoever writes; only what is handed out is written, along with what others
//! write at that moment.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use thingcall_core::{
    GivenBack, JournalError, Lease, Message, MessageKind, MessageLog, NewMessage, ProductKey, ReaderName, Standing,
    Taken, UnixMillis, Wanted,
};
use tokio::sync::oneshot;

use crate::all_wanted::ReaderKind;
use crate::change::Subject;
use crate::failure::{Failure, SaysTrouble, Stop, Written};
use crate::log_queue::{Appending, Claiming, Room, TakingAgain};
use crate::log_state::LogState;
use crate::message_tables::{Again, ClaimRow, ReaderRow};
use crate::shared::{Shared, WriteSide};
use crate::trouble::Trouble;
use crate::{Store, changes};

/// How many places are looked at in one go: most of them may be for others.
const PLACES_AT_ONCE: i64 = 10_000;
/// How far a reader may be past its position in the database, with nothing for it in between.
const UNNOTED_PLACES_MAX: i64 = 50_000;
/// So many places are counted one by one; how many wait beyond them is told about.
const COUNTED_PLACES_MAX: i64 = 100_000;

#[async_trait]
impl MessageLog for Store {
    fn is_wanted(&self, product: &ProductKey, kind: MessageKind) -> bool {
        self.log().is_wanted(product, kind)
    }

    async fn append(&self, mut messages: Vec<NewMessage>) -> Result<(), JournalError> {
        let log = self.log();
        messages.retain(|message| log.is_wanted(&message.device.product, message.kind));
        if messages.is_empty() {
            return Ok(());
        }
        let shared = self.shared();
        if let Some(trouble) = shared.health.log_full().then_some(Trouble::Log) {
            return Err(JournalError::says(trouble, Written::No));
        }
        let slot = shared.held.first().map_or(0, |lease| lease.slot);
        let messages = messages.into_iter().map(|message| (log.ids.next(slot), message)).collect();
        let (done, written) = oneshot::channel();
        let config = &shared.config.messages;
        let max = config.append_queue_messages_max.get();
        let room = Room { messages: max, bytes: config.append_queue_bytes_max.get() };
        if log.queue.append(Appending { messages, done }, &room).is_err() {
            log.counts.refused.fetch_add(1, Ordering::Relaxed);
            return Err(JournalError::QueueFull(max));
        }
        written.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn set_reader(&self, reader: &ReaderName, wanted: Wanted) -> Result<(), JournalError> {
        self.has_room_for(reader)?;
        // Written only where it differs: a server starts on a full disk, too.
        let before = self.reader_row(reader).await?;
        if before.map_or(wanted.of.is_empty(), |row| row.wishes.now() == Some(&wanted)) {
            return Ok(());
        }
        let mut side = self.shared().write.lock().await;
        let set = set_reader(self.shared(), &mut side, reader, &wanted).await;
        self.shared().ended(&mut side, set)
    }

    async fn remove_reader(&self, reader: &ReaderName) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let removed = remove_reader(self.shared(), &mut side, reader).await;
        self.shared().ended(&mut side, removed)
    }

    async fn readers(&self) -> Result<Vec<ReaderName>, JournalError> {
        self.shared().reads.reader_names().await.map_err(unreadable)
    }

    async fn take(&self, reader: &ReaderName, max: usize) -> Result<Vec<Taken>, JournalError> {
        let turn = self.log().turn(reader);
        let mut looked = turn.lock().await;
        let lease = self.lease()?;
        loop {
            let Some(row) = self.reader_row(reader).await? else { return Ok(Vec::new()) };
            let (until, found) = self.look_for(&row, (*looked).max(row.position), max).await?;
            if found.is_empty() {
                *looked = until;
                if until - row.position > UNNOTED_PLACES_MAX {
                    self.move_on(&row, until).await?;
                }
                return Ok(Vec::new());
            }
            let places: Vec<_> = found.iter().map(|message| message.place).collect();
            let first = places.first().copied().unwrap_or(until);
            let messages = u64::try_from(places.len()).unwrap_or(u64::MAX);
            let claim = ClaimRow { reader: reader.clone(), first, last: until, messages, lease };
            let (done, claimed) = oneshot::channel();
            self.log().queue.claim(Claiming { from: row.position, claim, places, done });
            // If not, another instance was quicker.
            if claimed.await.unwrap_or_else(|_| Err(closed()))? {
                *looked = until;
                return Ok(found.into_iter().map(|message| Taken { message, tries: 0 }).collect());
            }
        }
    }

    async fn take_again(&self, reader: &ReaderName, max: usize) -> Result<Vec<Taken>, JournalError> {
        let lease = self.lease()?;
        let (done, taken) = oneshot::channel();
        self.log().queue.take_again(TakingAgain { reader: reader.clone(), lease, max, done });
        let taken = taken.await.unwrap_or_else(|_| Err(closed()))?;
        let places: Vec<_> = taken.iter().map(|again| again.place).collect();
        let found = self.messages_at(&places).await.inspect_err(|_| self.log().nobody_took(reader, &places))?;
        // What was dropped just now is counted where it was.
        let there: Vec<_> = found.iter().map(|message| message.place).collect();
        let gone: Vec<_> = places.into_iter().filter(|place| !there.contains(place)).collect();
        self.log().settle(reader, &gone);
        Ok(with_tries(found, &taken))
    }

    fn settle(&self, reader: &ReaderName, places: &[i64]) {
        self.log().settle(reader, places);
    }

    fn give_back(&self, reader: &ReaderName, back: Vec<GivenBack>) {
        self.log().give_back(reader, back);
    }

    async fn dead(&self, reader: &ReaderName, after: i64, max: usize) -> Result<Vec<(Taken, String)>, JournalError> {
        let dead = self.shared().reads.dead(reader, after, max).await.map_err(unreadable)?;
        let places: Vec<_> = dead.iter().map(|(again, _)| again.place).collect();
        let found = self.messages_at(&places).await?;
        let told = found.into_iter().filter_map(|message| {
            let (again, why) = dead.iter().find(|(again, _)| again.place == message.place)?;
            Some((Taken { message, tries: again.tries }, why.clone()))
        });
        Ok(told.collect())
    }

    async fn revive(&self, reader: &ReaderName, places: Option<&[i64]>) -> Result<u64, JournalError> {
        let mut side = self.shared().write.lock().await;
        let revived = revive(&mut side, reader, places).await;
        self.shared().ended(&mut side, revived.map_err(Stop::Failed))
    }

    async fn skip(&self, reader: &ReaderName) -> Result<u64, JournalError> {
        let turn = self.log().turn(reader);
        let _turn = turn.lock().await;
        let Some(row) = self.reader_row(reader).await? else { return Ok(0) };
        let mut side = self.shared().write.lock().await;
        let skipped = skip(&mut side, reader).await;
        let (places, again) = self.shared().ended(&mut side, skipped.map_err(Stop::Failed))?;
        drop(side);
        Ok(again + self.count(&row, places).await?)
    }

    async fn standing(&self, reader: &ReaderName) -> Result<Standing, JournalError> {
        let Some(row) = self.reader_row(reader).await? else { return Ok(Standing::default()) };
        let (again, dead) = self.shared().reads.count_backlog(reader).await.map_err(unreadable)?;
        let last = *self.places().await?.end();
        let unread = again + self.count(&row, row.position + 1..=last).await?;
        Ok(Standing { unread, again, dead, lost: row.lost })
    }

    async fn look(&self, after: i64, wanted: &Wanted, max: usize) -> Result<Vec<Message>, JournalError> {
        let behind = after.saturating_add(1)..=i64::MAX;
        self.shared().reads.messages(behind, wanted, max).await.map_err(unreadable)
    }

    async fn places(&self) -> Result<RangeInclusive<i64>, JournalError> {
        self.shared().reads.places().await.map_err(unreadable)
    }

    fn newest(&self) -> i64 {
        self.log().newest()
    }

    async fn appended(&self, after: i64) {
        self.log().behind(after).await;
    }
}

impl Store {
    fn log(&self) -> &LogState {
        &self.shared().log
    }

    /// What this process holds as who reads the log. A server that is alone on its file needs no lease.
    fn lease(&self) -> Result<Lease, JournalError> {
        let shared = self.shared();
        match shared.held.first() {
            Some(lease) => Ok(lease),
            None if !shared.reads.is_shared() => Ok(Lease { slot: 0, generation: 0 }),
            None => Err(JournalError::says(Trouble::Lease, Written::No)),
        }
    }

    /// Those that are temporary have room of their own, so that they keep nobody out who stays.
    fn has_room_for(&self, reader: &ReaderName) -> Result<(), JournalError> {
        let (config, counts) = (&self.shared().config.messages, &self.log().counts);
        let (setting, count, max) = match ReaderKind::of(reader) {
            ReaderKind::Group => return Ok(()),
            ReaderKind::Stream => ("messages.stream_readers_max", &counts.streams, config.stream_readers_max.get()),
            ReaderKind::Exchange | ReaderKind::Webhook | ReaderKind::Topic | ReaderKind::Other => {
                ("messages.readers_max", &counts.readers, config.readers_max.get())
            }
        };
        let is_full = usize::try_from(count.load(Ordering::Relaxed)).unwrap_or(usize::MAX) >= max;
        if is_full && !self.log().has_reader(reader) { Err(JournalError::ReadersFull { setting, max }) } else { Ok(()) }
    }

    async fn reader_row(&self, reader: &ReaderName) -> Result<Option<ReaderRow>, JournalError> {
        self.shared().reads.reader(reader).await.map_err(unreadable)
    }

    async fn messages_at(&self, places: &[i64]) -> Result<Vec<Message>, JournalError> {
        if places.is_empty() {
            return Ok(Vec::new());
        }
        self.shared().reads.messages_at(places).await.map_err(unreadable)
    }

    /// The oldest messages behind `after` that the reader wants, and up to where it was looked.
    async fn look_for(&self, row: &ReaderRow, after: i64, max: usize) -> Result<(i64, Vec<Message>), JournalError> {
        let reads = &self.shared().reads;
        let places = self.places().await?;
        let last = *places.end();
        let mut until = after.max(places.start() - 1);
        let mut found = Vec::new();
        while until < last && found.is_empty() {
            let end = last.min(until + PLACES_AT_ONCE);
            for (part, wanted) in row.wishes.at(until + 1..=end) {
                found.extend(reads.messages(part, wanted, max - found.len()).await.map_err(unreadable)?);
                if found.len() >= max {
                    break;
                }
            }
            until = if found.len() >= max { found.last().map_or(end, |message| message.place) } else { end };
        }
        Ok((until, found))
    }

    /// How many of these a reader wants; about, where they are very many.
    async fn count(&self, row: &ReaderRow, places: RangeInclusive<i64>) -> Result<u64, JournalError> {
        let there = self.places().await?;
        let start = *places.start().max(there.start());
        let (end, all) = ((*places.end()).min(start + COUNTED_PLACES_MAX - 1), places.end() - start + 1);
        let mut counted = 0;
        for (part, wanted) in row.wishes.at(start..=end) {
            counted += self.shared().reads.count_messages(part, wanted).await.map_err(unreadable)?;
        }
        if all <= COUNTED_PLACES_MAX {
            return Ok(counted);
        }
        let about =
            u128::from(counted) * u128::from(all.unsigned_abs()) / u128::from(COUNTED_PLACES_MAX.unsigned_abs());
        Ok(u64::try_from(about).unwrap_or(u64::MAX))
    }

    /// When the oldest message happened that nobody was given in this reader's name; `None` where it has read all.
    ///
    /// # Errors
    /// If the store cannot be read.
    pub async fn oldest_unread(&self, reader: &ReaderName) -> Result<Option<UnixMillis>, JournalError> {
        let Some(row) = self.reader_row(reader).await? else { return Ok(None) };
        let there = self.places().await?;
        let start = *there.start().max(&(row.position + 1));
        for (part, wanted) in row.wishes.at(start..=*there.end()) {
            let found = self.shared().reads.messages(part, wanted, 1).await.map_err(unreadable)?;
            if let Some(oldest) = found.first() {
                return Ok(Some(oldest.at));
            }
        }
        Ok(None)
    }

    /// Notes how far a reader is for whom there was nothing.
    async fn move_on(&self, row: &ReaderRow, to: i64) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let moved = move_on(&mut side, row, to).await;
        self.shared().ended(&mut side, moved.map_err(Stop::Failed))
    }
}

/// As part of a transaction of one's own, where there is more to be changed.
async fn set_reader(
    shared: &Shared,
    side: &mut WriteSide,
    reader: &ReaderName,
    wanted: &Wanted,
) -> Result<(), Stop<JournalError>> {
    let mut tx = side.conn.begin().await?;
    tx.set_reader(reader, wanted).await?;
    changes::commit(tx, Subject::Reader(reader.clone())).await?;
    changes::follow(shared, side).await
}

async fn remove_reader(shared: &Shared, side: &mut WriteSide, reader: &ReaderName) -> Result<(), Stop<JournalError>> {
    let mut tx = side.conn.begin().await?;
    tx.remove_reader(reader).await?;
    changes::commit(tx, Subject::Reader(reader.clone())).await?;
    changes::follow(shared, side).await
}

async fn revive(side: &mut WriteSide, reader: &ReaderName, places: Option<&[i64]>) -> Result<u64, Failure> {
    let mut tx = side.conn.begin().await?;
    let revived = tx.revive(reader, places, UnixMillis::now()).await?;
    tx.commit().await?;
    Ok(revived)
}

async fn skip(side: &mut WriteSide, reader: &ReaderName) -> Result<(RangeInclusive<i64>, u64), Failure> {
    let mut tx = side.conn.begin().await?;
    let skipped = tx.skip(reader).await?;
    tx.commit().await?;
    Ok(skipped)
}

async fn move_on(side: &mut WriteSide, row: &ReaderRow, to: i64) -> Result<(), Failure> {
    let mut tx = side.conn.begin().await?;
    // If not, another instance was quicker.
    tx.move_on(&row.name, row.position, to).await?;
    tx.commit().await
}

fn with_tries(found: Vec<Message>, taken: &[Again]) -> Vec<Taken> {
    let tries = |place| taken.iter().find(|again| again.place == place).map_or(1, |again| again.tries);
    found.into_iter().map(|message| Taken { tries: tries(message.place), message }).collect()
}

fn unreadable(problem: Failure) -> JournalError {
    JournalError::Store(problem.to_string())
}

fn closed() -> JournalError {
    JournalError::Store("the store is closed".to_owned())
}
