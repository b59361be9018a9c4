//! What is kept, for how long, and what comes out.

use thingcall_core::CallId;

use super::*;

const TOPIC: &str = "/sys/pk/d1/rrpc/response/1";

fn foreign(replies: usize, bytes: usize) -> (Foreign, Registry) {
    let registry = Registry::new();
    (Foreign::register(&registry, TransportName::MQTT, KeptMax { replies, bytes }).unwrap(), registry)
}

fn of(slot: u8, counter: u32) -> ReplyIds {
    ReplyIds { payload: Some(CallId::new(slot, counter)), topic: None }
}

fn payloads(taken: &[(String, Bytes)]) -> Vec<&[u8]> {
    assert!(taken.iter().all(|(topic, _)| topic == TOPIC));
    taken.iter().map(|(_, payload)| &**payload).collect()
}

#[tokio::test(start_paused = true)]
async fn replies_of_a_slot_come_out_when_it_is_taken_over_and_others_stay() {
    let (foreign, _registry) = foreign(8, 1000);
    let slots = Slots::alone(0);
    for (slot, payload) in [(1, "a"), (2, "b"), (1, "c")] {
        assert!(foreign.keep(&slots, of(slot, 1), TOPIC, payload.as_bytes()));
    }
    assert!(foreign.taken_over(&slots).is_empty());
    slots.take(1);
    assert_eq!(payloads(&foreign.taken_over(&slots)), [b"a", b"c"]);
    assert!(foreign.taken_over(&slots).is_empty(), "each once");
    slots.take(2);
    assert_eq!(payloads(&foreign.taken_over(&slots)), [b"b"]);
    assert_eq!((foreign.metrics.replayed.get(), foreign.metrics.pushed_out.get()), (3, 0));
    assert_eq!((foreign.metrics.replies.get(), foreign.metrics.bytes.get()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_is_ours_by_now_is_not_kept() {
    let (foreign, _registry) = foreign(8, 1000);
    let slots = Slots::alone(0);
    slots.take(1);
    assert!(!foreign.keep(&slots, of(1, 1), TOPIC, b"a"), "it is to be heard");
    assert!(foreign.taken_over(&slots).is_empty());
}

#[tokio::test(start_paused = true)]
async fn replies_are_kept_for_so_long() {
    let (foreign, _registry) = foreign(8, 1000);
    let slots = Slots::alone(0);
    foreign.keep(&slots, of(1, 1), TOPIC, b"a");
    tokio::time::advance(KEPT_FOR - Duration::from_millis(1)).await;
    foreign.tidy();
    assert_eq!(foreign.metrics.replies.get(), 1);
    foreign.keep(&slots, of(1, 1), TOPIC, b"b");
    tokio::time::advance(Duration::from_millis(1)).await;
    foreign.tidy();
    assert_eq!(foreign.metrics.replies.get(), 1);
    slots.take(1);
    assert_eq!(payloads(&foreign.taken_over(&slots)), [b"b"]);
    assert_eq!(foreign.metrics.pushed_out.get(), 0, "their time was over");
}

#[tokio::test(start_paused = true)]
async fn the_oldest_make_room_and_are_counted() {
    let bytes = 3 * (TOPIC.len() + 1);
    for (replies, bytes) in [(3, 1000), (1000, bytes)] {
        let (foreign, _registry) = foreign(replies, bytes);
        let slots = Slots::alone(0);
        for payload in [b"a", b"b", b"c", b"d", b"e"] {
            foreign.keep(&slots, of(1, 1), TOPIC, payload);
        }
        assert_eq!((foreign.metrics.replies.get(), foreign.metrics.pushed_out.get()), (3, 2));
        slots.take(1);
        assert_eq!(payloads(&foreign.taken_over(&slots)), [b"c", b"d", b"e"]);
    }
    let (foreign, _registry) = foreign(3, 10);
    let slots = Slots::alone(0);
    assert!(foreign.keep(&slots, of(1, 1), TOPIC, b"too large"));
    assert_eq!((foreign.metrics.replies.get(), foreign.metrics.pushed_out.get()), (0, 1));
}

/// Slots change hands while replies come: each is either heard or kept.
#[test]
fn no_reply_falls_between_a_look_and_a_take_over() {
    const REPLIES: u32 = 20_000;
    let (foreign, _registry) = foreign(REPLIES as usize, usize::MAX);
    let slots = Slots::alone(0);
    let heard = std::thread::scope(|scope| {
        let receiver = scope.spawn(|| {
            let mut heard = 0;
            for counter in 0..REPLIES {
                let ids = of(1, counter);
                if ids.is_anothers(|id| slots.holds(id)) && foreign.keep(&slots, ids, TOPIC, b"a") {
                    continue;
                }
                heard += 1;
            }
            heard
        });
        while foreign.metrics.replies.get() < 100 {
            std::thread::yield_now();
        }
        slots.take(1);
        foreign.taken_over(&slots).len() + receiver.join().unwrap()
    });
    assert_eq!(heard, REPLIES as usize);
    assert!(foreign.taken_over(&slots).is_empty());
}
