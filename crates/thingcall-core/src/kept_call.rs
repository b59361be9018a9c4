//! Calls of the journal and of the records of calls as whoever looks for them sees them, and the seam to who keeps them.

use std::time::Duration;

use async_trait::async_trait;

use crate::{
    CallId, CallMode, CallRecord, CallStep, CallTimes, DeviceKey, Executed, JournalError, KeptCalls, LateAnswer,
    Outcome, ProductKey, Record, RecordState, ServiceId, TransportKind, UnixMillis,
};

/// Where a call is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CallSource {
    /// In the journal: an asynchronous call.
    Journal,
    /// Among the records of calls.
    Records,
}

/// A call that was found.
#[derive(Debug, Clone)]
pub struct KeptCall {
    /// Where it is kept.
    pub source: CallSource,
    /// Its place there; later ones are greater.
    pub place: i64,
    /// Names the request.
    pub request_id: String,
    /// The caller's `MessageId`, where the call got one.
    pub call_id: Option<CallId>,
    /// What the caller asked for, as fronts name it.
    pub action: Option<String>,
    /// PRODUCTKEY/DEVICENAME, an IotId, or a product alone; empty where none is known.
    pub device: String,
    /// The service; empty where it is not known.
    pub service: String,
    /// The key's `AccessKeyId`.
    pub key_id: Option<String>,
    /// `sync` or `async`.
    pub mode: Option<String>,
    /// How far an asynchronous call came that has not ended.
    pub state: Option<RecordState>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// The public code, if the caller got one.
    pub code: Option<String>,
    /// `no`, `maybe` or `yes`.
    pub executed: Option<String>,
    /// How far it came.
    pub stage: Option<String>,
    /// The way it went.
    pub transport: Option<String>,
    /// Who handled it, if not the built-in path.
    pub plugin: Option<String>,
    /// Who took it, among the servers that share the store.
    pub instance: Option<String>,
    /// What the caller was told, where it failed.
    pub text: Option<String>,
    /// What to check beyond that.
    pub hint: Option<String>,
    /// When its request came.
    pub accepted_at: UnixMillis,
    /// What happened when after that.
    pub times: CallTimes,
    /// The arguments, as far as they are kept.
    pub args: Option<String>,
    /// The code in the device's answer.
    pub reply_code: Option<i64>,
    /// Its data, as far as they are kept.
    pub data: Option<String>,
    /// What the device answered after the end.
    pub late: Option<KeptLate>,
    /// The trace that it is recorded in, as tracing systems write its id.
    pub trace_id: Option<String>,
}

/// An answer that came too late.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptLate {
    /// When it came.
    pub at: UnixMillis,
    /// So long after the end of its call.
    pub after_end: Duration,
    /// Its code; none if it cannot be read.
    pub code: Option<i64>,
    /// The device's words, or why it cannot be read.
    pub message: Option<String>,
    /// Its data, as far as they are kept.
    pub data: Option<String>,
}

impl KeptCall {
    /// A call of the journal.
    pub fn of_journal(place: i64, record: Record) -> Self {
        let mut times = record.times;
        // Those are in whole milliseconds: they may seem to be before what is known better.
        let floor = times.steps().last().map_or(0, |(_, at)| *at);
        let since =
            |at: UnixMillis| (u64::try_from(at.0.saturating_sub(record.accepted_at.0)).unwrap_or(0) * 1000).max(floor);
        let by_plugin = record.transport == Some(TransportKind::Plugin);
        let answered = matches!(record.outcome, Some(Outcome::Ok | Outcome::DeviceError | Outcome::InvalidReply));
        let ended = if answered && !by_plugin { CallStep::Answered } else { CallStep::Told };
        let steps = [
            (CallStep::Sent, record.sent_at.filter(|_| !by_plugin)),
            (CallStep::Acked, record.acked_at),
            (ended, record.ended_at),
        ];
        for (step, at) in steps {
            if let Some(at) = at {
                times.set_micros(step, since(at));
            }
        }
        let executed = match (answered, record.sent_at) {
            (true, _) => Executed::Yes,
            (false, Some(_)) => Executed::Maybe,
            (false, None) => Executed::No,
        };
        Self {
            source: CallSource::Journal,
            place,
            call_id: Some(record.id),
            action: record.action,
            device: record.device.key.to_string(),
            service: record.service.to_string(),
            key_id: record.key_id,
            mode: Some(CallMode::Async.as_str().to_owned()),
            state: (record.state != RecordState::Ended).then_some(record.state),
            outcome: record.outcome,
            code: None,
            executed: record.outcome.map(|_| executed.as_str().to_owned()),
            stage: None,
            transport: record.transport.map(|transport| transport.as_str().to_owned()),
            plugin: None,
            instance: record.taken_over.map(|taken| taken.by),
            text: record.message,
            hint: None,
            accepted_at: record.accepted_at,
            times,
            args: Some(record.params),
            reply_code: record.code,
            data: record.data,
            late: None,
            trace_id: record.trace.filter(|hop| hop.context.is_sampled).map(|hop| hop.context.trace_id.to_string()),
            request_id: record.request_id,
        }
    }
}

