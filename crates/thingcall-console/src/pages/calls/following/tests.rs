//! A call is told once for each state it is seen in, and what is remembered is bounded.

use serde_json::json;

use super::*;

#[test]
fn a_call_is_told_once_for_each_state() {
    let mut told = Told::default();
    let (waits, ended) = (json!({ "messageId": "1", "state": "sent" }), json!({ "messageId": "1", "outcome": "ok" }));
    assert_eq!([&waits, &waits, &ended, &ended].map(|call| told.is_new(call)), [true, false, true, false]);
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut told = Told::default();
    (0..10_000).for_each(|id| assert!(told.is_new(&json!({ "messageId": id }))));
    assert_eq!((told.known.len(), told.order.len()), (TOLD_MAX, TOLD_MAX));
}
