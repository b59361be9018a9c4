//! The device that stands at the end of the line while a plugin is tried: it answers what `--reply` says, in order.

use std::collections::VecDeque;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use thingcall_core::{Answer, Call, CallError, CallMode, Command, Deadline, DeviceLink, ReplyBody};
use tokio::time::Instant;

use super::steps::Steps;

/// One `--reply`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Reply {
    /// The device answers this.
    Body(ReplyBody),
    /// It does not answer in time.
    Timeout,
    /// It is not connected.
    Offline,
}

/// An answer as it is written in `--reply`.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope<'a> {
    code: i64,
    #[serde(borrow)]
    data: Option<&'a RawValue>,
    message: Option<String>,
}

impl FromStr for Reply {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "timeout" => return Ok(Self::Timeout),
            "offline" => return Ok(Self::Offline),
            _ => {}
        }
        let wrong = |error| format!("{error}; right is the data, such as '{{\"value\":1}}', timeout or offline");
        let value: Value = serde_json::from_str(text).map_err(|error| wrong(error.to_string()))?;
        let Value::Object(members) = value else { return Err(wrong("not an object".to_owned())) };
        if members.get("code").is_none_or(|code| !code.is_i64()) {
            return Ok(Self::Body(ReplyBody { code: ReplyBody::SUCCESS, message: None, data: text.to_owned() }));
        }
        let Envelope { code, data, message } = serde_json::from_str(text).map_err(|error| {
            format!("{error}; an answer with a code is '{{\"code\":460,\"message\":\"...\",\"data\":{{}}}}'")
        })?;
        let data = data.map_or_else(|| "{}".to_owned(), |data| data.get().to_owned());
        Ok(Self::Body(ReplyBody { code, message, data }))
    }
}

/// The device of one call.
pub(crate) struct Scripted {
    steps: Arc<Steps>,
    device: String,
    mode: CallMode,
    until: Instant,
    state: Mutex<State>,
}

struct State {
    replies: VecDeque<Reply>,
    asked: usize,
    unscripted: usize,
}

impl Scripted {
    /// A device that answers these.
    pub(crate) fn new(steps: Arc<Steps>, call: &Call, until: Instant, replies: Vec<Reply>) -> Self {
        let state = Mutex::new(State { replies: replies.into(), asked: 0, unscripted: 0 });
        Self { steps, device: call.device.key.to_string(), mode: call.mode, until, state }
    }

    /// What did not go as `--reply` says, if anything.
    pub(crate) fn wrong(&self) -> Option<String> {
        let state = self.state();
        if state.unscripted > 0 {
            return Some(format!("the device was asked {} times more than there are --reply", state.unscripted));
        }
        (!state.replies.is_empty()).then(|| format!("{} of --reply were not asked for", state.replies.len()))
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The number of this command, and what is answered; `None` if nothing is said about it.
    fn next(&self) -> (usize, Option<Reply>) {
        let mut state = self.state();
        state.asked += 1;
        let reply = state.replies.pop_front();
        // An asynchronous command is on its way when it is durable: it needs no reply.
        if reply.is_none() && self.mode == CallMode::Sync {
            state.unscripted += 1;
        }
        (state.asked, reply)
    }
}

#[async_trait]
impl DeviceLink for Scripted {
    async fn call(&self, command: Command) -> Result<Answer, CallError> {
        let (number, reply) = self.next();
        let Command { service, params } = command;
        let params = params.as_str();
        let members = json!({ "number": number, "service": service.to_string(), "args": raw(params) });
        self.steps.step("asks", &format!("device call {number}: {service} {params}"), members);
        let answer = match (reply, self.mode) {
            (Some(Reply::Offline), _) => Err(CallError::Offline(self.device.clone())),
            (Some(Reply::Timeout), CallMode::Sync) => {
                // As if all of the time had gone by.
                let left = self.until.saturating_duration_since(Instant::now());
                let waited_ms = u64::try_from(left.as_millis()).unwrap_or(u64::MAX);
                Err(CallError::Timeout { device: self.device.clone(), waited_ms, hint: None })
            }
            (Some(Reply::Body(body)), CallMode::Sync) => Ok(Answer::Replied(body)),
            (None, CallMode::Sync) => Err(CallError::NotDelivered(format!("there is no --reply for call {number}"))),
            (_, CallMode::Async) => Ok(Answer::Accepted),
        };
        let (text, members) = match &answer {
            Ok(Answer::Replied(ReplyBody { code, message, data })) => (
                format!("device call {number}: code {code} {data}"),
                json!({ "number": number, "code": code, "message": message, "data": raw(data) }),
            ),
            Ok(Answer::Accepted) => {
                (format!("device call {number}: accepted"), json!({ "number": number, "accepted": true }))
            }
            Err(error) => (
                format!("device call {number}: {error}"),
                json!({ "number": number, "error": { "message": error.to_string() } }),
            ),
        };
        self.steps.step("answers", &text, members);
        answer
    }

    fn deadline(&self) -> Deadline {
        Deadline::at(self.until.into_std())
    }
}

/// JSON as it is, or a text that is none.
pub(crate) fn raw(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| json!(text))
}

#[cfg(test)]
mod tests;
