//! Messages of an application's own: Pub, RRpc and AsyncRRpc.
//!
//! **Invariant:** what is in a message is not read. Where it may go and what can go with it, the way to its device says.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{
    AccessKey, Asks, CallError, Deadline, DeviceKey, DeviceName, DeviceRef, ErrorCode, Extras, Letter, LetterTo,
    Outcome, Qos, RecordedKey, Request, ServiceId,
};

use super::content::{bytes, content, missing, of_topic, published};
use super::invoke::qos;
use super::{Action, Ordered, broadcast, flag, target};
use crate::answer::{Fields, Node, text};
use crate::calls::CallDesk;
use crate::encoded::base64_of;
use crate::error::{ActionError, wrong};
use crate::incoming::Incoming;
use crate::params::Params;
use crate::topic::named_in_topic;

/// The longest message. Source: Alibaba's limits.
const MESSAGE_BYTES_MAX: usize = 256 * 1024;
/// How many properties of its own a message may have. Source: Alibaba's reference.
const USER_PROPS_MAX: usize = 20;
/// How long the caller of RRpc may have its device think, in milliseconds. Source: Alibaba's reference.
const TIMEOUT_MS: std::ops::RangeInclusive<u64> = 1000..=8000;

/// A message that nobody waits for an answer to.
pub(crate) struct Publishing(Request);

/// A question in bytes.
pub(crate) struct Question(Request);

/// A question in bytes whose answer nobody waits for.
pub(crate) struct Asking(Request);

/// Pub.
pub(super) fn publish(desk: &CallDesk, incoming: &Incoming<'_>, key: &Arc<AccessKey>) -> Result<Ordered, ActionError> {
    desk.take(incoming, key, |reply_timeout, _| {
        let params = &incoming.params;
        let topic = params.get("TopicFullName");
        let topic = topic.ok_or_else(|| missing(ErrorCode::NullTopicName, "TopicFullName"))?;
        let (qos, extras) = (qos(params.get("Qos"))?, extras(params)?);
        if target::is_of_many(topic) {
            if extras.is_some() {
                let text = "a message for many devices carries a topic and bytes and nothing beside them";
                return Err(ActionError::service(ErrorCode::PublishMessageFailed, Outcome::NotDelivered, text));
            }
            return Ok(Ordered::Broadcasting(broadcast::on_topic(incoming, topic, qos)?));
        }
        let letter = Letter {
            to: LetterTo::Topic(Arc::from(topic)),
            payload: content(params, MESSAGE_BYTES_MAX)?,
            extras: extras.map(Box::new),
        };
        let to = device_of(params, topic)?;
        let request =
            request((incoming, key), (Asks::Letter(Arc::new(letter)), Action::Pub), to, (qos, reply_timeout))?;
        Ok(Ordered::Publishing(Publishing(request)))
    })
}

/// RRpc.
pub(super) fn ask(desk: &CallDesk, incoming: &Incoming<'_>, key: &Arc<AccessKey>) -> Result<Ordered, ActionError> {
    desk.take(incoming, key, |_, _| {
        let params = &incoming.params;
        let content = bytes(("RequestBase64Byte", params.need("RequestBase64Byte")?), MESSAGE_BYTES_MAX)?;
        let timeout = timeout(params.need("Timeout")?)?;
        let to = params.get("Topic").map_or(LetterTo::Rrpc, |topic| LetterTo::RrpcOn(Arc::from(topic)));
        let content_type = params.get("ContentType").map(str::to_owned);
        let extras = content_type.map(|said| Box::new(Extras { content_type: Some(said), ..Extras::default() }));
        let letter = Letter { to, payload: content, extras };
        let to = target::device(params)?;
        let request =
            request((incoming, key), (Asks::Letter(Arc::new(letter)), Action::RRpc), to, (Qos::AtMostOnce, timeout))?;
        Ok(Ordered::Question(Question(request)))
    })
}

