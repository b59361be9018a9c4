//! How `--reply` is read.

use thingcall_core::ReplyBody;

use super::Reply;

fn body(code: i64, message: Option<&str>, data: &str) -> Reply {
    Reply::Body(ReplyBody { code, message: message.map(str::to_owned), data: data.to_owned() })
}

#[test]
fn a_reply_is_data_or_an_answer_with_a_code_or_a_word() {
    for (text, reply) in [
        ("timeout", Reply::Timeout),
        ("offline", Reply::Offline),
        (r#"{"value":10.0}"#, body(200, None, r#"{"value":10.0}"#)),
        (r#"{"code":460,"message":"no"}"#, body(460, Some("no"), "{}")),
        (r#"{"code":200,"data":{"b":1.0,"a":2}}"#, body(200, None, r#"{"b":1.0,"a":2}"#)),
        (r#"{"code":"K1"}"#, body(200, None, r#"{"code":"K1"}"#)),
    ] {
        assert_eq!(text.parse(), Ok(reply), "{text}");
    }
}

#[test]
fn what_is_no_reply_is_told_what_would_be_one() {
    for text in ["late", "[1]", r#"{"code":200,"date":{}}"#] {
        let why = text.parse::<Reply>().expect_err(text);
        assert!(why.contains("value") || why.contains("data"), "{why}");
    }
}
