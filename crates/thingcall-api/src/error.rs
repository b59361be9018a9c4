//! Failures of the service: the request was let in, the action failed. HTTP 200 with `Success=false`.
//!
//! **Invariant:** never HTTP 5xx for what a device or a model does wrong: some SDKs send such a request again, and the
//! device would act twice. What the caller reads never names a broker, a file or a statement.

use std::borrow::Cow;

use thingcall_core::{CallError, ErrorCode, Executed, InvalidId, JournalError, Outcome, SubscriptionError};
use thingcall_tsl::DirectoryError;

use crate::gateway::GatewayError;
use crate::node::Fields;

/// Why an action failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ActionError {
    /// A parameter that every such action needs is not there, or the quota is used up.
    Gateway(GatewayError),
    /// Everything else.
    Service(ServiceFailure),
}

/// What the caller reads and the operator counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServiceFailure {
    /// The public code.
    pub(crate) code: ErrorCode,
    /// For logs and counts.
    pub(crate) outcome: Outcome,
    /// Whether a device may have done it.
    pub(crate) executed: Executed,
    /// What was wrong and what would be right.
    pub(crate) text: String,
    /// What the answer has beside that.
    pub(crate) data: Option<Fields>,
}

impl ActionError {
    /// A failure before any device was called.
    pub(crate) fn service(code: ErrorCode, outcome: Outcome, text: impl Into<String>) -> Self {
        Self::Service(ServiceFailure { code, outcome, executed: Executed::No, text: text.into(), data: None })
    }

    /// A call that failed for this reason, where others with it may have been executed.
    pub(crate) fn partly(why: &CallError, text: String) -> Self {
        let (code, outcome) = (why.code(), why.outcome());
        Self::Service(ServiceFailure { code, outcome, executed: Executed::Maybe, text, data: None })
    }

    /// The same, with what the answer has as `Data`.
    pub(crate) fn with_data(mut self, data: Fields) -> Self {
        if let Self::Service(failure) = &mut self {
            failure.data = Some(data);
        }
        self
    }

    /// A parameter that is not allowed to be so.
    pub(crate) fn illegal(text: impl Into<String>) -> Self {
        Self::service(ErrorCode::IllegalRequest, Outcome::InvalidArgs, text)
    }

    /// A parameter with a value that is not one of those that may be.
    pub(crate) fn wrong(name: &str, given: &str, right: &str) -> Self {
        Self::illegal(wrong(name, given, right))
    }

    /// A name in a parameter that is none.
    pub(crate) fn malformed(code: ErrorCode, parameter: &str, why: &InvalidId) -> Self {
        Self::service(code, Outcome::UnknownTarget, format!("{parameter}: {why}"))
    }

    /// The code that the caller reads.
    pub(crate) fn code(&self) -> Cow<'static, str> {
        match self {
            Self::Gateway(refusal) => refusal.code(),
            Self::Service(failure) => failure.code.as_str().into(),
        }
    }

    /// How it counts.
    pub(crate) fn outcome(&self) -> Outcome {
        match self {
            Self::Gateway(refusal) => refusal.outcome(),
            Self::Service(failure) => failure.outcome,
        }
    }
}

/// What is told of such a parameter, under whatever code.
pub(crate) fn wrong(name: &str, given: &str, right: &str) -> String {
    format!("{name} is {:?}; right is {right}", shown(given))
}

/// As much of what a caller gave as a text tells.
pub(crate) fn shown(given: &str) -> String {
    given.chars().take(64).collect()
}

impl From<GatewayError> for ActionError {
    fn from(refusal: GatewayError) -> Self {
        Self::Gateway(refusal)
    }
}

impl From<CallError> for ActionError {
    fn from(error: CallError) -> Self {
        // A fault of ours may come to light behind the call.
        let is_fault = matches!(error, CallError::Internal(_));
        let executed = if is_fault { Executed::Maybe } else { error.executed() };
        let (code, outcome) = (error.code(), error.outcome());
        Self::Service(ServiceFailure { code, outcome, executed, text: error.to_string(), data: None })
    }
}

impl From<DirectoryError> for ActionError {
    fn from(error: DirectoryError) -> Self {
        match &error {
            DirectoryError::NoProduct(key) => CallError::UnknownProduct(key.to_string()).into(),
            DirectoryError::NoDevice(thingcall_core::DeviceRef::IotId(id)) => {
                CallError::UnknownIotId(id.to_string()).into()
            }
            DirectoryError::NoDevice(device) => CallError::UnknownDevice(device.to_string()).into(),
            DirectoryError::Exists(_) | DirectoryError::HasDevices { .. } | DirectoryError::Published(_) => {
                Self::illegal(error.to_string())
            }
            DirectoryError::NoModel(key) => CallError::NoModel(key.to_string()).into(),
            DirectoryError::NoBatch(_) => {
                Self::service(ErrorCode::DeviceApplyIsNotFound, Outcome::UnknownTarget, error.to_string())
            }
            DirectoryError::BatchRefused(_) => {
                Self::service(ErrorCode::IncorrectDeviceApplyInfo, Outcome::InvalidArgs, error.to_string())
            }
            DirectoryError::TooManyTags { .. } => {
                Self::service(ErrorCode::TooManyDevicePropertiesPerTime, Outcome::InvalidArgs, error.to_string())
            }
            DirectoryError::Full(_) => Self::service(ErrorCode::IllegalRequest, Outcome::Overloaded, error.to_string()),
            DirectoryError::Unwritable(why) => CallError::Internal(why.clone()).into(),
            DirectoryError::Store(_) => store_failed(&error),
        }
    }
}

impl From<SubscriptionError> for ActionError {
    fn from(error: SubscriptionError) -> Self {
        let text = error.to_string();
        match &error {
            SubscriptionError::NoProduct(key) => CallError::UnknownProduct(key.to_string()).into(),
            SubscriptionError::NoGroup(_)
            | SubscriptionError::NoSubscription(_)
            | SubscriptionError::Exists(_)
            | SubscriptionError::Refused(_) => Self::illegal(text),
            SubscriptionError::Full(_) => Self::service(ErrorCode::IllegalRequest, Outcome::Overloaded, text),
            SubscriptionError::Unwritable(why) => CallError::Internal(why.clone()).into(),
            SubscriptionError::Store(_) => store_failed(&error),
        }
    }
}

/// Of the log of messages, which says it by the journal's words.
impl From<JournalError> for ActionError {
    fn from(error: JournalError) -> Self {
        match &error {
            JournalError::IdInUse
            | JournalError::DeviceFull(_)
            | JournalError::QueueFull(_)
            | JournalError::ReadersFull { .. } => CallError::Internal(error.to_string()).into(),
            JournalError::Unwritable { why, .. } => CallError::Internal(why.clone()).into(),
            JournalError::Store(_) => store_failed(&error),
        }
    }
}

/// What failed is for the log alone.
fn store_failed(error: &dyn std::fmt::Display) -> ActionError {
    tracing::error!(%error, "the store failed");
    CallError::Internal("the store cannot be reached".to_owned()).into()
}
