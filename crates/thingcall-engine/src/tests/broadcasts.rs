//! Messages for many devices of a product.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use thingcall_core::{BroadcastOrder, BroadcastTo, CallError, CallMode, DeliverError, LetterTo, Qos, Sent};
use thingcall_tsl::ProductSettings;

use crate::Config;
use crate::testbench::{Bench, SECOND, bench, bench_with};

fn order(to: BroadcastTo) -> BroadcastOrder {
    BroadcastOrder { product: "pk1".parse().unwrap(), to, payload: Bytes::from_static(b"x"), qos: Qos::AtMostOnce }
}

fn became(bench: &Bench, result: &str) -> f64 {
    bench.metric(&format!(r#"thingcall_broadcast_messages_total{{result="{result}"}}"#))
}

#[tokio::test(start_paused = true)]
async fn all_devices_of_a_product_are_sent_it_under_one_number() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let wire = seen.clone();
    let bench = bench(move |delivery, _| {
        let letter = delivery.letter.clone().expect("a letter");
        wire.lock().unwrap().push((delivery.id, letter.to.clone(), letter.payload.clone(), delivery.mode));
        Ok(Sent::Sent)
    });
    let id = bench.engine.broadcast(order(BroadcastTo::Everyone)).await.unwrap();
    tokio::time::sleep(SECOND).await;
    let expected = (id, LetterTo::Broadcast, Bytes::from_static(b"x"), CallMode::Async);
    assert_eq!(*seen.lock().unwrap(), [expected]);
    assert_eq!((became(&bench, "sent"), bench.metric("thingcall_broadcasts")), (1.0, 0.0));
    assert!(bench.records.take().is_empty() && bench.pages().is_empty(), "no call of a device");
}

#[tokio::test(start_paused = true)]
async fn a_way_that_has_no_room_for_the_moment_is_tried_again_and_one_that_never_has_is_not_for_ever() {
    let tries = Arc::new(Mutex::new(0));
    let counted = tries.clone();
    let bench = bench(move |_, _| {
        let mut tries = counted.lock().unwrap();
        *tries += 1;
        // The first message finds room at its third try, the second never.
        if *tries == 3 { Ok(Sent::Sent) } else { Err(DeliverError::QueueFull(9)) }
    });
    bench.engine.broadcast(order(BroadcastTo::Everyone)).await.unwrap();
    tokio::time::sleep(SECOND).await;
    assert_eq!((*tries.lock().unwrap(), became(&bench, "sent")), (3, 1.0));
    bench.engine.broadcast(order(BroadcastTo::Everyone)).await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!((*tries.lock().unwrap(), became(&bench, "failed")), (53, 1.0));
}

#[tokio::test(start_paused = true)]
async fn so_many_go_to_all_devices_at_once_and_no_more() {
    let config = Config { broadcasts_max: NonZeroUsize::MIN, ..Config::default() };
    let bench = bench_with(config, ProductSettings::default(), |_, _| Err(DeliverError::QueueFull(9)));
    bench.engine.broadcast(order(BroadcastTo::Everyone)).await.unwrap();
    let refused = bench.engine.broadcast(order(BroadcastTo::Everyone)).await;
    assert!(matches!(&refused, Err(CallError::Overloaded(why)) if why.contains("broadcasts_max")), "{refused:?}");
    tokio::time::sleep(5 * SECOND).await;
    bench.engine.broadcast(order(BroadcastTo::Everyone)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_broadcast_is_told() {
    let bench = bench(|_, _| Ok(Sent::Sent));
    let unknown = BroadcastOrder { product: "pk2".parse().unwrap(), ..order(BroadcastTo::Everyone) };
    assert_eq!(bench.engine.broadcast(unknown).await, Err(CallError::UnknownProduct("pk2".to_owned())));
    // The one way that there is carries none.
    let refused = bench.engine.broadcast(order(BroadcastTo::Topic("/broadcast/pk1/all".into()))).await;
    assert!(matches!(refused, Err(CallError::NotDelivered(_))), "{refused:?}");
    assert_eq!(became(&bench, "failed"), 1.0);
    bench.engine.drain(SECOND).await;
    assert_eq!(bench.engine.broadcast(order(BroadcastTo::Everyone)).await, Err(CallError::Draining));
}
