//! The nouns of a call and the seams between the parts of thingcall.
//!
//! Read in this order: what names things ([`DeviceKey`], [`ServiceId`], [`CallId`]), what a caller asks ([`Request`]) and what it becomes
//! once checked ([`Call`]), what goes to a device ([`Delivery`]) and what comes back ([`Reply`]), how a call can end
//! ([`Outcome`], [`CallError`]), and the traits behind which the parts live: [`Handler`], [`Handlers`], [`Codec`],
//! [`DeviceLink`], [`Transport`], [`ReplySink`], [`Journal`], [`Outbox`], [`Credentials`], [`PresenceSink`], [`Keys`],
//! [`Leases`], [`CallRecords`], [`AuditLog`], [`MessageLog`], [`OnceTokens`], [`Tracer`], [`SharedNonces`], [`SharedQuota`],
//! [`Subscriptions`], [`Consumers`].
//!
//! Beside them, what all parts say alike: what is wrong with a configuration ([`Problem`]), what readiness is made of
//! ([`Conditions`]), and how a peer's text gets into a log line ([`PeerText`]).
//!
//! **Invariant:** no runtime, no JSON, no I/O. Whoever depends on this crate gets types and nothing that runs by itself.

mod ids;
mod look_up;
mod slots;
mod time;

mod device;
mod device_events;

mod broadcast;
mod call;
mod call_record;
mod delivery;
mod dropped;
mod letter;
mod malformed;
mod repair;
mod reply;
mod reply_sink;

mod enrolment;
mod error;
mod failure;
mod fleet;
mod no_journal;
mod no_messages;
mod outcome;
mod past;

mod conditions;
mod peer_text;
mod problem;

mod access;
mod allowed;
mod arrival;
mod audit;
mod consumers;
mod handler;
mod hop;
mod journal;
mod kept_call;
mod leases;
mod message_filter;
mod messages;
mod once;
mod posts;
mod refusals;
mod reports;
mod results;
mod shared;
mod sheet;
mod span;
mod subscriptions;
mod telling;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
mod trace;
mod traced;
mod transport;
mod transport_name;

pub use access::{AccessKey, Keys, RecordedKey, ResultShape, Secret, Temporary};
pub use allowed::{AllowList, BadRule, Rule, Target};
pub use arrival::{Arrival, Owed, Receipt, Unawaited};
pub use audit::{
    AUDIT_DONE, AUDIT_NAMES, AuditDoor, AuditEntry, AuditFilter, AuditKept, AuditLog, NoAuditLog, audit_target,
    only_reads,
};
pub use broadcast::{Broadcast, BroadcastOrder, BroadcastTo};
pub use call::{Args, Asks, Call, CallMode, Qos, Request};
pub use call_record::{CallRecord, CallStep, CallTimes, KeptCalls, LateAnswer, RecordedDevice, RecordedService};
pub use conditions::{Condition, ConditionState, Conditions, Weight};
pub use consumers::{Consumer, Consumers, Consumption, NoConsumers, PerMinute};
pub use delivery::Delivery;
pub use device::{
    Credentials, Device, DeviceCredential, DeviceKey, DeviceRef, Login, Presence, PresenceSink, SyncTopic,
};
pub use device_events::{DeviceEvent, DeviceWatch, Happened, Seen};
pub use dropped::{DropReason, Dropped};
pub use enrolment::{Enrolled, Enrolment, EnrolsFor, NotEnrolled, Registrar};
pub use error::{CallError, ErrorCode};
pub use failure::{FailedAt, Failure};
pub use fleet::{
    FleetCall, FleetCallId, FleetCalls, FleetDevice, FleetEnd, FleetError, FleetLimits, FleetMark, FleetOrder,
    FleetOutcome, FleetState, Part,
};
pub use handler::{Answer, BuiltInOnly, Codec, CodecError, Command, Decoded, DeviceLink, Handler, Handlers};
pub use hop::{Hop, KeptHop};
pub use ids::{CallId, DeviceName, Identifier, InvalidId, IotId, ModuleId, ProductKey, RequestId, ServiceId};
pub use journal::{
    Completion, Ending, Journal, JournalEntry, JournalError, OpenCall, Outbox, Record, RecordState, TakenOver,
    UnwrittenReply,
};
pub use kept_call::{
    CallFilter, CallOrder, CallPlace, CallPlaces, CallRecords, CallSource, KeptCall, KeptLate, NoRecords, ServiceCalls,
};
pub use leases::{Instance, Lease, LeaseError, Leases, LoadedPlugin, Renewal, SlotState};
pub use letter::{Extras, Letter, LetterTo, Takes};
pub use look_up::{LookUp, LookUpFailed, LookedUp};
pub use malformed::MalformedReply;
pub use message_filter::MessageFilter;
pub use messages::{
    GivenBack, LifeCycle, Message, MessageId, MessageKind, MessageKinds, MessageLog, MessageWords, NewMessage,
    ReaderName, Standing, StatusChange, Taken, Wanted, Words,
};
pub use no_journal::NoJournal;
pub use no_messages::NoMessages;
pub use once::{Claimed, OnceClaim, OnceEnd, OnceError, OnceKept, OnceKey, OnceState, OnceTokens};
pub use outcome::{Executed, Outcome};
pub use past::{First, Past, PastKind, PastWanted};
pub use peer_text::{PEER_TEXT_CHARS_MAX, PeerText};
pub use posts::{Post, PostAnswer, PostEcho, PostKind, Said, Series, Tag, Told, Value};
pub use problem::{Check, Problem, Problems, Section};
pub use refusals::Refusals;
pub use repair::{Repair, Repairs};
pub use reply::{RawReply, Reply, ReplyBody, ReplyIds};
pub use reply_sink::{HeardOnce, ReplySink};
pub use reports::{EventItem, Item, LastValue, LastValues, Misfit, Report, ReportWords};
pub use results::EndedCall;
pub use shared::{Grant, NonceUse, NonceVerdict, SharedError, SharedNonces, SharedQuota, Want};
pub use sheet::{ActionGroup, ActionSheet, Bilingual, Need, ParamKind, ParamSheet, both};
pub use slots::Slots;
pub use span::{Fact, Span, SpanKind};
pub use subscriptions::{
    ConsumerGroup, GroupId, Subscription, SubscriptionChange, SubscriptionError, SubscriptionLimits, Subscriptions,
    Topic,
};
pub use telling::Telling;
pub use time::{Deadline, UnixMillis};
pub use trace::{SpanId, TRACE_PARENT, TRACE_STATE, TRACE_STATE_BYTES_MAX, TraceContext, TraceId};
pub use traced::{Begins, Part as TracedPart, TRACE_SPANS_MAX, Traced, Tracer};
pub use transport::{DeliverError, NotBroadcast, NotCarried, Sent, Transport, TransportKind};
pub use transport_name::{NotAName, TransportName};
