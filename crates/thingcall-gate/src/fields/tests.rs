//! How questions are read, and which are not.

use proptest::prelude::*;

use super::*;

fn json(text: &str) -> Result<Vec<(String, String)>, Unreadable> {
    Fields::of_json(text.as_bytes()).map(|fields| fields.0)
}

#[test]
fn texts_numbers_and_truth_values_are_texts() {
    let fields = Fields::of_json(br#"{"a":"\u0041","n":4,"b":false,"none":null}"#).unwrap();
    assert_eq!((fields.get("a"), fields.get("n"), fields.get("b")), (Some("A"), Some("4"), Some("false")));
    assert_eq!(fields.get("none"), None);
    assert_eq!(fields.need("none"), Err(Unreadable::Missing("none")));
    let fields = Fields::of_form(b"a=1+2&b=%26%3d&c").unwrap();
    assert_eq!((fields.get("a"), fields.get("b"), fields.get("c")), (Some("1 2"), Some("&="), Some("")));
}

#[test]
fn what_could_be_read_in_two_ways_is_not_read() {
    assert_eq!(json(r#"{"a":"1","a":"2"}"#), Err(Unreadable::Twice));
    assert_eq!(json(r#"{"a":["1"]}"#), Err(Unreadable::Json));
    assert_eq!(json(r#"{"a":{}}"#), Err(Unreadable::Json));
    assert_eq!(json("[]"), Err(Unreadable::Json));
    assert_eq!(json(r#"{"a":"1"} x"#), Err(Unreadable::Json));
    assert_eq!(Fields::of_form(b"a=1&a=2").err(), Some(Unreadable::Twice));
    assert_eq!(Fields::of_form(b"a=%ff").err(), Some(Unreadable::NoText));
    let many: String = (0..=FIELDS_MAX).map(|n| format!("f{n}=x&")).collect();
    assert_eq!(Fields::of_form(many.as_bytes()).err(), Some(Unreadable::TooMany));
}

proptest! {
    #[test]
    fn no_bytes_are_too_odd(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..60)) {
        let _read = Fields::of_form(&bytes);
        prop_assert!(Fields::of_json(&bytes).is_err(), "few bytes at random are no object");
    }

    /// Whole but for one byte, so that it is read far: bytes at random hardly ever begin with `{`.
    #[test]
    fn an_object_with_another_byte_in_it_is_read_or_refused(at: proptest::sample::Index, byte: u8) {
        let text = br#"{"clientid":"c","username":"d&p","password":"\u00e9","n":1}"#;
        let mut bytes = text.to_vec();
        bytes[at.index(text.len())] = byte;
        let general = serde_json::from_slice::<Value>(&bytes);
        prop_assert!(Fields::of_json(&bytes).is_err() || general.is_ok_and(|value| value.is_object()));
        prop_assert!(Fields::of_json(text).is_ok());
    }
}
