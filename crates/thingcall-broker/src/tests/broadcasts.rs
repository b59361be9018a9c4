//! What is told many devices of a product.

use bytes::Bytes;
use thingcall_core::{Broadcast, CallId, NotBroadcast, Qos, Transport};

use super::bench::Bench;

fn broadcast(topic: &str, qos: Qos) -> Broadcast {
    let (id, product) = (CallId::from_u32(7), "pk1".parse().unwrap());
    Broadcast { id, product, topic: topic.into(), payload: Bytes::from_static(b"hello"), qos }
}

#[tokio::test]
async fn those_hear_it_that_subscribed_and_until_they_unsubscribe() {
    let mut bench = Bench::start().await;
    let (_, mut all) = bench.connected("devA").await;
    let (_, mut one) = bench.connected("devB").await;
    let (_, mut none) = bench.connected("devC").await;
    assert_eq!(all.subscribe("/broadcast/pk1/#").await, 1);
    assert_eq!(one.subscribe("/broadcast/pk1/floor2").await, 1);
    assert_eq!(none.subscribe("/pk1/devC/user/#").await, 1);
    let tell = async |topic: &str, qos| bench.broker.broadcast(&broadcast(topic, qos)).await;
    assert_eq!(tell("/broadcast/pk1/floor1", Qos::AtMostOnce).await, Ok(1));
    assert_eq!(tell("/broadcast/pk1/floor2", Qos::AtLeastOnce).await, Ok(2));
    let got = all.message().await;
    assert_eq!((got.topic.as_str(), &*got.payload, got.qos), ("/broadcast/pk1/floor1", &b"hello"[..], 0));
    for client in [&mut all, &mut one] {
        let got = client.message().await;
        assert_eq!((got.topic.as_str(), got.qos), ("/broadcast/pk1/floor2", 1));
        client.ack(&got).await;
    }
    one.unsubscribe("/broadcast/pk1/floor2").await;
    assert_eq!(tell("/broadcast/pk1/floor2", Qos::AtMostOnce).await, Ok(1));
}

#[tokio::test]
async fn no_device_hears_another_product_s() {
    let mut bench = Bench::start().await;
    let (_, mut client) = bench.connected("devA").await;
    for filter in ["/broadcast/pk2/all", "/broadcast/pk2/#"] {
        assert_eq!(client.subscribe(filter).await, 0x80, "{filter}");
    }
    // What matches both is granted, and its own product's is what it hears.
    assert_eq!(client.subscribe("/broadcast/+/all").await, 1);
    let foreign = Broadcast { product: "pk2".parse().unwrap(), ..broadcast("/broadcast/pk2/all", Qos::AtMostOnce) };
    assert_eq!(bench.broker.broadcast(&foreign).await, Ok(0));
    assert_eq!(bench.broker.broadcast(&broadcast("/broadcast/pk1/all", Qos::AtMostOnce)).await, Ok(1));
    assert_eq!(client.message().await.topic, "/broadcast/pk1/all");
    let refused = bench.broker.broadcast(&broadcast("/broadcast/pk2/all", Qos::AtMostOnce)).await;
    assert!(matches!(refused, Err(NotBroadcast::Topic(_))), "{refused:?}");
}

#[tokio::test]
async fn as_many_filters_are_kept_of_a_device_as_may_be() {
    let mut bench = Bench::start().await;
    let (_, mut client) = bench.connected("devA").await;
    for number in 0..50 {
        assert_eq!(client.subscribe(&format!("/broadcast/pk1/{number}")).await, 1);
    }
    assert_eq!(client.subscribe("/broadcast/pk1/7").await, 1, "it is there");
    assert_eq!(client.subscribe("/broadcast/pk1/50").await, 0x80);
    client.unsubscribe("/broadcast/pk1/7").await;
    assert_eq!(client.subscribe("/broadcast/pk1/50").await, 1);
}
