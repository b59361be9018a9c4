//! Who may connect.

use std::sync::atomic::Ordering;

use thingcall_core::{CallMode, DeviceKey, Qos, Transport};

use super::bench::{Bench, Event, delivery, key, login, login_as};
use super::client::Login;
use crate::Looked;

#[tokio::test]
async fn right_password_connects_and_counts_as_online() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let client = bench.connect(&device).await;
    assert!(matches!(bench.event().await, Event::Online(online) if online == device));
    drop(client);
    assert!(matches!(bench.event().await, Event::Offline(offline) if offline == device));
    assert!(matches!(bench.event().await, Event::Gone(gone) if gone == device));
}

#[tokio::test]
async fn wrong_password_is_connack_4() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    let wrong = Login { password: "00".repeat(32), ..login(&device) };
    assert_eq!(bench.open(&wrong).await.err(), Some(4));
}

#[tokio::test]
async fn unknown_device_is_connack_4() {
    let bench = Bench::start().await;
    assert_eq!(bench.open(&login(&key("nobody"))).await.err(), Some(4));
}

#[tokio::test]
async fn device_that_comes_for_its_secret_is_connack_4_where_nobody_gives_it() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    let asks = Login { client_id: "devA.pk1|random=r,authType=register|".to_owned(), ..login(&device) };
    assert_eq!(bench.open(&asks).await.err(), Some(4));
    assert_eq!((bench.broker.connected_devices(), bench.refusals("credentials")), (0, 1));
}

#[tokio::test]
async fn disabled_device_is_connack_5() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    bench.around.enable(&device, false);
    assert_eq!(bench.open(&login(&device)).await.err(), Some(5));
}

#[tokio::test]
async fn device_that_is_disabled_while_it_is_let_in_does_not_stay() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    bench.around.disabled_once_looked_up.store(true, Ordering::Relaxed);
    assert_eq!(bench.open(&login(&device)).await.err(), Some(5));
    assert_eq!((bench.broker.connected_devices(), bench.gauge("sessions"), bench.refusals("disabled")), (0, 0, 1));
    bench.gone(&device).await;
}

#[tokio::test]
async fn device_that_cannot_be_looked_up_is_connack_3_and_no_fault_of_its_own() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    bench.around.unreadable.store(true, Ordering::Relaxed);
    assert_eq!(bench.open(&login(&device)).await.err(), Some(3));
    assert_eq!((bench.refusals("not_looked_up"), bench.refusals("credentials")), (1, 0));
    bench.around.unreadable.store(false, Ordering::Relaxed);
    assert!(bench.open(&login(&device)).await.is_ok());
}

#[tokio::test]
async fn who_may_not_be_connected_any_more_is_found_among_all_and_who_cannot_be_looked_up_stays() {
    let bench = Bench::start().await;
    let names = ["devA", "devB"];
    let [stays, disabled] = names.map(|name| bench.device(name));
    let (_stays, _disabled) = (bench.connect(&stays).await, bench.connect(&disabled).await);
    bench.around.enable(&disabled, false);
    bench.around.unreadable.store(true, Ordering::Relaxed);
    assert_eq!(bench.broker.kick_unwelcome().await, Looked { kicked: 0, undecided: 2 });
    bench.around.unreadable.store(false, Ordering::Relaxed);
    assert_eq!(bench.broker.kick_unwelcome().await, Looked { kicked: 1, undecided: 0 });
    assert_eq!(bench.broker.connected_devices(), 1);
}

#[tokio::test]
async fn empty_username_is_refused() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    let anonymous = Login { username: String::new(), password: String::new(), ..login(&device) };
    assert!(bench.open(&anonymous).await.is_err());
}

#[tokio::test]
async fn will_on_a_foreign_topic_is_refused() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    let foreign = Login { will: Some("/sys/pk1/devB/rrpc/request/1"), ..login(&device) };
    assert_eq!(bench.open(&foreign).await.err(), Some(5));
    let own = Login { will: Some("/sys/pk1/devA/thing/event/bye/post"), ..login(&device) };
    assert!(bench.open(&own).await.is_ok());
}

#[tokio::test]
async fn odd_client_ids_work() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    for odd in ["a b|securemode=3,\n  signmethod=hmacsha1,\n  timestamp=1|", "no bars", "名前|securemode=3|"] {
        assert!(bench.open(&login_as(&device, odd)).await.is_ok(), "{odd:?}");
    }
}

/// Firmware with a hard-coded client id.
#[tokio::test]
async fn devices_with_one_client_id_are_connected_side_by_side() {
    let mut bench = Bench::start().await;
    let (first, second) = (bench.device("devA"), bench.device("devB"));
    let mut clients = Vec::new();
    for device in [&first, &second] {
        clients.push(bench.open(&login_as(device, "same|securemode=3|")).await.unwrap());
        bench.wait(|event| matches!(event, Event::Online(online) if online == device)).await;
    }
    for (id, device, client) in [(7, &first, 0), (8, &second, 1)] {
        bench.broker.deliver(&delivery(device, id, CallMode::Sync, Qos::AtMostOnce)).await.unwrap();
        let client = &mut clients[client];
        let got = client.message().await;
        assert_eq!(got.id(), id);
        client.publish(&got.topic.replace("request", "response"), format!(r#"{{"id":"{id}","code":200}}"#)).await;
        assert_eq!(bench.reply().await.device, *device);
    }
    assert_eq!(bench.broker.connected_devices(), 2);
}

#[tokio::test]
async fn device_beyond_sessions_max_is_told_so_and_counted_as_that() {
    let mut bench = Bench::with(|config| config.sessions_max = std::num::NonZeroU32::MIN).await;
    let (_, client) = bench.connected("devA").await;
    let other = bench.device("devB");
    assert_eq!(bench.open(&login(&other)).await.err(), Some(3), "server unavailable");
    assert_eq!((bench.refusals("sessions_max"), bench.refusals("credentials")), (1, 0));
    assert_eq!((bench.gauge("sessions"), bench.gauge("sessions_limit")), (1, 1));
    drop(client);
    bench.gone(&DeviceKey { name: "devA".try_into().unwrap(), ..other.clone() }).await;
    assert!(bench.open(&login(&other)).await.is_ok());
}

#[tokio::test]
async fn kicked_device_is_offline_at_once_and_its_connection_closes() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    bench.broker.kick(&device).await;
    assert!(matches!(bench.event().await, Event::Offline(_)));
    client.closed().await;
    assert_eq!(bench.broker.connected_devices(), 0);
}

#[tokio::test]
async fn shutdown_closes_connections_and_refuses_new_ones() {
    let mut bench = Bench::start().await;
    let (device, mut client) = bench.connected("devA").await;
    bench.broker.shutdown().await;
    assert!(matches!(bench.event().await, Event::Offline(_)));
    client.closed().await;
    assert!(tokio::net::TcpStream::connect(bench.broker.local_addr()).await.is_err(), "{device}");
}

#[tokio::test]
async fn silent_device_is_disconnected_after_its_keep_alive() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let mut client = bench.open(&Login { keep_alive: 1, ..login(&device) }).await.unwrap();
    client.closed().await;
    bench.gone(&device).await;
}
