//! A device speaks and hears under its own topics alone.

use thingcall_core::{CallMode, DropReason, Qos, Transport};

use super::bench::{Bench, Event, delivery};

const REPLY: &str = r#"{"id":"5","code":200,"data":{}}"#;

#[tokio::test]
async fn filters_that_match_no_topic_of_its_own_are_refused() {
    let mut bench = Bench::start().await;
    let (_, mut client) = bench.connected("devA").await;
    for foreign in [
        "/sys/pk1/devB/thing/service/+",
        "/ext/rrpc/+/sys/pk1/devB/thing/service/+",
        "$share/g//sys/pk1/devA/thing/service/+",
        "$share/g//sys/pk1/devB/rrpc/request/+",
    ] {
        assert_eq!(client.subscribe(foreign).await, 0x80, "{foreign}");
    }
    assert_eq!(bench.gauge("subscriptions_refused_total"), 4);
    for own in [
        "/sys/pk1/devA/thing/service/+",
        "/sys/pk1/devA/#",
        "/ext/rrpc/+/sys/pk1/devA/thing/service/Measure",
        "/ext/rrpc/#",
        "/ext/rrpc/+/hello",
        "/sys/+/+/thing/service/property/set",
        "/sys/#",
        "#",
    ] {
        assert_eq!(client.subscribe(own).await, 1, "{own}");
    }
}

#[tokio::test]
async fn wide_filter_brings_nothing_of_another_device() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    for filter in ["#", "/ext/rrpc/#", "/sys/#"] {
        assert_eq!(client.subscribe(filter).await, 1);
    }
    let (other, mut others) = bench.connected("devB").await;
    bench.broker.deliver(&delivery(&other, 1, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    let got = others.message().await;
    others.publish_acked(&got.topic, REPLY).await;
    bench.broker.deliver(&delivery(&device, 9, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(client.message().await.id(), 9, "nothing before the marker, and it once");
}

#[tokio::test]
async fn publish_outside_the_own_tree_is_acknowledged_and_dropped() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    client.publish_acked("/sys/pk1/devB/rrpc/response/5", REPLY).await;
    client.publish_acked("/sys/pk1/devA/thing/+", REPLY).await;
    client.publish_acked("/sys/pk1/devA/rrpc/response/6", REPLY).await;
    for reason in [DropReason::OtherDevicesTopic, DropReason::ForeignTopic] {
        bench.wait(|event| matches!(event, Event::Dropped(told) if *told == reason)).await;
    }
    let reply = bench.reply().await;
    assert_eq!((reply.device, reply.topic_id.unwrap().as_u32()), (device, 6), "only the own one arrives");
}

#[tokio::test]
async fn reply_is_handed_on_as_its_sessions_device() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    client.publish("/sys/pk1/devA/thing/service/Measure_reply", REPLY).await;
    let reply = bench.reply().await;
    assert_eq!(reply.device, device);
    assert_eq!(reply.payload_id.unwrap().as_u32(), 5);
}

#[tokio::test]
async fn own_publish_is_not_echoed() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    let topic = "/ext/rrpc/5/sys/pk1/devA/thing/service/Measure";
    assert_eq!(client.subscribe("/ext/rrpc/+/sys/pk1/devA/thing/service/+").await, 1);
    client.publish(topic, REPLY).await;
    assert_eq!(bench.reply().await.topic_id.unwrap().as_u32(), 5);
    let marker = delivery(&device, 9, CallMode::Sync, Qos::AtMostOnce);
    bench.broker.deliver(&marker).await.unwrap();
    assert_eq!(client.message().await.id(), 9, "nothing before the marker");
}

#[tokio::test]
async fn property_post_counts_as_seen() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    client.publish_acked("/sys/pk1/devA/thing/event/property/post", r#"{"id":"1","params":{}}"#).await;
    bench.wait(|event| matches!(event, Event::Seen(seen) if *seen == device)).await;
}

#[tokio::test]
async fn too_large_a_packet_closes_the_connection() {
    let mut bench = Bench::with(|config| config.message_bytes_max = 1000).await;
    let (device, mut client) = bench.connected("devA").await;
    client.publish("/sys/pk1/devA/thing/event/e/post", &"x".repeat(2000)).await;
    client.closed().await;
    let dropped = bench.wait(|event| matches!(event, Event::Dropped(_))).await;
    assert!(matches!(dropped, Event::Dropped(DropReason::TooLarge)), "{dropped:?}");
    bench.gone(&device).await;
}

#[tokio::test]
async fn answers_in_the_wrong_place_are_told_and_an_applications_own_topics_are_not() {
    let mut bench = Bench::start().await;
    let (_, mut client) = bench.connected("devA").await;
    client.publish_acked("/pk1/devA/user/update", "anything").await;
    client.publish_acked("/sys/pk1/devA/thing/event/property/post", "{}").await;
    for (topic, reason) in [
        ("/sys/pk1/devA/rrpc/request/5", DropReason::RequestTopic),
        ("/sys/pk1/devA/thing/service/Measure", DropReason::NoReplySuffix),
        ("/sys/pk1/devA/rrpc/response", DropReason::RrpcWithoutId),
    ] {
        client.publish_acked(topic, REPLY).await;
        let told = loop {
            if let Event::Dropped(told) = bench.event().await {
                break told;
            }
        };
        assert_eq!(told, reason, "{topic}");
    }
}
