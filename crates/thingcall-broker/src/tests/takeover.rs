//! One connection per device.

use rumqttc_v4 as v4;
use rumqttc_v5 as v5;
use thingcall_alink as alink;
use thingcall_core::{CallMode, DeviceKey, Presence, Qos, Secret, Transport};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::bench::{Bench, Event, PATIENCE, SECRET, delivery, login, login_as};
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
    assert_eq!(bench.gauge("takeovers_total"), 1, "two devices with one identity are seen");
    drop(new);
    assert!(matches!(bench.event().await, Event::Offline(_)));
    assert!(matches!(bench.event().await, Event::Gone(_)));
}

/// What a client library saw.
enum Saw {
    Call(u32),
    End,
}

const AT_ONCE: usize = 20;

/// One client of the library for MQTT 3.1.1 until its connection ends.
async fn client_3(device: DeviceKey, port: u16, saw: UnboundedSender<Saw>) {
    let client_id = alink::client_id(&device, false, 1);
    let mut options = v4::MqttOptions::new(&client_id, ("127.0.0.1", port));
    options.set_credentials(alink::username(&device), alink::password(&device, &client_id, &Secret::new(SECRET)));
    let (_client, mut events) = v4::AsyncClient::builder(options).capacity(10).build();
    loop {
        match events.poll().await {
            Ok(v4::Event::Incoming(v4::Packet::Publish(got))) => {
                saw.send(Saw::Call(alink::request_id(&got.payload).unwrap().as_u32())).unwrap();
            }
            Ok(_) => {}
            Err(_) => return saw.send(Saw::End).unwrap(),
        }
    }
}

/// The same for MQTT 5.
async fn client_5(device: DeviceKey, port: u16, saw: UnboundedSender<Saw>) {
    let client_id = alink::client_id(&device, false, 1);
    let mut options = v5::MqttOptions::new(&client_id, ("127.0.0.1", port));
    options.set_credentials(alink::username(&device), alink::password(&device, &client_id, &Secret::new(SECRET)));
    let (_client, mut events) = v5::AsyncClient::builder(options).capacity(10).build();
    loop {
        match events.poll().await {
            Ok(v5::Event::Incoming(v5::Packet::Publish(got))) => {
                saw.send(Saw::Call(alink::request_id(&got.payload).unwrap().as_u32())).unwrap();
            }
            Ok(_) => {}
            Err(_) => return saw.send(Saw::End).unwrap(),
        }
    }
}

/// Half of them speak MQTT 3.1.1, half MQTT 5, all under one client id.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_logins_at_once_end_in_one_session_that_gets_calls() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    let port = bench.broker.local_addr().port();
    let (saw, mut seen) = unbounded_channel();
    let mut clients = JoinSet::new();
    for n in 0..AT_ONCE {
        let (device, saw) = (device.clone(), saw.clone());
        if n % 2 == 0 {
            clients.spawn(client_3(device, port, saw));
        } else {
            clients.spawn(client_5(device, port, saw));
        }
    }
    let mut next = async || timeout(PATIENCE, seen.recv()).await.expect("in time").unwrap();
    for _ in 0..AT_ONCE - 1 {
        assert!(matches!(next().await, Saw::End), "no call was made yet");
    }
    assert_eq!((bench.broker.connected_devices(), bench.gauge("sessions")), (1, 1));
    for id in 1..=3 {
        bench.broker.deliver(&delivery(&device, id, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
        assert!(matches!(next().await, Saw::Call(got) if got == id));
    }
}
