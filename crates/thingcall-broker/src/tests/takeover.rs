//! One connection per device.

use thingcall_core::{CallMode, Presence, Qos, Transport};

use super::bench::{Bench, Event, delivery, login, login_as};
use super::client::Login;

#[tokio::test]
async fn second_connection_under_another_client_id_takes_over() {
    let mut bench = Bench::start().await;
    let (device, mut old) = bench.connected("devA").await;
    let mut new = bench.open(&login_as(&device, "x|timestamp=99|")).await.unwrap();
    old.closed().await;
    assert!(matches!(bench.event().await, Event::Online(_)), "no offline between");
    bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(new.message().await.id(), 7);
    assert_eq!(bench.broker.connected_devices(), 1);
}

#[tokio::test]
async fn second_connection_under_the_same_client_id_takes_over() {
    for clean in [false, true] {
        let mut bench = Bench::start().await;
        let device = bench.device("devA");
        let mut old = bench.open(&Login { clean, ..login(&device) }).await.unwrap();
        bench.wait(|event| matches!(event, Event::Online(_))).await;
        let mut new = bench.open(&Login { clean, ..login(&device) }).await.unwrap();
        old.closed().await;
        assert!(matches!(bench.event().await, Event::Online(_)), "no offline between");
        assert_eq!(bench.broker.presence(&device), Presence::Online);
        bench.broker.deliver(&delivery(&device, 7, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
        assert_eq!(new.message().await.id(), 7);
    }
}

#[tokio::test]
async fn unacknowledged_command_is_sent_once_to_the_successor() {
    for client_id in ["same|securemode=3|", "other|securemode=3|"] {
        let mut bench = Bench::start().await;
        let device = bench.device("devA");
        let mut old = bench.open(&login_as(&device, "same|securemode=3|")).await.unwrap();
        bench.wait(|event| matches!(event, Event::Online(_))).await;
        let command = delivery(&device, 1, CallMode::Async, Qos::AtLeastOnce);
        bench.around.keep(&command);
        bench.broker.deliver(&command).await.unwrap();
        assert_eq!(old.message().await.id(), 1);
        let mut new = bench.open(&login_as(&device, client_id)).await.unwrap();
        let got = new.message().await;
        assert_eq!((got.id(), got.dup), (1, false));
        bench.broker.deliver(&delivery(&device, 9, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
        assert_eq!(new.message().await.id(), 9, "nothing before the marker");
    }
}

#[tokio::test]
async fn synchronous_message_to_the_old_connection_is_not_repeated_to_the_new() {
    let mut bench = Bench::start().await;
    let (device, mut old) = bench.connected("devA").await;
    bench.broker.deliver(&delivery(&device, 1, CallMode::Sync, Qos::AtLeastOnce)).await.unwrap();
    assert_eq!(old.message().await.id(), 1);
    let mut new = bench.connect(&device).await;
    bench.wait(|event| matches!(event, Event::Online(_))).await;
    bench.broker.deliver(&delivery(&device, 2, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
    assert_eq!(new.message().await.id(), 2);
}

#[tokio::test]
async fn disconnect_after_a_takeover_is_offline() {
    let mut bench = Bench::start().await;
    let (device, mut old) = bench.connected("devA").await;
    let new = bench.connect(&device).await;
    old.closed().await;
    assert!(matches!(bench.event().await, Event::Online(_)));
    drop(new);
    assert!(matches!(bench.event().await, Event::Offline(_)));
    assert!(matches!(bench.event().await, Event::Gone(_)));
}
