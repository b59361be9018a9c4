//! What a person reads of an answer.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::json;

use super::{as_json, as_text};
use crate::client::FrontAnswer;

fn answered(text: &'static str) -> FrontAnswer {
    FrontAnswer { status: StatusCode::OK, text: Bytes::from(text), took: Duration::from_micros(12_340) }
}

#[test]
fn a_failure_says_code_words_and_request() {
    let answered = answered(r#"{"RequestId":"R","Success":false,"Code":"iot.x","ErrorMessage":"because"}"#);
    let body = answered.body().expect("an answer");
    assert_eq!(as_text(&answered, &body), "failed in 12.3 ms (HTTP 200)\n  iot.x\n  because\n  request R");
}

#[test]
fn a_result_is_shown_as_json_and_not_as_text() {
    let answered = answered(
        r#"{"RequestId":"R","Success":true,"Data":{"MessageId":"7","Result":"{\"code\":200,\"data\":{\"a\":10.0}}"}}"#,
    );
    let body = answered.body().expect("an answer");
    let shown = as_json(&answered, &body);
    assert_eq!(shown["result"]["code"], json!(200));
    assert_eq!(shown["result"]["data"]["a"].to_string(), "10.0");
    assert!(shown.get("code").is_none());
}

#[test]
fn an_asynchronous_call_says_where_its_result_comes() {
    let answered = answered(r#"{"RequestId":"R","Success":true,"Data":{"MessageId":"7"}}"#);
    let body = answered.body().expect("an answer");
    assert!(as_text(&answered, &body).ends_with("thingcall explain 7"));
}