/// Which calls are looked for. What is `None` is not looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CallFilter {
    /// To this device.
    pub device: Option<DeviceKey>,
    /// To a device of this product, or to all of them.
    pub product: Option<ProductKey>,
    /// Asked for by this action.
    pub action: Option<String>,
    /// Of this service: `Identifier`, or `module:Identifier`.
    pub service: Option<ServiceId>,
    /// Ended so.
    pub outcome: Option<Outcome>,
    /// Signed with this key.
    pub key_id: Option<String>,
    /// With this `MessageId`.
    pub call_id: Option<CallId>,
    /// Of this request.
    pub request_id: Option<String>,
    /// That have not ended: asynchronous ones.
    pub only_open: bool,
    /// Their requests came then or later.
    pub since: Option<UnixMillis>,
    /// Their requests came then or before.
    pub until: Option<UnixMillis>,
    /// At these places of the journal; anywhere if there is none.
    pub journal_places: Vec<i64>,
}

/// How far calls were looked at, in the journal and among the records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallPlaces {
    /// The place in the journal.
    pub journal: i64,
    /// The place among the records.
    pub records: i64,
}

impl CallPlaces {
    /// Behind all there are.
    pub const END: Self = Self { journal: i64::MAX, records: i64::MAX };

    /// The place of one kind.
    pub const fn of(self, source: CallSource) -> i64 {
        match source {
            CallSource::Journal => self.journal,
            CallSource::Records => self.records,
        }
    }

    /// The same, once this call was looked at.
    pub const fn at(self, call: &KeptCall) -> Self {
        match call.source {
            CallSource::Journal => Self { journal: call.place, ..self },
            CallSource::Records => Self { records: call.place, ..self },
        }
    }

    /// So many places before.
    #[must_use]
    pub fn back(self, places: i64) -> Self {
        let back = |place: i64| place.saturating_sub(places).max(0);
        Self { journal: back(self.journal), records: back(self.records) }
    }

    /// The later place of each kind.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { journal: self.journal.max(other.journal), records: self.records.max(other.records) }
    }
}

/// Which way calls are looked through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallOrder {
    /// Those before the places, newest first.
    NewestFirst,
    /// Those behind the places, oldest first.
    OldestFirst,
}

/// A call's place in the order of times.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct CallPlace {
    /// When its request came.
    pub at: UnixMillis,
    /// Where it is kept.
    pub source: CallSource,
    /// Its place there.
    pub place: i64,
}

/// The calls of a device's services in a time, those of which a `MessageId` was told; not what set its properties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceCalls {
    /// The device.
    pub device: DeviceKey,
    /// Of this service.
    pub service: Option<ServiceId>,
    /// Their requests came then or later.
    pub since: UnixMillis,
    /// Their requests came then or before.
    pub until: UnixMillis,
    /// Which come first.
    pub order: CallOrder,
    /// Those that come after this one in that order.
    pub behind: Option<CallPlace>,
}

/// Keeps records of calls that have ended.
///
/// What is put is written within a second, in batches, off the path of whoever puts it.
#[async_trait]
pub trait CallRecords: Send + Sync {
    /// Which calls are kept: those that are not need not be put.
    fn kept(&self) -> KeptCalls;

    /// Takes the record of a call. Never waits; where there is no room it is counted and left out.
    fn put(&self, record: CallRecord);

    /// The same of a request that whoever reaches the front can make, as often as it likes: a few of them a minute are kept.
    fn put_refused(&self, record: CallRecord);

    /// Adds an answer to the record of its call, where that is kept. Never waits, as [`Self::put`].
    fn put_late(&self, late: LateAnswer);

    /// Calls of journal and records, so many at most. Each kind in its own order; both in the order of their times, about.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn calls(
        &self,
        filter: &CallFilter,
        from: (CallOrder, CallPlaces),
        max: usize,
    ) -> Result<Vec<KeptCall>, JournalError>;

    /// So many calls of a device's services, in the order of their times.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn service_calls(&self, calls: &ServiceCalls, max: usize) -> Result<Vec<KeptCall>, JournalError>;

    /// The places of the newest of both kinds.
    ///
    /// # Errors
    /// When the store cannot be read.
    async fn newest_calls(&self) -> Result<CallPlaces, JournalError>;
}

/// Keeps no records.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoRecords;

#[async_trait]
impl CallRecords for NoRecords {
    fn kept(&self) -> KeptCalls {
        KeptCalls::None
    }

    fn put(&self, _: CallRecord) {}

    fn put_refused(&self, _: CallRecord) {}

    fn put_late(&self, _: LateAnswer) {}

    async fn calls(&self, _: &CallFilter, _: (CallOrder, CallPlaces), _: usize) -> Result<Vec<KeptCall>, JournalError> {
        Ok(Vec::new())
    }

    async fn newest_calls(&self) -> Result<CallPlaces, JournalError> {
        Ok(CallPlaces { journal: 0, records: 0 })
    }

    async fn service_calls(&self, _: &ServiceCalls, _: usize) -> Result<Vec<KeptCall>, JournalError> {
        Ok(Vec::new())
    }
}
