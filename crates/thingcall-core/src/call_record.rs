//! Records of calls that have ended, beside the journal of asynchronous ones.
//!
//! **Invariant:** a record is made of what its call has anyway: shared names and numbers. Texts are made where it is written.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use enum_map::{Enum, EnumMap};
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{
    Args, CallId, CallMode, Device, DeviceRef, Executed, FailedAt, Letter, MalformedReply, Outcome, RecordedKey,
    ReplyBody, RequestId, ServiceId, TraceId, TransportKind, UnixMillis,
};

/// Which calls that are not in the journal are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeptCalls {
    /// All.
    All,
    /// Those that failed, and requests that were refused. Asynchronous calls are in the journal.
    #[default]
    FailedAndAsync,
    /// None.
    None,
}

impl KeptCalls {
    /// Whether a call that ended so is kept.
    pub const fn keeps(self, outcome: Outcome) -> bool {
        match self {
            Self::All => true,
            Self::FailedAndAsync => !matches!(outcome, Outcome::Ok),
            Self::None => false,
        }
    }
}

/// A step of a call after its request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enum, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "camelCase")]
pub enum CallStep {
    /// Its device, service and arguments were found to be right.
    Checked,
    /// A plugin got it.
    HandlerBegan,
    /// Its device, which gets one call at a time, was free for it.
    Turn,
    /// Its command was handed to the broker, or to the device's connection.
    Sent,
    /// The broker or the device acknowledged the command.
    Acked,
    /// The device's answer came.
    Answered,
    /// The plugin was done with it.
    HandlerEnded,
    /// Its end was known and on its way to the caller.
    Told,
}

impl CallStep {
    /// The word in records.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// When the steps of a call were, in microseconds since its request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CallTimes(EnumMap<CallStep, Option<u64>>);

impl CallTimes {
    /// A step was so long after the request came.
    pub fn set(&mut self, step: CallStep, after: Duration) {
        self.0[step] = Some(u64::try_from(after.as_micros()).unwrap_or(u64::MAX));
    }

    /// The same, in microseconds.
    pub fn set_micros(&mut self, step: CallStep, after: u64) {
        self.0[step] = Some(after);
    }

    /// When a step was, if it was.
    pub fn get(&self, step: CallStep) -> Option<u64> {
        self.0[step]
    }

    /// The steps that were, in the order in which they happened.
    pub fn steps(&self) -> Vec<(CallStep, u64)> {
        let mut steps: Vec<_> = self.0.iter().filter_map(|(step, at)| Some((step, (*at)?))).collect();
        steps.sort_by_key(|(step, at)| (*at, *step));
        steps
    }
}

/// A device as far as a call came to know it.
#[derive(Debug, Clone)]
pub enum RecordedDevice {
    /// It is registered.
    Known(Arc<Device>),
    /// It was asked for.
    Asked(DeviceRef),
    /// What a refused request said of it.
    Said(String),
}

/// A service as far as a call came to know it.
#[derive(Debug, Clone)]
pub enum RecordedService {
    /// By its name.
    Named(ServiceId),
    /// What a refused request said of it.
    Said(String),
}

/// A call that ended, on its way to be written down.
#[derive(Debug)]
pub struct CallRecord {
    /// Names the request.
    pub request_id: RequestId,
    /// What the caller asked for, as fronts name it; empty where that is not known.
    pub action: Cow<'static, str>,
    /// The caller's `MessageId`, where the call got one.
    pub call_id: Option<CallId>,
    /// The device.
    pub device: RecordedDevice,
    /// The service.
    pub service: RecordedService,
    /// The key, if there is one.
    pub key: Option<RecordedKey>,
    /// Who waited, where that was known.
    pub mode: Option<CallMode>,
    /// How it ended.
    pub outcome: Outcome,
    /// The public code, if the caller got one.
    pub code: Option<Cow<'static, str>>,
    /// Whether the device executed it.
    pub executed: Executed,
    /// How far it came.
    pub stage: FailedAt,
    /// The way it went.
    pub transport: Option<TransportKind>,
    /// Who handled it, if not the built-in path.
    pub plugin: Option<String>,
    /// What the caller was told, where it failed.
    pub text: String,
    /// What to check beyond that.
    pub hint: Option<String>,
    /// When its request came.
    pub accepted_at: UnixMillis,
    /// What happened when after that.
    pub times: CallTimes,
    /// The arguments.
    pub args: Option<Args>,
    /// The message that it was in place of a service's call.
    pub letter: Option<Arc<Letter>>,
    /// The answer.
    pub reply: Option<ReplyBody>,
    /// The bytes that the device answered a letter with.
    pub said: Option<Bytes>,
    /// The trace that it is recorded in.
    pub trace_id: Option<TraceId>,
}

/// What a device answered when its call had ended without an answer: at its deadline, or by an operator.
#[derive(Debug, Clone)]
pub struct LateAnswer {
    /// Names the request.
    pub request_id: RequestId,
    /// The call's id, its caller's `MessageId`.
    pub call_id: CallId,
    /// When it came.
    pub at: UnixMillis,
    /// So long after the end of its call.
    pub after_end: Duration,
    /// What it says, or why that cannot be read.
    pub answer: Result<ReplyBody, MalformedReply>,
}
