//! What devices get, and what they answer.

use std::sync::Arc;

use proptest::prelude::*;
use thingcall_core::{Args, CallMode, Device, DeviceKey, IotId, Qos};

use super::*;

pub(crate) fn delivery(service: &str, mode: CallMode) -> Delivery {
    let key = DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() };
    Delivery {
        id: CallId::from_u32(4_294_967_295),
        device: Arc::new(Device { key, iot_id: IotId::try_from("i").unwrap(), enabled: true, transport: None }),
        service: service.parse().unwrap(),
        raw: None,
        params: Args::checked(r#"{"b":10.0,"a":9007199254740993}"#),
        mode,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
    }
}

#[test]
fn a_request_has_all_four_members_and_the_callers_own_numbers() {
    let payload = request_payload(&delivery("testFb:testService", CallMode::Sync));
    assert_eq!(
        payload,
        r#"{"id":"4294967295","version":"1.0","params":{"b":10.0,"a":9007199254740993},"method":"thing.service.testFb:testService"}"#
    );
    assert_eq!(request_id(&payload), Some(CallId::from_u32(u32::MAX)));
    assert!(matches!(read(&payload), Envelope::Request { output: Output::InParams, .. }));
}

#[test]
fn a_device_that_speaks_its_own_bytes_gets_those() {
    let mut delivery = delivery("SetScene", CallMode::Async);
    assert_eq!(payload(&delivery), request_payload(&delivery));
    delivery.raw = Some(Bytes::from_static(b"\x00\xff"));
    assert_eq!(payload(&delivery), &b"\x00\xff"[..]);
    assert_eq!(request_id(&payload(&delivery)), None);
}

fn reply(text: &str) -> (Option<u32>, Result<ReplyBody, String>) {
    match read(text.as_bytes()) {
        Envelope::Reply(id, body) => (id.map(CallId::as_u32), body.map_err(|e| e.to_string())),
        Envelope::Request { .. } => panic!("taken for a request: {text}"),
    }
}

fn body(code: i64, message: Option<&str>, data: &str) -> Result<ReplyBody, String> {
    Ok(ReplyBody { code, message: message.map(str::to_owned), data: data.to_owned() })
}

#[test]
fn a_reply_is_read_as_sdks_write_it() {
    assert_eq!(reply(r#"{"id":"7","code":200,"data":{}}"#), (Some(7), body(200, None, "{}")));
    assert_eq!(reply(r#"{"id":7,"code":200}"#), (Some(7), body(200, None, "{}")));
    assert_eq!(reply(r#"{"code":"200","data":null,"id":"7"}"#), (Some(7), body(200, None, "{}")));
    let text = r#"{"id":"7","version":"1.0","code":100001,"data":{"a" : 1.0, "b":1e3},"message":"no \"luck\""}"#;
    assert_eq!(reply(text), (Some(7), body(100_001, Some("no \"luck\""), r#"{"a" : 1.0, "b":1e3}"#)));
}

#[test]
fn an_id_that_is_not_ours_is_no_id() {
    for id in [r#""""#, r#""1|exp-topic""#, r#""1339116017494043136""#, "null", "-1", "1.0", "{}"] {
        assert_eq!(reply(&format!(r#"{{"id":{id},"code":200}}"#)), (None, body(200, None, "{}")), "{id}");
    }
}

#[test]
fn a_malformed_reply_keeps_its_id_and_says_what_would_be_right() {
    let problem = |text: &str| reply(text).1.unwrap_err();
    assert_eq!(
        reply(r#"{"id":"7","data":{}}"#),
        (Some(7), Err(r#"the reply's member "code" is missing; right is a whole number such as 200"#.to_owned()))
    );
    assert!(problem(r#"{"id":"7","code":true}"#).contains("is true; right is a whole number"));
    assert!(problem(r#"{"id":"7","code":200,"data":[1]}"#).contains("is [1]; right is a JSON object"));
    for text in ["", "[]", r#"["7",200,{},null,null]"#, "{", "200", r#"{"code":200,"code":200}"#] {
        assert!(problem(text).starts_with("the reply is not a JSON object"), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _read = read(&payload);
        let _id = request_id(&payload);
    }
}
