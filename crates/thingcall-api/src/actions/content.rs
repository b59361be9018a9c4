//! What messages of applications' own are made of: bytes in Base64, and the codes for what is wrong with them.

use bytes::Bytes;
use thingcall_core::{CallError, ErrorCode, Outcome};

use crate::encoded::bytes_of;
use crate::error::ActionError;
use crate::params::Params;

/// Why a message was not published, by the codes for that.
pub(super) fn published(why: CallError) -> ActionError {
    match of_topic("TopicFullName", why) {
        ActionError::Service(mut failure) if failure.code == ErrorCode::RrpcFailed => {
            failure.code = ErrorCode::PublishMessageFailed;
            ActionError::Service(failure)
        }
        other @ (ActionError::Gateway(_) | ActionError::Service(_)) => other,
    }
}

/// What is wrong with a topic is told with the parameter that it is in.
pub(super) fn of_topic(parameter: &str, why: CallError) -> ActionError {
    if let CallError::InvalidTopic(text) = why {
        return CallError::InvalidTopic(format!("{parameter}: {text}")).into();
    }
    why.into()
}

/// The bytes of `MessageContent`, so many at most.
pub(super) fn content(params: &Params<'_>, bytes_max: usize) -> Result<Bytes, ActionError> {
    let name = "MessageContent";
    let given = params.get(name).ok_or_else(|| missing(ErrorCode::NullMessageContent, name))?;
    bytes((name, given), bytes_max)
}

/// A message's bytes, of a parameter in Base64.
pub(super) fn bytes((name, text): (&str, &str), bytes_max: usize) -> Result<Bytes, ActionError> {
    let decoded = bytes_of(text).ok_or_else(|| {
        let text = format!("{name} is not in Base64; encode the message's bytes, such as aGVsbG8= for hello");
        ActionError::service(ErrorCode::NotBase64, Outcome::InvalidArgs, text)
    })?;
    if decoded.len() > bytes_max {
        let text = format!("{name}: the message has {} bytes; at most {bytes_max} are allowed", decoded.len());
        return Err(ActionError::service(ErrorCode::IllegalRequest, Outcome::TooLarge, text));
    }
    Ok(decoded)
}

/// That a parameter is missing, by a code of its own.
pub(super) fn missing(code: ErrorCode, name: &str) -> ActionError {
    ActionError::service(code, Outcome::InvalidArgs, format!("{name} is missing"))
}

#[cfg(test)]
mod tests;
