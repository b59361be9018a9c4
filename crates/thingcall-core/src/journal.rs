//! The seam between the engine and the record of asynchronous calls.

use std::fmt;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    CallId, CallTimes, Delivery, Device, DeviceKey, KeptHop, Outcome, RecordedKey, Reply, ReplyBody, RequestId, Sent,
    ServiceId, TransportKind, UnixMillis,
};

/// Keeps the asynchronous calls: what was asked, how far it came, what the device answered.
///
/// What is handed over takes effect in the order in which it was, and what cannot be written now is written later, in one
/// go with whatever waits by then.
///
/// ```
/// use thingcall_core::{
///     CallTimes, Completion, Delivery, Ending, Journal, JournalEntry, JournalError, Reply, RequestId, Sent, TransportKind,
///     UnixMillis, UnwrittenReply,
/// };
///
/// /// Written down before it leaves: from here on it survives a crash.
/// async fn post(journal: &dyn Journal, delivery: Delivery) -> Result<(), JournalError> {
///     let (device, id) = (delivery.device.key.clone(), delivery.id);
///     let (request_id, accepted_at, times) = (RequestId::random(), UnixMillis::now(), CallTimes::default());
///     let entry = JournalEntry { delivery, answer: None, request_id, action: "", key: None, accepted_at, times };
///     journal.open(entry).await?;
///     // A transport takes it here.
///     journal.note(&device, id, TransportKind::Embedded, Sent::Sent);
///     Ok(())
/// }
///
/// /// The device's answer, which ends the call once it is written.
/// struct Answered(Reply);
///
/// impl UnwrittenReply for Answered {
///     fn reply(&self) -> &Reply {
///         &self.0
///     }
///
///     fn told(self: Box<Self>, did: Completion) {
///         assert_ne!(did, Completion::NotKept, "there was room");
///     }
/// }
///
/// fn accept(journal: &dyn Journal, reply: Reply) {
///     journal.end(Ending::Replied(Box::new(Answered(reply))));
/// }
/// ```
///
/// A journal of one's own is held to all of this by `testing::assert_journal`, with the feature `testing`.
#[async_trait]
pub trait Journal: Send + Sync {
    /// Writes a call down, with its end where it has one. When it returns, the call survives a crash.
    ///
    /// # Errors
    /// [`JournalError::IdInUse`] if an open call of this device has this id: take another.
    async fn open(&self, entry: JournalEntry) -> Result<(), JournalError>;

    /// Notes how far an open call came, and the way it went. Does not wait for the disk.
    fn note(&self, device: &DeviceKey, id: CallId, transport: TransportKind, how: Sent);

    /// Ends an open call. Does not wait for the disk.
    fn end(&self, ending: Ending);

    /// The records with this id, newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn find(&self, id: CallId) -> Result<Vec<Record>, JournalError>;

    /// The calls to a device that have not ended, oldest first, at most `max`; after everything that was handed over
    /// before. Those that a plugin answers are not among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn open_calls(&self, device: &DeviceKey, max: usize) -> Result<Vec<Record>, JournalError>;

    /// The place of the newest record; whatever is accepted from now on has a later one. 0 where there is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn last_place(&self) -> Result<i64, JournalError>;

    /// The calls with ids in a slot that have not ended and stand at these places, oldest first, at most `max`; after
    /// everything that was handed over before. Those that a plugin answers are not among them.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn open_in_slot(
        &self,
        slot: u8,
        places: RangeInclusive<i64>,
        max: usize,
    ) -> Result<Vec<OpenCall>, JournalError>;

    /// Notes on the records at these places that `by` brings their calls on, in place of who accepted them.
    ///
    /// # Errors
    /// When the store cannot be written.
    async fn taken_over(&self, places: &[i64], by: &str) -> Result<(), JournalError>;
}

/// The part of the journal a broker needs: the QoS 1 commands a device has not acknowledged.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The oldest unacknowledged QoS 1 commands of a device that come after the command `after` in the order they
    /// were accepted; from the first one if `None`. At most `max`. Fails if the store cannot be read.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn unacknowledged(
        &self,
        device: &DeviceKey,
        after: Option<CallId>,
        max: usize,
    ) -> Result<Vec<Delivery>, JournalError>;

    /// The device acknowledged the command. Does not wait for the disk.
    fn acknowledged(&self, device: &DeviceKey, id: CallId);
}

/// An asynchronous call to be written down.
#[derive(Debug, Clone)]
pub struct JournalEntry {
    /// The command.
    pub delivery: Delivery,
    /// What a handler answered in the device's place: the call has ended so, and its command goes nowhere.
    pub answer: Option<ReplyBody>,
    /// The request it came from.
    pub request_id: RequestId,
    /// What the caller asked for it, as fronts name it; empty where there is no such word.
    pub action: &'static str,
    /// The key that signed it.
    pub key: Option<RecordedKey>,
    /// When its request came.
    pub accepted_at: UnixMillis,
    /// What happened since, before it is written down.
    pub times: CallTimes,
}