/// AsyncRRpc.
pub(super) fn ask_unawaited(
    desk: &CallDesk,
    incoming: &Incoming<'_>,
    key: &Arc<AccessKey>,
) -> Result<Ordered, ActionError> {
    desk.take(incoming, key, |reply_timeout, _| {
        let params = &incoming.params;
        let payload = content(params, MESSAGE_BYTES_MAX)?;
        let to = params.get("TopicFullName").map_or(LetterTo::Rrpc, |topic| LetterTo::RrpcOn(Arc::from(topic)));
        let letter = Letter { to, payload, extras: None };
        let to = target::device(params)?;
        let asks = (Asks::LetterUnawaited(Arc::new(letter)), Action::AsyncRRpc);
        let request = request((incoming, key), asks, to, (Qos::AtMostOnce, reply_timeout))?;
        Ok(Ordered::Asking(Asking(request)))
    })
}

fn request(
    (incoming, key): (&Incoming<'_>, &Arc<AccessKey>),
    (asks, action): (Asks, Action),
    target: DeviceRef,
    (qos, within): (Qos, Duration),
) -> Result<Request, ActionError> {
    Ok(Request {
        request_id: incoming.id,
        action: action.as_str(),
        key: Some(RecordedKey::Signed(key.clone())),
        arrived: incoming.received.into_std(),
        target,
        asks,
        service: ServiceId::try_from(action.as_str()).map_err(|why| CallError::Internal(why.to_string()))?,
        args: "{}".to_owned(),
        qos,
        deadline: Deadline::at((incoming.received + within).into_std()),
        fails_by_code: false,
        trace: incoming.trace.clone(),
    })
}

/// The device of `DeviceName` or `IotId`; where neither is given, which most programs do, the one that the topic names behind
/// the product key.
fn device_of(params: &Params<'_>, topic: &str) -> Result<DeviceRef, ActionError> {
    if params.get("DeviceName").is_some() || params.get("IotId").is_some() {
        return target::device(params);
    }
    let product = target::product(params)?;
    let named = named_in_topic(product.as_str(), topic);
    let name = named.and_then(|name| DeviceName::try_from(name).ok()).ok_or_else(|| {
        let shown: String = topic.chars().take(128).collect();
        let text = format!(
            "TopicFullName {shown:?} names no device of product {product}; right is /{product}/DEVICENAME/user/..."
        );
        ActionError::service(ErrorCode::InvalidFormattedTopicName, Outcome::InvalidArgs, text)
    })?;
    Ok(DeviceRef::Key(DeviceKey { product, name }))
}

impl Publishing {
    /// Sends it; what it returns stands beside `RequestId` and `Success`.
    pub(super) async fn run(self, desk: &CallDesk) -> Result<Fields, ActionError> {
        let sent = desk.make(self.0).await.map_err(published)?;
        Ok(vec![("MessageId", text(sent.id.to_string()))])
    }
}

impl Asking {
    /// Asks; what it returns stands beside `RequestId` and `Success`.
    pub(super) async fn run(self, desk: &CallDesk) -> Result<Fields, ActionError> {
        let asked = desk.make(self.0).await.map_err(|why| of_topic("TopicFullName", why))?;
        Ok(vec![("MessageId", Node::Number(i64::from(asked.id.as_u32())))])
    }
}

impl Question {
    /// Asks; what it returns stands beside `RequestId` and `Success`. That a device is away or silent is no failure of
    /// the action: `RrpcCode` says it.
    pub(super) async fn run(self, desk: &CallDesk) -> Result<Fields, ActionError> {
        let answered = match desk.make(self.0).await {
            Ok(answered) => answered,
            Err(why) => {
                let word = word(&why).ok_or_else(|| of_topic("Topic", why))?;
                return Ok(vec![("RrpcCode", text(word))]);
            }
        };
        let payload = base64_of(&answered.said.unwrap_or_default());
        let id = Node::Number(i64::from(answered.id.as_u32()));
        Ok(vec![("RrpcCode", text("SUCCESS")), ("PayloadBase64Byte", text(payload)), ("MessageId", id)])
    }
}

/// The word for how a question ended that was not answered; `None` where the action itself failed.
fn word(why: &CallError) -> Option<&'static str> {
    match why {
        CallError::Timeout { .. } | CallError::Expired { .. } => Some("TIMEOUT"),
        CallError::Offline(_) | CallError::DeviceDisabled(_) => Some("OFFLINE"),
        // It was taken for connected when the question was sent.
        CallError::WentOffline(_) => Some("HALFCONN"),
        CallError::TransportDown
        | CallError::TransportLost
        | CallError::CutOff(_)
        | CallError::LeaseLost(_)
        | CallError::Cancelled { .. } => Some("UNKNOWN"),
        CallError::UnknownProduct(_)
        | CallError::UnknownDevice(_)
        | CallError::NotLookedUp(_)
        | CallError::UnknownIotId(_)
        | CallError::NoModel(_)
        | CallError::UnknownService(_)
        | CallError::InvalidArgs(_)
        | CallError::InvalidTopic(_)
        | CallError::TooLarge(_)
        | CallError::PluginSilent { .. }
        | CallError::NotDelivered(_)
        | CallError::Device { .. }
        | CallError::InvalidReply(_)
        | CallError::Overloaded(_)
        | CallError::Plugin { .. }
        | CallError::Refused { .. }
        | CallError::Draining
        | CallError::NoLease
        | CallError::NotRecorded { .. }
        | CallError::Internal(_) => None,
    }
}

