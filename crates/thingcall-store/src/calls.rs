//! What is written down of asynchronous calls.

use std::borrow::Cow;

use thingcall_core::{
    CallId, DeviceKey, EndedCall, IotId, JournalEntry, KeptHop, Outcome, Qos, RecordState, ReplyBody, ServiceId,
    TransportKind, UnixMillis,
};

use crate::outbox::waits;

/// Names an open call.
pub(crate) type CallKey = (DeviceKey, CallId);

/// The key of an entry's record.
pub(crate) fn key_of(entry: &JournalEntry) -> CallKey {
    (entry.delivery.device.key.clone(), entry.delivery.id)
}

/// Why a new call was not written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotWritten {
    /// An open call of the device has its id.
    IdInUse,
    /// The device is not registered any more.
    NoDevice,
}

/// How far a call came, to be added to its record.
#[derive(Debug, Clone, Default)]
pub(crate) struct Progress<'a> {
    pub(crate) transport: Option<TransportKind>,
    pub(crate) sent_at: Option<UnixMillis>,
    pub(crate) acked_at: Option<UnixMillis>,
    pub(crate) end: Option<End<'a>>,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(crate) struct End<'a> {
    pub(crate) outcome: Outcome,
    pub(crate) at: UnixMillis,
    pub(crate) code: Option<i64>,
    pub(crate) message: Option<Cow<'a, str>>,
    pub(crate) data: Option<&'a str>,
}

/// What is noted of a call until it is written.
pub(crate) type Noted = Progress<'static>;

impl<'a> End<'a> {
    /// By an answer.
    pub(crate) fn answered(body: &'a ReplyBody, at: UnixMillis) -> Self {
        let message = body.message.as_deref().map(Cow::Borrowed);
        Self { outcome: body.outcome(), at, code: Some(body.code), message, data: Some(&body.data) }
    }
}

/// What a record says of its call.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) place: i64,
    pub(crate) iot_id: IotId,
    pub(crate) service: ServiceId,
    pub(crate) transport: Option<TransportKind>,
    /// Its command's way in its trace, and when that left.
    pub(crate) trace: Option<Box<(KeptHop, UnixMillis)>>,
}

impl Called {
    /// How it ended, for those who are told.
    pub(crate) fn ended(&self, (device, id): &CallKey, end: &End<'_>) -> EndedCall {
        let trace = self.trace.as_ref().map(|trace| trace.0.context.clone());
        EndedCall { trace, ..ended(self.place, (device, *id, &self.iot_id), &self.service, end) }
    }
}

/// A new call that has ended already, for those who are told.
pub(crate) fn ended_at_once(entry: &JournalEntry, at: UnixMillis) -> Option<EndedCall> {
    let delivery = &entry.delivery;
    let device = (&delivery.device.key, delivery.id, &delivery.device.iot_id);
    let trace = delivery.trace.as_ref().map(|hop| hop.context.clone());
    // Behind all that ended before.
    let ended = ended(i64::MAX, device, &delivery.service, &End::answered(entry.answer.as_ref()?, at));
    Some(EndedCall { trace, ..ended })
}

fn ended(
    place: i64,
    (device, id, iot_id): (&DeviceKey, CallId, &IotId),
    service: &ServiceId,
    end: &End<'_>,
) -> EndedCall {
    let answered = matches!(end.outcome, Outcome::Ok | Outcome::DeviceError);
    EndedCall {
        place,
        at: end.at,
        id,
        device: device.clone(),
        iot_id: iot_id.clone(),
        service: service.clone(),
        outcome: end.outcome,
        code: end.code.filter(|_| answered),
        message: end.message.as_deref().map(str::to_owned),
        data: end.data.filter(|_| answered).map(str::to_owned),
        trace: None,
        activated: true,
    }
}

/// A call that ended before, and that a reply may be for.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) seq: i64,
    pub(crate) device: DeviceKey,
    pub(crate) outcome: Option<Outcome>,
    pub(crate) ended_at: Option<UnixMillis>,
    pub(crate) code: Option<i64>,
    pub(crate) called: Called,
}

impl Progress<'_> {
    /// Adds what was noted later: the first time of each kind counts, and nothing after the end.
    pub(crate) fn join(&mut self, later: Self) {
        if self.end.is_some() {
            return;
        }
        self.transport = later.transport.or(self.transport);
        self.sent_at = self.sent_at.or(later.sent_at);
        self.acked_at = self.acked_at.or(later.acked_at);
        self.end = later.end;
    }

    /// Whether a command that waited does so no more.
    pub(crate) const fn leaves_outbox(&self) -> bool {
        !waits(Qos::AtLeastOnce, self.state(), self.transport)
    }

    pub(crate) const fn state(&self) -> RecordState {
        match self {
            Self { end: Some(_), .. } => RecordState::Ended,
            Self { acked_at: Some(_), .. } => RecordState::Acked,
            Self { sent_at: Some(_), .. } => RecordState::Sent,
            _ => RecordState::Queued,
        }
    }
}

impl Candidate {
    /// Whether a reply ended it.
    pub(crate) fn answered(&self) -> bool {
        self.outcome
            .is_some_and(|outcome| [Outcome::Ok, Outcome::DeviceError, Outcome::InvalidReply].contains(&outcome))
    }
}
