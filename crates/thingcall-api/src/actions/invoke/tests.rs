//! What stands in `Result`.

use super::*;

fn body(code: i64, message: Option<&str>) -> ReplyBody {
    ReplyBody { code, message: message.map(str::to_owned), data: r#"{"f":10.0}"#.to_owned() }
}

#[test]
fn bare_data_fails_where_the_device_did() {
    let right = replied(ResultShape::Data, body(200, None)).unwrap();
    assert!(matches!(right, Replied::Data(data) if data == r#"{"f":10.0}"#));
    let failure = replied(ResultShape::Data, body(460, Some("too hot"))).unwrap_err();
    assert_eq!(failure.outcome(), Outcome::DeviceError);
    let ActionError::Service(failure) = failure else { panic!("{failure:?}") };
    assert_eq!(failure.code, ErrorCode::InvokeThingServiceFailed);
    assert!(failure.text.contains("460: too hot"), "{}", failure.text);
}