fn timeout(text: &str) -> Result<Duration, ActionError> {
    let wanted = text.parse().ok().filter(|ms| TIMEOUT_MS.contains(ms));
    wanted.map(Duration::from_millis).ok_or_else(|| {
        let text = wrong("Timeout", text, "a whole number of milliseconds from 1000 to 8000");
        ActionError::service(ErrorCode::InvalidTimeoutValue, Outcome::InvalidArgs, text)
    })
}

/// What MQTT 5 is to carry beside the message, where anything is.
fn extras(params: &Params<'_>) -> Result<Option<Extras>, ActionError> {
    if flag(params, "Retained")? {
        return Err(ActionError::illegal("Retained is true; nothing keeps messages for topics here, so leave it out"));
    }
    let data =
        params.get("CorrelationData").map(|text| bytes(("CorrelationData", text), MESSAGE_BYTES_MAX)).transpose()?;
    let extras = Extras {
        content_type: params.get("ContentType").map(str::to_owned),
        correlation_data: data,
        response_topic: params.get("ResponseTopic").map(str::to_owned),
        expires_after_s: params.get("MessageExpiryInterval").map(seconds).transpose()?,
        is_utf8: is_utf8(params.get("PayloadFormatIndicator"))?,
        user: user_props(params)?,
    };
    Ok((extras != Extras::default()).then_some(extras))
}

fn seconds(text: &str) -> Result<u32, ActionError> {
    let right = "a whole number of seconds from 1 on";
    let seconds = text.parse().ok().filter(|seconds| *seconds > 0);
    seconds.ok_or_else(|| ActionError::wrong("MessageExpiryInterval", text, right))
}

fn is_utf8(text: Option<&str>) -> Result<bool, ActionError> {
    match text {
        None | Some("0") => Ok(false),
        Some("1") => Ok(true),
        Some(other) => Err(ActionError::wrong("PayloadFormatIndicator", other, "0 or 1")),
    }
}

/// `UserProp.N.Key` and `UserProp.N.Value`.
fn user_props(params: &Params<'_>) -> Result<Vec<(String, String)>, ActionError> {
    let mut all = Vec::new();
    for at in 1..=USER_PROPS_MAX + 1 {
        let (key, value) = (params.get(&format!("UserProp.{at}.Key")), params.get(&format!("UserProp.{at}.Value")));
        match (key, value) {
            (Some(_), Some(_)) if at > USER_PROPS_MAX => {
                return Err(ActionError::illegal(format!("more than {USER_PROPS_MAX} of UserProp are given")));
            }
            (Some(key), Some(value)) => all.push((key.to_owned(), value.to_owned())),
            (None, None) => break,
            (Some(_), None) | (None, Some(_)) => {
                let text = format!("UserProp.{at} lacks its Key or its Value; give both");
                return Err(ActionError::illegal(text));
            }
        }
    }
    Ok(all)
}
