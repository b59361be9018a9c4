//! What an answer means: how the call ended, whether the device may have executed it, and whether a further try may help.
//!
//! **Invariant:** of an answer that does not say that nothing was executed, it is not assumed.

use anyhow::Error;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::client::FrontAnswer;

/// How a call of one device ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Outcome {
    /// The device answered with success.
    Ok,
    /// An asynchronous call is on its way.
    Accepted,
    /// The device answered with another code.
    DeviceError,
    /// It failed.
    Failed,
    /// It may have been executed.
    Unknown,
}

impl Outcome {
    /// The word in results.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Accepted => "accepted",
            Self::DeviceError => "device_error",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// Whether the device did what it was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Executed {
    No,
    Maybe,
    Yes,
}

/// How a call ended.
#[derive(Debug, Clone)]
pub(super) struct Verdict {
    pub(super) outcome: Outcome,
    pub(super) executed: Executed,
    /// Whether the server refused it for there being so many just now.
    pub(super) is_throttled: bool,
    /// Whether the same call may do better later.
    pub(super) is_transient: bool,
    pub(super) code: Option<String>,
    pub(super) message: Option<String>,
    pub(super) message_id: Option<String>,
    pub(super) result: Option<Value>,
}

/// Codes of failures that have to do with the moment; their words say whether anything was sent.
const OF_THE_MOMENT: [&str; 6] = [
    "iot.messagebroker.OFFLINE",
    "iot.messagebroker.TIMEOUT",
    "iot.messagebroker.RrpcException",
    "iot.messagebroker.RrpcFailed",
    "iot.messagebroker.RateLimit",
    "iot.system.SystemException",
];
/// Of these codes nothing was executed, whatever the words.
const NEVER_EXECUTED: [&str; 2] = ["iot.messagebroker.RateLimit", "iot.messagebroker.RrpcFailed"];
/// The code of a request whose signature was made too long ago, or before the server began: signed anew, it may pass.
pub(super) const TOO_OLD: &str = "InvalidTimeStamp.Expired";
/// What the words of such a failure hold where nothing was sent.
const NOT_SENT: [&str; 6] = [
    "not sent",
    "nothing was sent",
    "nothing was executed",
    "is disabled;",
    "the server is shutting down",
    "takes no calls until",
];

impl Verdict {
    /// What this answer means.
    pub(super) fn of(answered: &FrontAnswer) -> Self {
        let body = match answered.body() {
            Ok(body) => body,
            Err(error) => return Self::no_answer(&error, Executed::Maybe),
        };
        let data = body.data.clone().unwrap_or_default();
        let nothing = Self::told(Outcome::Failed, body.code.clone());
        if !body.success {
            let (code, words) = body.failure();
            let (executed, is_transient) = failed(answered.status.as_u16(), code, words);
            let outcome = if executed == Executed::Maybe { Outcome::Unknown } else { Outcome::Failed };
            let is_throttled = executed == Executed::No && code.starts_with("Throttling");
            let (message, message_id) = (Some(words.to_owned()), data.message_id);
            return Self { outcome, executed, is_throttled, is_transient, message, message_id, ..nothing };
        }
        let result = data.result.map(|text| serde_json::from_str(&text).unwrap_or(Value::String(text)));
        let device_code = result.as_ref().and_then(|result| result.get("code")).and_then(Value::as_i64);
        let (outcome, code) = match (&result, device_code) {
            (None, _) => (Outcome::Accepted, None),
            (Some(_), Some(code)) if code != 200 => (Outcome::DeviceError, Some(code.to_string())),
            (Some(_), _) => (Outcome::Ok, None),
        };
        Self { outcome, executed: Executed::Yes, code, message_id: data.message_id, result, ..nothing }
    }

    /// There was no answer.
    pub(super) fn no_answer(error: &Error, executed: Executed) -> Self {
        let outcome = if executed == Executed::No { Outcome::Failed } else { Outcome::Unknown };
        let message = Some(format!("{error:#}"));
        Self { executed, is_transient: true, message, ..Self::told(outcome, Some("no_answer".to_owned())) }
    }

    /// It was under way when the command ended.
    pub(super) fn interrupted() -> Self {
        let message = "the command ended while this call was under way; the device may have executed it".to_owned();
        Self { message: Some(message), ..Self::told(Outcome::Unknown, Some("interrupted".to_owned())) }
    }

    /// As the file tells of it.
    pub(super) const fn told(outcome: Outcome, code: Option<String>) -> Self {
        Self {
            outcome,
            executed: Executed::Maybe,
            is_throttled: false,
            is_transient: false,
            code,
            message: None,
            message_id: None,
            result: None,
        }
    }
}

