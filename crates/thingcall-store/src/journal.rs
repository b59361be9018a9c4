//! The journal and the outbox, as the engine and the broker see them: everything is handed to the writer.
//!
//! **Invariant:** nothing here touches the database but what reads it, and the note of a take-over. What is handed over is written in the order it was handed over
//! in, as far as the order matters.

use std::ops::RangeInclusive;
use std::sync::atomic::Ordering;

use async_trait::async_trait;
use thingcall_core::{
    CallId, Completion, Delivery, DeviceKey, Ending, Journal, JournalEntry, JournalError, OpenCall, Outbox, Record,
    Sent, TransportKind, UnixMillis,
};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use crate::Store;
use crate::calls::{CallKey, End, Noted};
use crate::failure::{Failure, Stop};
use crate::shared::WriteSide;
use crate::writer::{Listing, Opening, Reading, Write};

#[async_trait]
impl Journal for Store {
    async fn open(&self, entry: JournalEntry) -> Result<(), JournalError> {
        let max = self.shared().config.write_queue_records_max.get();
        if self.queue().max_capacity() - self.queue().capacity() >= max {
            return Err(JournalError::QueueFull(max));
        }
        let (done, written) = oneshot::channel();
        match self.queue().try_send(Write::Open(Box::new(Opening { entry, done }))) {
            Ok(()) => written.await.unwrap_or_else(|_| Err(closed())),
            Err(TrySendError::Full(_)) => Err(JournalError::QueueFull(max)),
            Err(TrySendError::Closed(_)) => Err(closed()),
        }
    }

    fn note(&self, device: &DeviceKey, id: CallId, transport: TransportKind, how: Sent) {
        let now = Some(UnixMillis::now());
        let (sent_at, acked_at) = match how {
            Sent::Kept => (None, None),
            Sent::Sent => (now, None),
            Sent::Acked => (now, now),
        };
        self.hand_over((device.clone(), id), Noted { transport: Some(transport), sent_at, acked_at, end: None });
    }

    fn end(&self, ending: Ending) {
        match ending {
            Ending::Failed { device, id, outcome, why } => {
                let end = End { outcome, at: UnixMillis::now(), code: None, message: Some(why.into()), data: None };
                self.hand_over((device, id), Noted { end: Some(end), ..Noted::default() });
            }
            Ending::Replied(reply) => match self.queue().try_reserve() {
                Ok(room) => {
                    self.shared().replies_queued.fetch_add(1, Ordering::Relaxed);
                    room.send(Write::Reply(reply));
                }
                Err(_) => reply.told(Completion::NotKept),
            },
        }
    }

    async fn find(&self, id: CallId) -> Result<Vec<Record>, JournalError> {
        let found = self.shared().reads.records(id).await;
        found.map_err(|problem| JournalError::Store(problem.to_string()))
    }

    /// Answered by the writer: a call whose end is noted is not told.
    async fn open_calls(&self, device: &DeviceKey, max: usize) -> Result<Vec<Record>, JournalError> {
        let (done, read) = oneshot::channel();
        let listing = Listing { device: device.clone(), max, done };
        self.queue().send(Write::List(listing)).await.map_err(|_| closed())?;
        read.await.unwrap_or_else(|_| Err(closed()))
    }

    async fn last_place(&self) -> Result<i64, JournalError> {
        self.shared().reads.last_place().await.map_err(|problem| JournalError::Store(problem.to_string()))
    }

    async fn open_in_slot(
        &self,
        slot: u8,
        places: RangeInclusive<i64>,
        max: usize,
    ) -> Result<Vec<OpenCall>, JournalError> {
        // What was handed over before is written first; what was not can be read beside the writer.
        let (done, flushed) = oneshot::channel();
        self.queue().send(Write::Flush(done)).await.map_err(|_| closed())?;
        flushed.await.map_err(|_| closed())?;
        let found = self.shared().reads.open_in_slot(slot, places, max).await;
        found.map_err(|problem| JournalError::Store(problem.to_string()))
    }

    async fn taken_over(&self, places: &[i64], by: &str) -> Result<(), JournalError> {
        let mut side = self.shared().write.lock().await;
        let noted = take_over(&mut side, places, by).await;
        self.shared().ended(&mut side, noted.map_err(Stop::Failed))
    }
}

async fn take_over(side: &mut WriteSide, places: &[i64], by: &str) -> Result<(), Failure> {
    let mut tx = side.conn.begin().await?;
    tx.take_over(places, by, UnixMillis::now()).await?;
    tx.commit().await
}

impl Store {
    /// The records of the calls that a request made, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn find_request(&self, request_id: &str) -> Result<Vec<Record>, JournalError> {
        let found = self.shared().reads.records_of_request(request_id).await;
        found.map_err(|problem| JournalError::Store(problem.to_string()))
    }
}

#[async_trait]
impl Outbox for Store {
    /// Answered by the writer, after what was noted before: a command whose acknowledgement is noted is not told again.
    async fn unacknowledged(
        &self,
        device: &DeviceKey,
        after: Option<CallId>,
        max: usize,
    ) -> Result<Vec<Delivery>, JournalError> {
        let (done, read) = oneshot::channel();
        let reading = Reading { device: device.clone(), after, max, done };
        self.queue().send(Write::Read(reading)).await.map_err(|_| closed())?;
        read.await.unwrap_or_else(|_| Err(closed()))
    }

    fn acknowledged(&self, device: &DeviceKey, id: CallId) {
        let acked_at = Some(UnixMillis::now());
        self.hand_over((device.clone(), id), Noted { acked_at, ..Noted::default() });
    }
}

impl Store {
    /// Hands over what became of a call. Half of the queue is kept free of new calls for this, so it is full only when
    /// the disk stands still; what is lost then is counted, and told in the log ever more rarely.
    fn hand_over(&self, call: CallKey, noted: Noted) {
        if self.queue().try_send(Write::Note(call, Box::new(noted))).is_err() {
            self.shared().lose_notes(1, "the store is closed or its write queue is full");
        }
    }
}

fn closed() -> JournalError {
    JournalError::Store("the store is closed".to_owned())
}
