//! How a call ended badly, as data: log line, `explain` and whoever asks later are views of it.

use std::borrow::Cow;
use std::time::Duration;

use crate::{CallError, CallId, Executed, Outcome, TraceId, TransportKind, UnixMillis};

/// How far a call came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailedAt {
    /// The request's form, its signature, the caller's quota.
    Front,
    /// The checks against registry and thing model.
    Check,
    /// A plugin.
    Plugin,
    /// On the way to the device.
    Send,
    /// At the device: the command had left.
    Device,
    /// The device's answer.
    Answer,
}

impl FailedAt {
    /// The word in logs and in what `explain` tells.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Front => "front",
            Self::Check => "check",
            Self::Plugin => "plugin",
            Self::Send => "send",
            Self::Device => "device",
            Self::Answer => "answer",
        }
    }

    /// Where this failure of a call that was let in lies; `sent` says whether its command had left.
    pub const fn of(error: &CallError, sent: bool) -> Self {
        match error {
            CallError::UnknownProduct(_)
            | CallError::UnknownDevice(_)
            | CallError::UnknownIotId(_)
            | CallError::NoModel(_)
            | CallError::UnknownService(_)
            | CallError::DeviceDisabled(_)
            | CallError::InvalidArgs(_)
            | CallError::InvalidTopic(_)
            | CallError::TooLarge(_)
            | CallError::NotLookedUp(_) => Self::Check,
            CallError::Plugin { .. } | CallError::PluginSilent { .. } | CallError::Refused { .. } => Self::Plugin,
            CallError::Device { .. } | CallError::InvalidReply(_) => Self::Answer,
            CallError::WentOffline(_)
            | CallError::Timeout { .. }
            | CallError::TransportLost
            | CallError::CutOff(_)
            | CallError::LeaseLost(_) => Self::Device,
            CallError::Internal(_) | CallError::Cancelled { .. } if sent => Self::Device,
            CallError::Offline(_)
            | CallError::Expired { .. }
            | CallError::NotDelivered(_)
            | CallError::NotRecorded { .. }
            | CallError::TransportDown
            | CallError::Overloaded(_)
            | CallError::Draining
            | CallError::NoLease
            | CallError::Cancelled { .. }
            | CallError::Internal(_) => Self::Send,
        }
    }
}

/// A call that failed; or one that was slow, with the outcome `ok`. Made once, where the call ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// When it ended.
    pub at: UnixMillis,
    /// Names the request.
    pub request_id: String,
    /// The key that signed it, or what a refused request says that is: its `AccessKeyId`.
    pub key_id: Option<String>,
    /// The caller's `MessageId`, where the call got one.
    pub call_id: Option<CallId>,
    /// What the caller asked for, as fronts name it; empty where that is not known.
    pub action: Cow<'static, str>,
    /// The device, as far as it is known: PRODUCTKEY/DEVICENAME, or its IotId; of a refused request also its product alone.
    pub device: String,
    /// The service, as the caller named it.
    pub service: String,
    /// How it ended.
    pub outcome: Outcome,
    /// The public code, if the caller got one: none of a call that was only slow, or that the caller holds for answered
    /// or on its way.
    pub code: Option<Cow<'static, str>>,
    /// Whether the device may have executed it.
    pub executed: Executed,
    /// How far it came.
    pub stage: FailedAt,
    /// What the caller was told.
    pub text: String,
    /// What to check, beyond what the caller was told.
    pub hint: Option<String>,
    /// From its arrival to its end.
    pub elapsed: Duration,
    /// The way it went.
    pub transport: Option<TransportKind>,
    /// Who handled it, if not the built-in path.
    pub plugin: Option<String>,
    /// The trace that it is recorded in.
    pub trace_id: Option<TraceId>,
}
