//! What is an id and what is not.

use super::*;

#[test]
fn a_topic_cannot_be_changed_through_a_name() {
    for text in ["", "a/b", "a+", "#", "a b", "a\n", "a&b", "a|b", "é", &"x".repeat(33)] {
        assert!(ProductKey::try_from(text).is_err(), "{text:?}");
        assert!(DeviceName::try_from(text).is_err(), "{text:?}");
    }
}

#[test]
fn names_take_what_alibaba_documents() {
    assert_eq!(ProductKey::try_from("a1BwAGVxxxx").unwrap().as_str(), "a1BwAGVxxxx");
    assert_eq!(DeviceName::try_from("dev-1_2@x.y:z").unwrap().to_string(), "dev-1_2@x.y:z");
}

#[test]
fn a_service_is_named_alone_or_with_its_module() {
    let plain = ServiceId::try_from("Measure").unwrap();
    assert_eq!((plain.module.is_none(), plain.to_string()), (true, "Measure".to_owned()));
    let module = ServiceId::try_from("testFb:testService").unwrap();
    assert_eq!(module.module.as_ref().unwrap().as_str(), "testFb");
    assert_eq!(module.to_string(), "testFb:testService");
    for text in ["", ":", "a:", ":b", "a:b:c", "a.b"] {
        assert!(ServiceId::try_from(text).is_err(), "{text:?}");
    }
}

#[test]
fn a_call_id_keeps_its_slot_whatever_the_counter() {
    let id = CallId::new(63, u32::MAX);
    assert_eq!((id.slot(), id.as_u32()), (63, u32::MAX));
    assert_eq!(CallId::new(1, 1 << 26), CallId::new(1, 0));
}

#[test]
fn a_call_id_is_plain_decimal() {
    assert_eq!("4294967295".parse(), Ok(CallId::from_u32(u32::MAX)));
    assert_eq!(("0".parse(), "00000000000".parse()), (Ok(CallId::from_u32(0)), Ok(CallId::from_u32(0))));
    assert_eq!("000004294967295".parse(), Ok(CallId::from_u32(u32::MAX)));
    for text in ["", "+1", "-1", "1.0", " 1", "4294967296", "9999999999", "99999999999", "1|exp"] {
        assert!(text.parse::<CallId>().is_err(), "{text:?}");
    }
}

#[test]
fn an_error_says_what_would_be_right() {
    let error = DeviceName::try_from("a/b").unwrap_err();
    assert_eq!(error.to_string(), r#""a/b" is not a device name: 1 to 32 of A-Z a-z 0-9 - _ @ . :"#);
}

#[test]
fn a_request_id_reads_as_alibabas() {
    let text = RequestId::random().to_string();
    assert_eq!((text.len(), text.to_uppercase()), (36, text));
}
