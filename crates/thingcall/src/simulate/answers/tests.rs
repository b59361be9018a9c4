//! What a simulated device makes of a call.

use std::sync::Arc;

use thingcall_tsl::ThingModel;

use super::{Behaviour, answer, asked, reply_topic};

const PAYLOAD: &str = r#"{"id":"17","version":"1.0","params":{"a":10.0},"method":"thing.service.fb:do"}"#;

#[test]
fn a_call_is_read_as_it_stands() {
    let call = asked("/sys/p/d/thing/service/fb:do", PAYLOAD.as_bytes()).expect("a call");
    assert_eq!((call.id.as_str(), call.service.as_str(), call.params.as_str()), ("17", "fb:do", r#"{"a":10.0}"#));
}

#[test]
fn the_own_answer_come_back_is_no_call() {
    assert_eq!(asked("/ext/rrpc/1/sys/p/d/thing/service/do", br#"{"id":"17","code":200,"data":{}}"#), None);
}

#[test]
fn each_topic_form_has_its_answer_topic() {
    assert_eq!(reply_topic("/ext/rrpc/1/sys/p/d/thing/service/do"), "/ext/rrpc/1/sys/p/d/thing/service/do");
    assert_eq!(reply_topic("/sys/p/d/rrpc/request/1"), "/sys/p/d/rrpc/response/1");
    assert_eq!(reply_topic("/sys/p/d/thing/service/do"), "/sys/p/d/thing/service/do_reply");
}

#[test]
fn a_wrong_id_is_never_the_right_one() {
    let call = asked("/sys/p/d/thing/service/fb:do", PAYLOAD.as_bytes()).expect("a call");
    let answered = answer(&call, None, Behaviour { wrong_id: true, ..Behaviour::default() }, 0);
    assert!(!answered.payload.contains(r#""id":"17""#), "{}", answered.payload);
}

#[test]
fn a_failing_device_says_its_code() {
    let call = asked("/sys/p/d/thing/service/fb:do", PAYLOAD.as_bytes()).expect("a call");
    let answered = answer(&call, None, Behaviour { code: 460, ..Behaviour::default() }, 0);
    assert_eq!(answered.payload, r#"{"id":"17","code":460,"data":{},"message":"simulated failure"}"#);
}

#[test]
fn an_input_is_sent_back_only_where_it_fits_the_output() {
    let file = include_str!("../../../../../tests/fixtures/cases/11_simulator_echo.json");
    let model = Arc::new(ThingModel::parse(file, &[]).expect("right"));
    let (_, service) = model.services().next().expect("one");
    for (input, sent_back) in [(0, false), (1, true), (2, true)] {
        let payload = format!(r#"{{"id":"1","params":{{"LockType":{input}}},"method":"thing.service.GetKeyList"}}"#);
        let call = asked("/sys/p/d/thing/service/GetKeyList", payload.as_bytes()).expect("a call");
        for seed in 0..20 {
            let answered = answer(&call, Some(&model), Behaviour::default(), seed);
            let answer: serde_json::Value = serde_json::from_str(&answered.payload).expect("JSON");
            assert_eq!(service.check_reply(&answer["data"].to_string()), Ok(()), "{}", answered.payload);
            assert!(!sent_back || answer["data"]["LockType"] == input, "{}", answered.payload);
        }
    }
}
