//! What a simulated device answers. It reads topics and envelopes by itself, as a real device does, and not through
//! the server's own code: a mistake there must not cancel itself out here.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use thingcall_core::ServiceId;
use thingcall_tsl::ThingModel;

/// Alink's code of success.
pub(crate) const SUCCESS: i64 = 200;

/// How a simulated device behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Behaviour {
    /// How long it takes over each call.
    pub delay: Duration,
    /// The code it answers; 200 is success.
    pub code: i64,
    /// It takes calls and never answers.
    pub silent: bool,
    /// It answers with an id nobody asked with.
    pub wrong_id: bool,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self { delay: Duration::ZERO, code: SUCCESS, silent: false, wrong_id: false }
    }
}

/// A call as the device got it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Asked {
    /// The topic it came on.
    pub topic: String,
    /// The call's id, decimal text.
    pub id: String,
    /// The service, with its module.
    pub service: String,
    /// The parameters' text.
    pub params: String,
}

/// What the device publishes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DeviceAnswer {
    /// The topic.
    pub topic: String,
    /// The Alink envelope.
    pub payload: String,
}

/// An Alink request as it stands on the wire.
#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    method: Cow<'a, str>,
    #[serde(borrow)]
    params: &'a RawValue,
}

/// The call in a message; `None` if it is something else, for instance our own answer come back through a broker.
pub(crate) fn asked(topic: &str, payload: &[u8]) -> Option<Asked> {
    let envelope: Envelope<'_> = serde_json::from_slice(payload).ok()?;
    let service = envelope.method.strip_prefix("thing.service.")?.to_owned();
    Some(Asked {
        topic: topic.to_owned(),
        id: envelope.id.into_owned(),
        service,
        params: envelope.params.get().to_owned(),
    })
}

/// The answer to a call: data that fits the model, with the inputs that are also outputs sent back where they fit the
/// output. `seed` varies it.
pub(crate) fn answer(asked: &Asked, model: Option<&Arc<ThingModel>>, behaviour: Behaviour, seed: u64) -> DeviceAnswer {
    let id = if behaviour.wrong_id { wrong(&asked.id) } else { asked.id.clone() };
    let data = if behaviour.code == SUCCESS { data(asked, model, seed) } else { "{}".to_owned() };
    let message = if behaviour.code == SUCCESS { "success" } else { "simulated failure" };
    let code = behaviour.code;
    let id = Value::String(id);
    DeviceAnswer {
        topic: reply_topic(&asked.topic),
        payload: format!(r#"{{"id":{id},"code":{code},"data":{data},"message":"{message}"}}"#),
    }
}

/// RRPC answers go where the request says; all others to the request's topic with `_reply`.
fn reply_topic(topic: &str) -> String {
    if topic.starts_with("/ext/rrpc/") {
        topic.to_owned()
    } else if topic.contains("/rrpc/request/") {
        topic.replacen("/rrpc/request/", "/rrpc/response/", 1)
    } else {
        format!("{topic}_reply")
    }
}

fn data(asked: &Asked, model: Option<&Arc<ThingModel>>, seed: u64) -> String {
    let id = ServiceId::try_from(asked.service.as_str()).ok();
    let Some(service) = id.and_then(|id| model?.service(&id).ok()) else { return "{}".to_owned() };
    let sample = service.sample_output(seed);
    let (Ok(mut outputs), Ok(inputs)) = (
        serde_json::from_str::<Map<String, Value>>(&sample),
        serde_json::from_str::<Map<String, Value>>(&asked.params),
    ) else {
        return sample;
    };
    for (name, value) in inputs {
        let Some(own) = outputs.get(&name).cloned() else { continue };
        outputs.insert(name.clone(), value);
        // An input and an output of one name may have ranges of their own.
        if service.check_reply(&Value::Object(outputs.clone()).to_string()).is_err() {
            outputs.insert(name, own);
        }
    }
    Value::Object(outputs).to_string()
}

/// Another id of the same form.
fn wrong(id: &str) -> String {
    let number: u32 = id.parse().unwrap_or(0);
    (number ^ (1 << 25)).to_string()
}

#[cfg(test)]
mod tests;
