//! What may be asked of a call that is tried.

use thingcall_core::CallMode;

use super::{REPLIES_MAX, Wanted};

#[test]
fn what_is_not_said_has_a_value_and_what_is_blank_is_not_said() {
    let wanted = Wanted::read("service=testFb:testService&product=&reply=+&mode=").expect("right");
    assert_eq!((wanted.device.to_string(), wanted.args.as_str()), ("a1TestProduct/dev1".to_owned(), "{}"));
    assert!(wanted.mode.is_none() && wanted.replies.is_empty());
    let wanted = Wanted::read("service=s&mode=async&reply=offline&reply=%7B%7D&args=%7B%22a%22:1%7D").expect("right");
    assert_eq!((wanted.mode, wanted.replies.len(), wanted.args.as_str()), (Some(CallMode::Async), 2, r#"{"a":1}"#));
}

#[test]
fn what_is_wrong_is_named() {
    let many = format!("service=s{}", "&reply=offline".repeat(REPLIES_MAX + 1));
    for (query, text) in [
        ("product=x", "service: it is missing"),
        ("service=a:b:c", "service: "),
        ("service=s&mode=soon", "mode: right is sync or async"),
        ("service=s&reply=late", "reply: "),
        ("service=s&speed=1", "speed: right are product"),
        (&many, "reply: at most 16"),
    ] {
        let why = Wanted::read(query).expect_err(query);
        assert!(why.starts_with(text), "{query}: {why}");
    }
}
