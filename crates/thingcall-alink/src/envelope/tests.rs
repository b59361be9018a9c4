//! What devices get, and what they answer.

use std::sync::Arc;

use proptest::prelude::*;
use thingcall_core::{Args, CallMode, Device, DeviceKey, IotId, Qos, Repair};

use super::*;

pub(crate) fn delivery(service: &str, mode: CallMode) -> Delivery {
    let key = DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() };
    Delivery {
        letter: None,
        id: CallId::from_u32(4_294_967_295),
        device: Arc::new(Device { key, iot_id: IotId::try_from("i").unwrap(), enabled: true, transport: None }),
        service: service.parse().unwrap(),
        raw: None,
        params: Args::checked(r#"{"b":10.0,"a":9007199254740993}"#),
        mode,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
        trace: None,
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
fn properties_are_set_by_a_method_of_their_own() {
    let method = |service| {
        let request: serde_json::Value =
            serde_json::from_slice(&request_payload(&delivery(service, CallMode::Async))).unwrap();
        request["method"].as_str().unwrap().to_owned()
    };
    assert_eq!((&*method("set"), &*method("fb:set")), ("thing.service.property.set", "thing.service.fb:set"));
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
        Envelope::Reply(id, body, _) => (id.map(CallId::as_u32), body.map_err(|e| e.to_string())),
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
    for id in [r#""""#, r#""1|exp-topic""#, r#""1339116017494043136""#, "null", "-1", "1.5", "{}"] {
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

/// What is read, and what was mended for it.
fn mended(payload: &[u8]) -> (Option<u32>, i64, String, Vec<&'static str>) {
    let Envelope::Reply(id, Ok(body), repairs) = read(payload) else { panic!("unreadable: {payload:?}") };
    (id.map(CallId::as_u32), body.code, body.data, repairs.iter().map(Repair::as_str).collect())
}

#[test]
fn an_empty_table_of_any_language_is_an_empty_object() {
    for (data, reason) in [
        ("[]", "data_empty_array"),
        ("[ ]", "data_empty_array"),
        (r#""""#, "data_empty_text"),
        (r#"" ""#, "data_empty_text"),
        ("null", "data_null"),
        (r#""{}""#, "data_as_text"),
        (r#""[]""#, "data_as_text"),
        (r#""null""#, "data_as_text"),
    ] {
        let text = format!(r#"{{"id":"7","code":200,"data":{data}}}"#);
        assert_eq!(mended(text.as_bytes()), (Some(7), 200, "{}".to_owned(), vec![reason]), "{data}");
    }
}

#[test]
fn data_in_a_text_is_its_object_with_the_numbers_own_text() {
    let text = r#"{"id":"7","code":200,"data":" {\"a\":10.0,\"b\":\"\\u00e9\"}"}"#;
    let data = r#"{"a":10.0,"b":"\u00e9"}"#.to_owned();
    assert_eq!(mended(text.as_bytes()), (Some(7), 200, data, vec!["data_as_text"]));
    for odd in [r#""{""#, r#""hello""#, r#""[1]""#, "[1]", "7", "true", r#""{}{}""#] {
        let text = format!(r#"{{"id":"7","code":200,"data":{odd}}}"#);
        assert!(matches!(read(text.as_bytes()), Envelope::Reply(Some(_), Err(_), _)), "{odd}");
    }
}

#[test]
fn a_code_with_a_point_or_in_quotes_is_its_number() {
    for (code, number, reasons) in [
        ("200.0", 200, vec!["code_as_float"]),
        ("2E2", 200, vec!["code_as_float"]),
        ("-1.00", -1, vec!["code_as_float"]),
        (r#""200""#, 200, vec!["code_as_text"]),
        (r#""200.0""#, 200, vec!["code_as_float", "code_as_text"]),
    ] {
        let text = format!(r#"{{"id":"7","code":{code}}}"#);
        assert_eq!(mended(text.as_bytes()), (Some(7), number, "{}".to_owned(), reasons), "{code}");
    }
    for odd in ["200.5", r#""inf""#, r#""NaN""#, "1e300", r#""""#, r#""ok""#, "null", "{}"] {
        let text = format!(r#"{{"id":"7","code":{odd}}}"#);
        assert!(matches!(read(text.as_bytes()), Envelope::Reply(Some(_), Err(_), _)), "{odd}");
    }
}

#[test]
fn an_id_with_a_point_is_its_number() {
    for id in ["7.0", r#""7.0""#, "7.000"] {
        let text = format!(r#"{{"id":{id},"code":200}}"#);
        assert_eq!(mended(text.as_bytes()).0, Some(7), "{id}");
        assert_eq!(mended(text.as_bytes()).3, ["id_as_float"], "{id}");
    }
}

#[test]
fn what_stands_around_the_text_is_cut() {
    let plain = r#"{"id":"7","code":200,"data":{"a":1}}"#;
    let expected = |reasons| (Some(7), 200, r#"{"a":1}"#.to_owned(), reasons);
    assert_eq!(mended(format!("{plain}\n").as_bytes()), expected(vec![]));
    assert_eq!(mended(format!("{plain}\0").as_bytes()), expected(vec!["trailing_nul"]));
    assert_eq!(mended(format!("{plain}\n\0\0\0").as_bytes()), expected(vec!["trailing_nul"]));
    assert_eq!(mended(format!("\u{feff}{plain}").as_bytes()), expected(vec!["byte_order_mark"]));
    assert_eq!(mended(format!("\u{feff}{plain}\0").as_bytes()), expected(vec!["trailing_nul", "byte_order_mark"]));
}

#[test]
fn zero_bytes_elsewhere_are_no_end() {
    let odd: [&[u8]; 4] = [b"\0", b"\0\0", b"{\"code\":200}\0{}", b"\0{\"code\":200}"];
    for payload in odd {
        assert!(matches!(read(payload), Envelope::Reply(None, Err(_), Repairs::NONE)), "{payload:?}");
    }
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(payload in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert_eq!(request_id(&payload), None);
        prop_assert!(!matches!(read(&payload), Envelope::Reply(_, Ok(_), _)), "few bytes at random are no reply");
    }

    /// Whole but for some bytes, so that it is read far: bytes at random hardly ever begin with `{`.
    #[test]
    fn an_envelope_with_other_bytes_in_it_is_read_or_refused(
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let whole = br#"{"id":"7","code":200,"data":{"a":[1,2.50,null]},"message":"\u00e9"}"#;
        let mut payload = whole.to_vec();
        for (at, byte) in &changes {
            payload[at.index(whole.len())] = *byte;
        }
        if let Envelope::Reply(id, Ok(body), _) = read(&payload) {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&body.data).is_ok(), "{}", body.data);
            prop_assert!(payload != whole || id == Some(CallId::from_u32(7)) && request_id(&payload) == id);
        } else {
            prop_assert!(payload != whole);
        }
    }
}
