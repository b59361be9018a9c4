//! What the writer is asked to do, and who waits for it.

use thingcall_core::{CallId, Delivery, DeviceKey, JournalEntry, JournalError, Record, UnwrittenReply};
use tokio::sync::oneshot;

use crate::calls::{CallKey, Noted};
use crate::failure::{Failure, Stop};
use crate::shared::{Shared, WriteSide};

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Write {
    /// Write a new call down.
    Open(Box<Opening>),
    /// Add to a call's record.
    Note(CallKey, Box<Noted>),
    /// End the call this reply answers.
    Reply(Box<dyn UnwrittenReply>),
    /// Say which commands wait.
    Read(Reading),
    /// Say which calls have not ended.
    List(Listing),
    /// Say when everything before is durable.
    Flush(oneshot::Sender<()>),
}

/// A new call, and who waits for it to be durable.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) entry: JournalEntry,
    pub(crate) done: oneshot::Sender<Result<(), JournalError>>,
}

/// A question for a device's waiting commands, and who asks.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) device: DeviceKey,
    pub(crate) after: Option<CallId>,
    pub(crate) max: usize,
    pub(crate) done: oneshot::Sender<Result<Vec<Delivery>, JournalError>>,
}

/// A question for a device's open calls, and who asks.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) device: DeviceKey,
    pub(crate) max: usize,
    pub(crate) done: oneshot::Sender<Result<Vec<Record>, JournalError>>,
}

impl Reading {
    pub(super) async fn answer(self, shared: &Shared, side: &mut WriteSide) {
        // What other servers accepted is not counted here.
        let waits = shared.reads.is_shared() || side.waiting.of(&self.device) > 0;
        let found = if waits { self.read(side).await } else { Ok(Vec::new()) };
        // Who asked may have gone.
        let _gone = self.done.send(shared.ended(side, found.map_err(Stop::Failed)));
    }

    async fn read(&self, side: &mut WriteSide) -> Result<Vec<Delivery>, Failure> {
        match side.conn.device(&self.device).await? {
            Some(entry) => side.conn.waiting_for(&entry.device, self.after, self.max).await,
            None => Ok(Vec::new()),
        }
    }
}

impl Listing {
    pub(super) async fn answer(self, shared: &Shared, side: &mut WriteSide) {
        let found = side.conn.open_calls(&self.device, self.max).await;
        // Who asked may have gone.
        let _gone = self.done.send(shared.ended(side, found.map_err(Stop::Failed)));
    }
}