/// How an open call ends.
#[derive(Debug)]
pub enum Ending {
    /// It cannot reach its device, or is given up.
    Failed {
        /// The device.
        device: DeviceKey,
        /// The call.
        id: CallId,
        /// How it ended.
        outcome: Outcome,
        /// Why, for its record.
        why: String,
    },
    /// A device answered.
    Replied(Box<dyn UnwrittenReply>),
}

/// A device's answer on its way into the journal. It is kept until it is written, so whoever hands replies over bounds how
/// many are on their way; dropped without a word, it was not written when the journal closed.
pub trait UnwrittenReply: Send + Sync {
    /// The answer.
    fn reply(&self) -> &Reply;

    /// It is written; this is what it did. Called once, by whoever writes: it must not wait.
    fn told(self: Box<Self>, did: Completion);
}

impl fmt::Debug for dyn UnwrittenReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.reply(), f)
    }
}

/// What a reply did in the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Completion {
    /// Nothing: there was no room for it, and it is written nowhere.
    NotKept,
    /// It ended this call.
    Matched {
        /// How the call ended: `ok` or `device_error`, or `invalid_reply`.
        outcome: Outcome,
        /// The service called, for checks of the reply.
        service: ServiceId,
        /// The way the command went.
        transport: TransportKind,
        /// That way in its trace, and when it left.
        trace: Option<Box<(KeptHop, UnixMillis)>>,
    },
    /// The call had its answer already.
    Duplicate,
    /// The call ended otherwise before.
    Late,
    /// The call was made to another device.
    WrongDevice,
    /// No call has this id.
    Unknown,
}

/// How far an asynchronous call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RecordState {
    /// Written down; at QoS 1 it waits for the device.
    Queued,
    /// It left towards the device.
    Sent,
    /// The device acknowledged the message.
    Acked,
    /// It ended.
    Ended,
}

impl RecordState {
    /// The word in records.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Sent => "sent",
            Self::Acked => "acked",
            Self::Ended => "ended",
        }
    }
}

/// What the journal knows of one asynchronous call.
#[derive(Debug, Clone)]
pub struct Record {
    /// The call's id.
    pub id: CallId,
    /// The request it came from.
    pub request_id: String,
    /// What the caller asked for it, as fronts name it.
    pub action: Option<String>,
    /// The key that signed it: its `AccessKeyId`.
    pub key_id: Option<String>,
    /// The device.
    pub device: Device,
    /// The service.
    pub service: ServiceId,
    /// The parameters sent.
    pub params: String,
    /// 0 or 1.
    pub qos: u8,
    /// How far it came.
    pub state: RecordState,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The way it went.
    pub transport: Option<TransportKind>,
    /// The device's code.
    pub code: Option<i64>,
    /// The device's words, or why it failed.
    pub message: Option<String>,
    /// The device's data.
    pub data: Option<String>,
    /// When its request came.
    pub accepted_at: UnixMillis,
    /// What happened since, before it was written down.
    pub times: CallTimes,
    /// When it left.
    pub sent_at: Option<UnixMillis>,
    /// When the device acknowledged it.
    pub acked_at: Option<UnixMillis>,
    /// When it ended.
    pub ended_at: Option<UnixMillis>,
    /// Who brought it on, if not who accepted it.
    pub taken_over: Option<TakenOver>,
    /// Its command's way to the device, in its trace.
    pub trace: Option<KeptHop>,
}

/// A call that has not ended, for who brings it on in place of whoever accepted it.
#[derive(Debug, Clone)]
pub struct OpenCall {
    /// Its place in the journal: the order in which calls were accepted, of one instance at least.
    pub place: i64,
    /// What is known of it.
    pub record: Record,
    /// What its device gets in place of the Alink request, where it speaks its own bytes.
    pub raw: Option<Bytes>,
}

/// Who brought a call on in place of whoever accepted it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakenOver {
    /// The instance's name.
    pub by: String,
    /// When it did.
    pub at: UnixMillis,
}

/// Why the journal refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// An open call of this device has this id.
    #[error("an open call has this id")]
    IdInUse,
    /// The device has as many waiting commands as it may.
    #[error("{0} commands wait for the device already")]
    DeviceFull(usize),
    /// The write queue is full, or the outbox of all devices together.
    #[error("{0} records wait already")]
    QueueFull(usize),
    /// There are as many readers of messages as may be.
    #[error("there are {max} readers of messages of this kind, which is as many as may be ({setting})")]
    ReadersFull {
        /// What says how many there may be.
        setting: &'static str,
        /// How many that is.
        max: usize,
    },
    /// The store cannot be written. The text is for callers too.
    #[error("{why}")]
    Unwritable {
        /// Why, such as "the store is full".
        why: String,
        /// Whether what was refused may be found written after a crash: the disk did not say what it had kept.
        in_doubt: bool,
    },
    /// The store failed; the text is for logs.
    #[error("store: {0}")]
    Store(String),
}
