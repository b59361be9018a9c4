//! What a connected device is told.

use std::num::NonZeroU16;
use std::time::Duration;

use thingcall_core::{Args, CallMode, Deadline, DeliverError, Presence, Qos, Sent, SyncTopic, Transport};
use tokio::time::Instant;

use crate::Config;

use super::bench::{Bench, Event, delivery, key, login_as};

#[tokio::test]
async fn device_without_subscription_is_told_on_its_rrpc_topic() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    assert_eq!(bench.broker.presence(&device), Presence::Online);
    let sent = bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await;
    assert_eq!(sent, Ok(Sent::Sent));
    let got = client.message().await;
    assert_eq!((got.topic.as_str(), got.qos), ("/sys/pk1/devA/rrpc/request/7", 0));
}

#[tokio::test]
async fn device_with_subscription_is_told_once() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    for filter in ["/sys/pk1/devA/rrpc/request/+", "/sys/pk1/devA/#"] {
        assert_eq!(client.subscribe(filter).await, 1);
    }
    for id in [7, 8] {
        bench.broker.deliver(&delivery(&device, id, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    }
    assert_eq!(client.message().await.id(), 7);
    assert_eq!(client.message().await.id(), 8);
}

#[tokio::test]
async fn ext_device_is_told_on_its_ext_topic() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let mut client = bench.open(&login_as(&device, "c|ext=3,securemode=3|")).await.unwrap();
    bench.wait(|event| matches!(event, Event::Online(_))).await;
    bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(client.message().await.topic, "/ext/rrpc/7/sys/pk1/devA/thing/service/Measure");
}

#[tokio::test]
async fn products_topic_is_used_for_a_device_without_ext() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    let mut call = delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce);
    call.sync_topic = Some(SyncTopic::Service);
    bench.broker.deliver(&call).await.unwrap();
    assert_eq!(client.message().await.topic, "/sys/pk1/devA/thing/service/Measure");
}

#[tokio::test]
async fn absent_device_is_offline_except_for_what_is_kept() {
    let bench = Bench::start().await;
    let device = key("absent");
    assert_eq!(bench.broker.presence(&device), Presence::Offline);
    for (mode, qos, expected) in [
        (CallMode::Sync, Qos::AtMostOnce, Err(DeliverError::Offline)),
        (CallMode::Sync, Qos::AtLeastOnce, Err(DeliverError::Offline)),
        (CallMode::Async, Qos::AtMostOnce, Err(DeliverError::Offline)),
        (CallMode::Async, Qos::AtLeastOnce, Ok(Sent::Kept)),
    ] {
        assert_eq!(bench.broker.deliver(&delivery(&device, 1, mode, qos)).await, expected, "{mode:?} {qos:?}");
    }
}

#[tokio::test]
async fn synchronous_qos_1_call_arrives_at_qos_1() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtLeastOnce)).await.unwrap();
    let got = client.message().await;
    assert_eq!((got.qos, got.dup), (1, false));
}

#[tokio::test]
async fn too_large_a_command_is_refused() {
    let mut bench = Bench::with(|config| config.message_bytes_max = 1000).await;
    let (device, _client) = bench.connected("devA").await;
    let mut call = delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce);
    call.params = Args::checked(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1000)));
    assert!(matches!(bench.broker.deliver(&call).await, Err(DeliverError::TooLarge { max: 1000, .. })));
}

#[tokio::test]
async fn command_whose_time_is_over_is_not_sent() {
    let mut bench = Bench::start().await;
    let (device, _client) = bench.connected("devA").await;
    let mut call = delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce);
    call.deadline = Some(Deadline::at((Instant::now() - Duration::from_millis(1)).into_std()));
    assert!(matches!(bench.broker.deliver(&call).await, Err(DeliverError::Refused(_))));
}

#[tokio::test]
async fn messages_to_a_stuck_device_are_bounded() {
    let mut bench = Bench::with(|config| config.session_queue_messages_max = NonZeroU16::new(4).unwrap()).await;
    let (device, _never_reads) = bench.connected("devA").await;
    let mut call = delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce);
    call.params = Args::checked(&format!(r#"{{"a":"{}"}}"#, "x".repeat(200_000)));
    let mut sent = 0;
    let full = loop {
        match bench.broker.deliver(&call).await {
            Ok(_) => sent += 1,
            Err(error) => break error,
        }
        assert!(sent < 1000, "sockets do not hold that much");
        tokio::task::yield_now().await;
    };
    assert_eq!(full, DeliverError::QueueFull(4));
}

#[tokio::test]
async fn each_message_is_counted_once_when_its_end_is_known() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let kept = delivery(&device, 1, CallMode::Async, Qos::AtLeastOnce);
    bench.around.keep(&kept);
    assert_eq!(bench.broker.deliver(&kept).await, Ok(Sent::Kept));
    let absent = delivery(&device, 2, CallMode::Sync, Qos::AtLeastOnce);
    assert_eq!(bench.broker.deliver(&absent).await, Err(DeliverError::Offline));
    let (_, mut client) = bench.connected("devA").await;
    assert_eq!(client.message().await.id(), 1);
    drop(client);
    bench.gone(&device).await;
    let (_, mut client) = bench.connected("devA").await;
    let got = client.message().await;
    client.ack(&got).await;
    bench.acked().await;
    bench.broker.deliver(&delivery(&device, 3, CallMode::Sync, Qos::AtLeastOnce)).await.unwrap();
    let got = client.message().await;
    client.ack(&got).await;
    bench.broker.deliver(&delivery(&device, 4, CallMode::Async, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(client.message().await.id(), 4);
    let mut long = delivery(&device, 5, CallMode::Sync, Qos::AtMostOnce);
    long.params = Args::checked(&format!(r#"{{"a":"{}"}}"#, "x".repeat(1 << 20)));
    assert!(matches!(bench.broker.deliver(&long).await, Err(DeliverError::TooLarge { .. })));
    let counts = ["sent", "acked", "nacked", "returned", "blocked", "failed"];
    assert_eq!(counts.map(|result| bench.counted("published_total", result)), [2, 1, 0, 1, 0, 1]);
}

#[tokio::test]
async fn what_leaves_with_its_connection_is_counted_as_failed_unless_it_is_kept() {
    let one = NonZeroU16::MIN;
    let set = |config: &mut Config| (config.inflight_messages_max, config.session_queue_messages_max) = (one, one);
    let mut bench = Bench::with(set).await;
    let (device, mut client) = bench.connected("devA").await;
    for id in 1..=2 {
        bench.broker.deliver(&delivery(&device, id, CallMode::Sync, Qos::AtLeastOnce)).await.unwrap();
        assert_eq!(client.message().await.id(), id);
    }
    // Two may be unacknowledged, so these wait.
    bench.broker.deliver(&delivery(&device, 3, CallMode::Sync, Qos::AtLeastOnce)).await.unwrap();
    let full = bench.broker.deliver(&delivery(&device, 4, CallMode::Sync, Qos::AtLeastOnce)).await;
    assert_eq!(full, Err(DeliverError::QueueFull(1)));
    let kept = delivery(&device, 5, CallMode::Async, Qos::AtLeastOnce);
    bench.around.keep(&kept);
    bench.broker.deliver(&kept).await.unwrap();
    assert_eq!(bench.queued(), 2);
    drop(client);
    bench.gone(&device).await;
    let counts = ["sent", "acked", "blocked", "failed"];
    assert_eq!(counts.map(|result| bench.counted("published_total", result)), [2, 0, 1, 1]);
    assert_eq!(bench.queued(), 0);
}
