//! Names and what is none.

use super::*;

#[test]
fn a_name_is_equal_to_itself_alone() {
    let text = String::from("factory-2");
    assert_eq!(TransportName::new(&text), TransportName::new("factory-2"));
    assert_ne!(TransportName::new("factory-2"), TransportName::new("factory-3"));
    assert_eq!(TransportName::new("amqp"), Some(TransportName::AMQP));
}

#[test]
fn what_cannot_be_a_key_of_a_table_is_no_name() {
    for text in ["", "a b", "a.b", "ü", &"x".repeat(TransportName::BYTES_MAX + 1)] {
        assert_eq!(TransportName::new(text), None, "{text:?}");
    }
    assert!(TransportName::new(&"x".repeat(TransportName::BYTES_MAX)).is_some());
}
