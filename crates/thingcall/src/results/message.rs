//! A message of the log for a broker: for RabbitMQ a result in the form of its own exchange, and anything in the platform's
//! words; for MQTT, which has no headers for an id in its older version, within its envelope.

use async_trait::async_trait;
use serde::Deserialize;
use serde_json::value::RawValue;
use thingcall_amqp::{Delivered, Messages, NotDelivered, ResultMessage, Results};
use thingcall_core::{CallId, Device, Message, ServiceId, UnixMillis};
use thingcall_mqtt::NotDelivered as NotOnTopic;
use thingcall_subscription::Envelope;

use super::{Published, ResultSink};

/// Publishes to the exchange of `results_exchange`.
pub(crate) struct ToRabbit {
    pub(crate) results: Results,
}

/// What is read of a result's body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body<'a> {
    gmt_create: i64,
    iot_id: String,
    request_id: u32,
    code: i64,
    message: String,
    topic: String,
    #[serde(borrow)]
    data: &'a RawValue,
}

#[async_trait]
impl ResultSink for ToRabbit {
    async fn publish(&self, result: &Message) -> Published {
        let message = match message(result) {
            Ok(message) => message,
            Err(why) => return Published::Never(why),
        };
        became(self.results.publish(&message).await)
    }
}

/// Publishes to the exchange of `messages_exchange`, in the platform's own words.
pub(crate) struct ToExchange {
    pub(crate) messages: Messages,
}

#[async_trait]
impl ResultSink for ToExchange {
    async fn publish(&self, message: &Message) -> Published {
        became(self.messages.publish(message).await)
    }
}

/// Publishes on topics of `messages_topic`.
pub(crate) struct ToTopics {
    pub(crate) messages: thingcall_mqtt::Messages,
}

#[async_trait]
impl ResultSink for ToTopics {
    async fn publish(&self, message: &Message) -> Published {
        match self.messages.publish(message, Envelope::of(message).to_json()).await {
            Ok(thingcall_mqtt::Delivered::Taken) => Published::Yes,
            Ok(thingcall_mqtt::Delivered::Nobody) => Published::Unwanted,
            Err(why @ NotOnTopic::TooLarge { .. }) => Published::Never(why.to_string()),
            Err(why @ (NotOnTopic::Down(_) | NotOnTopic::QueueFull(_) | NotOnTopic::Refused(_) | NotOnTopic::Lost)) => {
                Published::NotYet(why.to_string())
            }
        }
    }
}

fn became(published: Result<Delivered, NotDelivered>) -> Published {
    match published {
        Ok(Delivered::Queued) => Published::Yes,
        Ok(Delivered::Nobody) => Published::Unwanted,
        Err(NotDelivered::Unwritable(why)) => Published::Never(why),
        Err(
            error @ (NotDelivered::Down | NotDelivered::QueueFull(_) | NotDelivered::Refused(_) | NotDelivered::Lost),
        ) => Published::NotYet(error.to_string()),
    }
}

fn message(result: &Message) -> Result<ResultMessage, String> {
    let body: Body<'_> = serde_json::from_slice(&result.words.body).map_err(|error| error.to_string())?;
    let service = service(&body.topic).ok_or_else(|| format!("{:?} is no topic of a service's reply", body.topic))?;
    let iot_id = body.iot_id.as_str().try_into().map_err(|_| format!("{:?} is no IotId", body.iot_id))?;
    Ok(ResultMessage {
        at: UnixMillis(body.gmt_create),
        id: CallId::from_u32(body.request_id),
        device: Device { key: result.device.clone(), iot_id, enabled: true, transport: None },
        service,
        code: body.code,
        message: body.message,
        data: body.data.get().to_owned(),
        trace: result.words.trace.clone(),
    })
}

/// The service whose reply has this topic.
fn service(topic: &str) -> Option<ServiceId> {
    if topic.ends_with("/thing/service/property/set") {
        return Some(ServiceId::set_properties());
    }
    let (_, last) = topic.rsplit_once('/')?;
    last.strip_suffix("_reply")?.try_into().ok()
}

#[cfg(test)]
mod tests {
    //! What the platform's words become.

    use thingcall_core::{DeviceKey, EndedCall, MessageId, MessageKind, MessageWords, Outcome};
    use thingcall_subscription::words::PlatformWords;

    use super::*;

    fn result(outcome: Outcome, code: Option<i64>, message: Option<&str>, activated: bool) -> Message {
        let ended = ended(outcome, code, message, activated);
        let (kind, words) = (MessageKind::Result, PlatformWords.result(&ended));
        Message { place: 1, id: MessageId(1), kind, device: ended.device, at: ended.at, words }
    }

    fn ended(outcome: Outcome, code: Option<i64>, message: Option<&str>, activated: bool) -> EndedCall {
        EndedCall {
            place: 1,
            at: UnixMillis(5),
            id: CallId::from_u32(7),
            device: DeviceKey { product: "pk".try_into().expect("key"), name: "d".try_into().expect("name") },
            iot_id: "i".try_into().expect("id"),
            service: "fb:do".try_into().expect("service"),
            outcome,
            code,
            message: message.map(str::to_owned),
            data: None,
            trace: None,
            activated,
        }
    }

    #[test]
    fn a_device_s_own_words_are_told_as_they_are() {
        let told = message(&result(Outcome::Ok, Some(200), None, true)).expect("a result");
        assert_eq!((told.code, told.message.as_str(), told.data.as_str()), (200, "success", "{}"));
        assert_eq!(
            (told.at, told.id, told.service.to_string()),
            (UnixMillis(5), CallId::from_u32(7), "fb:do".to_owned())
        );
        assert_eq!((told.device.key.to_string(), told.device.iot_id.as_str()), ("pk/d".to_owned(), "i"));
        let told = message(&result(Outcome::DeviceError, Some(460), Some("no"), true)).expect("a result");
        assert_eq!((told.code, told.message.as_str()), (460, "no"));
    }

    #[test]
    fn properties_that_were_set_are_told_under_the_name_of_the_built_in_service() {
        let mut set = result(Outcome::Ok, Some(200), None, true);
        let ended = EndedCall { service: ServiceId::set_properties(), ..ended(Outcome::Ok, Some(200), None, true) };
        set.words = PlatformWords.result(&ended);
        assert_eq!(message(&set).expect("a result").service, ServiceId::set_properties());
    }

    #[test]
    fn an_absent_device_has_the_platform_s_code_and_the_rest_says_what_happened() {
        let code = |result: &Message| message(result).expect("a result").code;
        assert_eq!(code(&result(Outcome::Offline, None, Some("away"), true)), 9201);
        assert_eq!(code(&result(Outcome::Offline, None, None, false)), 9200);
        let told = message(&result(Outcome::InvalidReply, None, Some("no id"), true)).expect("a result");
        assert_eq!((told.code, told.message.as_str()), (500, "invalid_reply: no id"));
    }

    #[test]
    fn what_is_no_result_is_said_to_be_none() {
        let mut other = result(Outcome::Ok, Some(200), None, true);
        other.words.body = "{}".into();
        assert!(message(&other).is_err());
    }
}
