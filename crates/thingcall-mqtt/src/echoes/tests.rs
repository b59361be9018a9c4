//! Which of the messages on a shared topic are our own.

use bytes::Bytes;
use proptest::prelude::*;
use thingcall_core::TransportKind;

use super::*;

fn message(topic_id: Option<u32>, payload: &[u8]) -> RawReply {
    RawReply {
        device: thingcall_core::DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() },
        transport: TransportKind::Mqtt,
        topic_id: topic_id.map(CallId::from_u32),
        service: None,
        payload: Bytes::copy_from_slice(payload),
    }
}

fn expecting(id: u32, payload: &[u8]) -> Echoes {
    let echoes = Echoes::default();
    echoes.expect(CallId::from_u32(id), payload);
    echoes
}

#[test]
fn an_echo_is_taken_once() {
    let echoes = expecting(1, b"a");
    assert!(echoes.take(&message(Some(1), b"a")));
    assert!(!echoes.take(&message(Some(1), b"a")));
}

#[test]
fn an_answer_before_the_echo_is_not_taken_for_it() {
    let echoes = expecting(1, b"a");
    assert!(!echoes.take(&message(Some(1), b"b")));
    assert!(!echoes.take(&message(Some(2), b"a")));
    assert!(!echoes.take(&message(None, b"a")));
    assert!(echoes.take(&message(Some(1), b"a")));
}

#[test]
fn what_did_not_leave_does_not_come_back() {
    let echoes = expecting(1, b"a");
    echoes.forget(CallId::from_u32(1));
    assert!(!echoes.take(&message(Some(1), b"a")));
    let echoes = expecting(1, b"a");
    echoes.forget_all();
    assert!(!echoes.take(&message(Some(1), b"a")));
}

#[test]
fn echoes_that_never_come_take_bounded_room() {
    let echoes = Echoes::default();
    let many = u32::try_from(MESSAGES_MAX).unwrap() + 10;
    for id in 0..many {
        echoes.expect(CallId::from_u32(id), b"a");
    }
    assert_eq!(echoes.lock().len(), MESSAGES_MAX);
    assert!(!echoes.take(&message(Some(9), b"a")));
    assert!(echoes.take(&message(Some(many - 1), b"a")));
}

#[test]
fn echoes_that_all_come_take_bounded_room_too() {
    let echoes = Echoes::default();
    for id in 0..u32::try_from(MESSAGES_MAX).unwrap() * 2 {
        echoes.expect(CallId::from_u32(id), b"a");
        assert!(echoes.take(&message(Some(id), b"a")));
    }
    assert!(echoes.lock().is_empty());
}

proptest! {
    /// Whatever comes in whatever order, each message that was sent accounts for one, and all others are heard.
    #[test]
    fn each_message_accounts_for_one_of_its_bytes(
        sent in proptest::collection::hash_map(0_u32..8, 0_u8..3, 0..8),
        came in proptest::collection::vec((0_u32..8, 0_u8..3), 0..40),
    ) {
        let echoes = Echoes::default();
        for (id, byte) in &sent {
            echoes.expect(CallId::from_u32(*id), &[*byte]);
        }
        let mut left = sent;
        for (id, byte) in came {
            let ours = left.get(&id) == Some(&byte);
            if ours {
                left.remove(&id);
            }
            prop_assert_eq!(echoes.take(&message(Some(id), &[byte])), ours);
        }
    }
}
