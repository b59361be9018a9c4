//! What stands in `Result`.

use super::*;

fn body(code: i64, message: Option<&str>) -> ReplyBody {
    ReplyBody { code, message: message.map(str::to_owned), data: r#"{"f":10.0}"#.to_owned() }
}

#[test]
fn the_envelope_is_the_reply_in_the_order_of_the_samples() {
    let id = CallId::from_u32(100_686);
    assert_eq!(
        result(ResultShape::Envelope, id, body(200, None)).unwrap(),
        r#"{"code":200,"data":{"f":10.0},"id":"100686","message":"success","version":"1.0"}"#
    );
    assert_eq!(
        result(ResultShape::Envelope, id, body(460, Some("a\"b"))).unwrap(),
        r#"{"code":460,"data":{"f":10.0},"id":"100686","message":"a\"b","version":"1.0"}"#
    );
}

#[test]
fn a_device_that_failed_without_words_is_not_said_to_have_succeeded() {
    let text = result(ResultShape::Envelope, CallId::from_u32(1), body(460, None)).unwrap();
    assert!(text.contains(r#""message":"""#), "{text}");
}

#[test]
fn bare_data_fails_where_the_device_did() {
    let id = CallId::from_u32(1);
    assert_eq!(result(ResultShape::Data, id, body(200, None)).unwrap(), r#"{"f":10.0}"#);
    let failure = result(ResultShape::Data, id, body(460, Some("too hot"))).unwrap_err();
    assert_eq!(failure.outcome(), Outcome::DeviceError);
    let ActionError::Service(failure) = failure else { panic!("{failure:?}") };
    assert_eq!(failure.code, ErrorCode::InvokeThingServiceFailed);
    assert!(failure.text.contains("460: too hot"), "{}", failure.text);
}