/// Whether the device may have executed a call that failed so, and whether a further try may help.
fn failed(status: u16, code: &str, words: &str) -> (Executed, bool) {
    // A gateway's error: it never came to a call.
    if (400..500).contains(&status) || status == 503 {
        return (Executed::No, status == 503 || status == 429 || code.starts_with("Throttling") || code == TOO_OLD);
    }
    if !OF_THE_MOMENT.contains(&code) {
        let executed = if words.contains("may have executed") { Executed::Maybe } else { Executed::No };
        return (if code.starts_with("iot.") { executed } else { Executed::Maybe }, false);
    }
    let not_sent = NOT_SENT.iter().any(|said| words.contains(said));
    let executed = words.contains("may have executed") || words.contains("may be sent all the same");
    let is_no = (not_sent || NEVER_EXECUTED.contains(&code)) && !executed;
    (if is_no { Executed::No } else { Executed::Maybe }, true)
}

#[cfg(test)]
mod tests {
    //! What may be tried again. The words are those of the server's errors.

    use bytes::Bytes;
    use hyper::StatusCode;
    use serde_json::json;
    use std::time::Duration;
    use thingcall_core::{CallError, Executed as Truly};

    use super::*;

    fn answered(status: u16, body: &Value) -> Verdict {
        let (status, text) = (StatusCode::from_u16(status).unwrap(), Bytes::from(body.to_string()));
        Verdict::of(&FrontAnswer { status, text, took: Duration::ZERO })
    }

    /// Each failure of a call is taken for what it is.
    #[test]
    fn nothing_that_may_have_been_executed_is_taken_for_unsent() {
        let (text, why) = (|| "pk/dev".to_owned(), || "why".to_owned());
        let all = [
            CallError::UnknownProduct(text()),
            CallError::UnknownDevice(text()),
            CallError::NotLookedUp(why()),
            CallError::UnknownIotId(text()),
            CallError::NoModel(text()),
            CallError::DeviceDisabled(text()),
            CallError::Offline(text()),
            CallError::WentOffline(text()),
            CallError::Timeout { device: text(), waited_ms: 8000, hint: None },
            CallError::PluginSilent { plugin: why(), waited_ms: 8000, executed: Truly::No },
            CallError::PluginSilent { plugin: why(), waited_ms: 8000, executed: Truly::Maybe },
            CallError::Expired { waited_ms: 8000 },
            CallError::NotDelivered(why()),
            CallError::InvalidReply("its answer has no code".to_owned()),
            CallError::TransportDown,
            CallError::TransportLost,
            CallError::Overloaded(why()),
            CallError::Plugin { why: why(), executed: Truly::No },
            CallError::Plugin { why: why(), executed: Truly::Maybe },
            CallError::Draining,
            CallError::CutOff(text()),
            CallError::NoLease,
            CallError::LeaseLost(text()),
            CallError::NotRecorded { why: why(), executed: Truly::No },
            CallError::NotRecorded { why: why(), executed: Truly::Maybe },
        ];
        for error in all {
            let body = json!({ "Success": false, "Code": error.code().as_str(), "ErrorMessage": error.to_string() });
            let told = answered(200, &body);
            let right = if error.executed() == Truly::No { Executed::No } else { Executed::Maybe };
            // One whose words do not say it may be taken for worse, never for better.
            assert_eq!(told.executed, right, "{error:?}: {error}");
        }
    }

    #[test]
    fn what_is_wrong_with_the_call_is_not_tried_again() {
        for (status, code, again) in [
            (200, "iot.device.NotExistedDevice", false),
            (200, "iot.messagebroker.RateLimit", true),
            (429, "Throttling.User", true),
            (400, "Throttling.User", true),
            (403, "SignatureDoesNotMatch", false),
            (503, "ServiceUnavailable", true),
            (400, "InvalidTimeStamp.Expired", true),
        ] {
            let told = answered(status, &json!({ "Success": false, "Code": code, "Message": "no" }));
            assert_eq!((told.is_transient, told.executed), (again, Executed::No), "{status} {code}");
        }
    }

    #[test]
    fn a_device_s_own_code_is_no_success() {
        let told = |result: &str| {
            let body = json!({ "Success": true, "Data": { "MessageId": "7", "Result": result } });
            let verdict = answered(200, &body);
            (verdict.outcome, verdict.code)
        };
        assert_eq!(told(r#"{"code":200,"data":{}}"#), (Outcome::Ok, None));
        assert_eq!(told(r#"{"code":460,"data":{}}"#), (Outcome::DeviceError, Some("460".to_owned())));
        assert_eq!(told(r#"{"mean":1}"#), (Outcome::Ok, None));
        let accepted = answered(200, &json!({ "Success": true, "Data": { "MessageId": "7" } }));
        assert_eq!((accepted.outcome, accepted.message_id.as_deref()), (Outcome::Accepted, Some("7")));
    }
}
