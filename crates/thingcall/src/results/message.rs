//! A result in the platform's words, for RabbitMQ.
//!
//! Source of the codes: `PROTOCOL.md` 4.7, 9201 for a device that is offline and 9200 for one that never was activated.
//! The platform names none for the rest, which have 500 here, with the outcome's word in the message.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_amqp::{Delivered, NotDelivered, ResultMessage, Results};
use thingcall_core::{Device, DeviceRef, EndedCall, Outcome};
use thingcall_store::Store;
use thingcall_tsl::Directory;

use super::{Published, ResultSink};

const OFFLINE: i64 = 9201;
const NEVER_ACTIVATED: i64 = 9200;
const FAILED: i64 = 500;

/// Publishes to the exchange of `results_exchange`.
pub(crate) struct ToRabbit {
    pub(crate) results: Results,
    /// Says whether a device ever was there.
    pub(crate) store: Arc<Store>,
}

#[async_trait]
impl ResultSink for ToRabbit {
    async fn publish(&self, result: &EndedCall) -> Published {
        let mut activated = true;
        if result.outcome == Outcome::Offline {
            let record = self.store.device(&DeviceRef::Key(result.device.clone())).await;
            activated = record.is_ok_and(|record| record.activated_at.is_some());
        }
        match self.results.publish(&message(result, activated)).await {
            Ok(Delivered::Queued) => Published::Yes,
            Ok(Delivered::Nobody) => Published::Unwanted,
            Err(NotDelivered::Unwritable(why)) => Published::Never(why),
            Err(
                error @ (NotDelivered::Down
                | NotDelivered::QueueFull(_)
                | NotDelivered::Refused(_)
                | NotDelivered::Lost),
            ) => Published::NotYet(error.to_string()),
        }
    }
}

fn message(result: &EndedCall, activated: bool) -> ResultMessage {
    let EndedCall { at, id, device, iot_id, service, outcome, code, message, data, .. } = result;
    let code = code.unwrap_or(match (*outcome == Outcome::Offline, activated) {
        (true, true) => OFFLINE,
        (true, false) => NEVER_ACTIVATED,
        (false, _) => FAILED,
    });
    let message = match (outcome, message) {
        (Outcome::Ok, None) => "success".to_owned(),
        (Outcome::Ok | Outcome::DeviceError, Some(message)) => message.clone(),
        (outcome, None) => outcome.to_string(),
        (outcome, Some(why)) => format!("{outcome}: {why}"),
    };
    ResultMessage {
        at: *at,
        id: *id,
        device: Device { key: device.clone(), iot_id: iot_id.clone(), enabled: true, transport: None },
        service: service.clone(),
        code,
        message,
        data: data.clone().unwrap_or_else(|| "{}".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    //! The codes.

    use thingcall_core::{CallId, DeviceKey, UnixMillis};

    use super::*;

    fn result(outcome: Outcome, code: Option<i64>, message: Option<&str>) -> EndedCall {
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
        }
    }

    #[test]
    fn a_device_s_own_words_are_told_as_they_are() {
        let told = message(&result(Outcome::Ok, Some(200), None), true);
        assert_eq!((told.code, told.message.as_str(), told.data.as_str()), (200, "success", "{}"));
        let told = message(&result(Outcome::DeviceError, Some(460), Some("no")), true);
        assert_eq!((told.code, told.message.as_str()), (460, "no"));
    }

    #[test]
    fn an_absent_device_has_the_platform_s_code_and_the_rest_says_what_happened() {
        assert_eq!(message(&result(Outcome::Offline, None, Some("away")), true).code, 9201);
        assert_eq!(message(&result(Outcome::Offline, None, None), false).code, 9200);
        let told = message(&result(Outcome::InvalidReply, None, Some("no id")), true);
        assert_eq!((told.code, told.message.as_str()), (500, "invalid_reply: no id"));
    }
}
