//! A call's answer says the same in every form.

use proptest::prelude::*;

use super::super::json;
use super::*;

fn body(code: i64, message: Option<&str>) -> ReplyBody {
    ReplyBody { code, message: message.map(str::to_owned), data: r#"{"f":10.0}"#.to_owned() }
}

#[test]
fn the_envelope_is_the_reply_in_the_order_of_the_samples() {
    let id = CallId::from_u32(100_686);
    assert_eq!(
        envelope(id, &body(200, None)),
        r#"{"code":200,"data":{"f":10.0},"id":"100686","message":"success","version":"1.0"}"#
    );
    assert_eq!(
        envelope(id, &body(460, Some("a\"b"))),
        r#"{"code":460,"data":{"f":10.0},"id":"100686","message":"a\"b","version":"1.0"}"#
    );
}

#[test]
fn a_device_that_failed_without_words_is_not_said_to_have_succeeded() {
    let text = envelope(CallId::from_u32(1), &body(460, None));
    assert!(text.contains(r#""message":"""#), "{text}");
}

fn replied() -> impl Strategy<Value = Replied> {
    let text = "([a-z]|[\"\\\\/\u{8}\u{c}\n\r\t\u{0}-\u{1f}é𝄞]){0,16}";
    let message = prop::option::of(prop_oneof![text, Just("success".to_owned())]);
    let data = prop_oneof![text.prop_map(|text| serde_json::to_string(&text).unwrap()), Just("{}".to_owned())];
    let body = (prop_oneof![Just(200), any::<i64>()], message, data.clone());
    let body = body.prop_map(|(code, message, data)| ReplyBody { code, message, data });
    prop_oneof![
        Just(()).prop_map(|()| Replied::Nothing),
        body.prop_map(Replied::Envelope),
        data.prop_map(Replied::Data)
    ]
}

proptest! {
    #[test]
    fn json_is_what_the_tree_would_be(id in any::<u32>(), result in replied()) {
        let (called, request) = (Called { id: CallId::from_u32(id), result }, RequestId::random());
        let written = called.json(request);
        let mut fields = vec![("RequestId", text(request.to_string())), ("Success", Node::Flag(true))];
        fields.extend(called.into_fields());
        prop_assert_eq!(std::str::from_utf8(&written).unwrap(), String::from_utf8(json::document(&fields)).unwrap());
    }

    #[test]
    fn texts_are_escaped_as_another_library_does(text in "\\PC{0,16}|[\u{0}-\u{7f}]{0,16}") {
        let mut out = Vec::new();
        string(&mut out, &text);
        prop_assert_eq!(String::from_utf8(out).unwrap(), serde_json::to_string(&text).unwrap());
    }
}
