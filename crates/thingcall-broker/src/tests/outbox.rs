//! QoS 1 commands of asynchronous calls: kept for an absent device, sent once on each connection until acknowledged.

use std::num::NonZeroU16;
use std::sync::atomic::Ordering;

use thingcall_core::testing::{UnderTest, assert_journal};
use thingcall_core::{CallMode, Delivery, DeviceKey, Qos, Sent, Transport};

use super::bench::{Bench, Surroundings, delivery, key, login_as};
use super::client::Client;

fn command(device: &DeviceKey, id: u32) -> Delivery {
    delivery(device, id, CallMode::Async, Qos::AtLeastOnce)
}

/// As the engine does it: written down first, then delivered.
async fn send(bench: &Bench, device: &DeviceKey, id: u32) -> Sent {
    let command = command(device, id);
    bench.around.keep(&command);
    bench.broker.deliver(&command).await.unwrap()
}

/// Sees that the next message is the marker: whatever else was sent, came before.
async fn nothing_more(bench: &Bench, device: &DeviceKey, client: &mut Client) {
    bench.broker.deliver(&delivery(device, 999, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(client.message().await.id(), 999, "nothing before the marker");
}

#[tokio::test]
async fn the_outbox_of_these_tests_keeps_the_contract() {
    let make = async || {
        let (around, events) = Surroundings::new();
        let devices = ["devA", "devB"].map(|name| delivery(&key(name), 1, CallMode::Async, Qos::AtMostOnce).device);
        UnderTest { journal: around.journal.clone(), outbox: around, devices, keeps: Box::new(events) }
    };
    Box::pin(assert_journal(make)).await;
}

#[tokio::test]
async fn kept_commands_are_sent_in_order_when_the_device_connects() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    for id in 1..=200 {
        assert_eq!(send(&bench, &device, id).await, Sent::Kept);
    }
    let (device, mut client) = bench.connected("devA").await;
    for id in 1..=200 {
        let got = client.message().await;
        assert_eq!((got.id(), got.qos, got.dup), (id, 1, false));
        client.ack(&got).await;
        assert_eq!(bench.acked().await.as_u32(), id);
    }
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn acknowledged_command_is_not_sent_to_the_next_connection() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    send(&bench, &device, 1).await;
    send(&bench, &device, 2).await;
    let (_, mut client) = bench.connected("devA").await;
    let got = client.message().await;
    client.ack(&got).await;
    bench.acked().await;
    assert_eq!(client.message().await.id(), 2, "sent, not acknowledged");
    drop(client);
    bench.gone(&device).await;
    let other_id = login_as(&device, "another|timestamp=2|");
    let mut client = bench.open(&other_id).await.unwrap();
    assert_eq!(client.message().await.id(), 2);
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn unacknowledged_command_is_sent_once_on_a_connection() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    send(&bench, &device, 1).await;
    assert_eq!(client.message().await.id(), 1);
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn command_the_flush_took_is_not_sent_again_when_it_is_delivered() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    bench.around.keep(&command(&device, 1));
    let (_, mut client) = bench.connected("devA").await;
    let got = client.message().await;
    assert_eq!(bench.broker.deliver(&command(&device, 1)).await, Ok(Sent::Sent));
    client.ack(&got).await;
    bench.acked().await;
    assert_eq!(bench.broker.deliver(&command(&device, 1)).await, Ok(Sent::Sent));
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn acknowledgement_the_store_has_not_written_yet_is_remembered() {
    let mut bench = Bench::with(|config| config.inflight_messages_max = NonZeroU16::new(2).unwrap()).await;
    bench.around.forgetful.store(true, Ordering::SeqCst);
    let (device, mut client) = bench.connected("devA").await;
    for id in 1..=6 {
        send(&bench, &device, id).await;
    }
    for id in 1..=6 {
        let got = client.message().await;
        assert_eq!(got.id(), id);
        client.ack(&got).await;
        bench.acked().await;
    }
    nothing_more(&bench, &device, &mut client).await;
}

#[tokio::test]
async fn commands_beyond_the_window_wait_for_an_acknowledgement() {
    let mut bench = Bench::with(|config| config.inflight_messages_max = NonZeroU16::new(2).unwrap()).await;
    let (device, mut client) = bench.connected("devA").await;
    for id in 1..=3 {
        send(&bench, &device, id).await;
    }
    let first = client.message().await;
    assert_eq!(first.id(), 1);
    assert_eq!(client.message().await.id(), 2);
    nothing_more(&bench, &device, &mut client).await;
    client.ack(&first).await;
    assert_eq!(client.message().await.id(), 3);
}

#[tokio::test]
async fn synchronous_calls_pass_while_the_window_is_full() {
    let mut bench = Bench::with(|config| config.inflight_messages_max = NonZeroU16::MIN).await;
    let (device, mut client) = bench.connected("devA").await;
    send(&bench, &device, 1).await;
    send(&bench, &device, 2).await;
    assert_eq!(client.message().await.id(), 1);
    bench.broker.deliver(&delivery(&device, 50, CallMode::Sync, Qos::AtLeastOnce)).await.unwrap();
    assert_eq!(client.message().await.id(), 50);
}
