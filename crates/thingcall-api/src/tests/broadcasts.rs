//! PubBroadcast as its callers see it, and Pub on a topic of many.

use expect_test::expect;
use thingcall_core::{Answer, BroadcastOrder, BroadcastTo, Qos};

use super::bench::{Received, Server, Setup};

const PRODUCT: (&str, &str) = ("ProductKey", "a1BwAGVxxxx");
const TOPIC: (&str, &str) = ("TopicFullName", "/broadcast/a1BwAGVxxxx/all");
const CONTENT: (&str, &str) = ("MessageContent", "aGVsbG8=");

async fn server() -> Server {
    unlimited(|_| {}).await
}

/// One that takes broadcasts as they come, but for what is `set`.
async fn unlimited(set: impl FnOnce(&mut crate::Config)) -> Server {
    let mut setup = Setup { script: Box::new(|_| Some(Ok(Answer::Accepted))), ..Setup::default() };
    (setup.config.broadcasts_per_second_max, setup.config.broadcasts_to_all_per_minute_max) = (0, 0);
    set(&mut setup.config);
    setup.start().await
}

fn ordered(server: &Server) -> Option<BroadcastOrder> {
    server.engine.broadcasts.lock().unwrap().pop()
}

async fn broadcast(server: &Server, params: &[(&str, &str)]) -> Received {
    server.acs3("PubBroadcast", params).await
}

#[tokio::test]
async fn message_goes_to_a_topic_or_to_everyone() {
    let server = server().await;
    expect![[r#"{"RequestId":"[id]","Success":true,"MessageId":100687}"#]]
        .assert_eq(&broadcast(&server, &[PRODUCT, TOPIC, CONTENT]).await.golden());
    let order = ordered(&server).expect("an order");
    assert_eq!((&order.to, order.qos), (&BroadcastTo::Topic(TOPIC.1.into()), Qos::AtMostOnce));
    assert_eq!((order.product.as_str(), &*order.payload), (PRODUCT.1, &b"hello"[..]));
    assert_eq!(broadcast(&server, &[PRODUCT, CONTENT, ("TopicFullName", "")]).await.code(), "");
    assert_eq!(ordered(&server).map(|order| order.to), Some(BroadcastTo::Everyone));
}

#[tokio::test]
async fn pub_on_a_topic_of_many_is_a_broadcast_whatever_device_it_names() {
    let server = server().await;
    for device in [&[][..], &[("DeviceName", "light1")]] {
        let answer = server.acs3("Pub", &[&[PRODUCT, TOPIC, CONTENT, ("Qos", "1")], device].concat()).await;
        assert_eq!(answer.json()["MessageId"], "100687");
        let order = ordered(&server).expect("an order");
        assert_eq!((order.to, order.qos), (BroadcastTo::Topic(TOPIC.1.into()), Qos::AtLeastOnce));
    }
    let answer = server.acs3("Pub", &[PRODUCT, TOPIC, CONTENT, ("ContentType", "text/plain")]).await;
    assert_eq!(answer.code(), "iot.messagebroker.PublishMessageFailed");
    assert!(server.engine.requests.lock().unwrap().is_empty(), "no device is sent it by itself");
}

#[tokio::test]
async fn what_is_no_broadcast_is_refused_by_the_platform_s_codes() {
    let server = server().await;
    let code = async |params: &[(&str, &str)]| broadcast(&server, params).await.code();
    assert_eq!(code(&[TOPIC, CONTENT]).await, "iot.prod.NullProductKey");
    assert_eq!(code(&[("ProductKey", "a/b"), CONTENT]).await, "iot.prod.InvalidFormattedProductkey");
    assert_eq!(code(&[("ProductKey", "a1Unknown"), CONTENT]).await, "iot.prod.NotExistedProduct");
    assert_eq!(code(&[PRODUCT, TOPIC]).await, "iot.messagebroker.NullMessageContent");
    let plain = [PRODUCT, TOPIC, ("MessageContent", "no base64!")];
    assert_eq!(code(&plain).await, "iot.messagebroker.MessageContentIsNotBase64Encode");
    // Who looks for the request that failed finds it.
    let told = server.engine.told.lock().unwrap();
    assert!(told.iter().any(|(failure, signed)| *signed && failure.text.contains("a1Unknown")), "{told:?}");
}

#[tokio::test]
async fn account_broadcasts_so_often_and_no_more() {
    let server = unlimited(|config| {
        (config.broadcasts_per_second_max, config.broadcasts_to_all_per_minute_max) = (1, 1);
    });
    let server = server.await;
    let to_all = async || broadcast(&server, &[PRODUCT, CONTENT]).await;
    assert_eq!(to_all().await.code(), "");
    let throttled = to_all().await;
    assert_eq!(throttled.code(), "Throttling.User");
    let text = throttled.json()["Message"].as_str().unwrap().to_owned();
    assert!(text.contains("1 PubBroadcast without a TopicFullName a minute"), "{text}");
    // Those on topics have a quota of their own.
    assert_eq!(broadcast(&server, &[PRODUCT, TOPIC, CONTENT]).await.code(), "");
    assert_eq!(broadcast(&server, &[PRODUCT, TOPIC, CONTENT]).await.code(), "Throttling.User");
}
