//! What a simulated device makes of a call.

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
