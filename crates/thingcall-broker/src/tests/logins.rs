//! Who may connect.

use super::bench::{Bench, Event, PATIENCE, key, login, login_as};
use super::client::Login;

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
async fn disabled_device_is_connack_5() {
    let bench = Bench::start().await;
    let device = bench.device("devA");
    bench.around.enable(&device, false);
    assert_eq!(bench.open(&login(&device)).await.err(), Some(5));
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

#[tokio::test]
async fn client_id_of_another_device_is_refused_while_it_is_in_use() {
    let mut bench = Bench::start().await;
    let (first, second) = (bench.device("devA"), bench.device("devB"));
    let client = bench.open(&login_as(&first, "same|securemode=3|")).await.unwrap();
    assert_eq!(bench.open(&login_as(&second, "same|securemode=3|")).await.err(), Some(5));
    drop(client);
    bench.gone(&first).await;
    assert!(bench.open(&login_as(&second, "same|securemode=3|")).await.is_ok());
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

#[tokio::test]
async fn session_ends_with_its_connection_whatever_the_device_asked() {
    let mut bench = Bench::start().await;
    let device = bench.device("devA");
    let client = bench.open(&Login { clean: false, ..login(&device) }).await.unwrap();
    drop(client);
    bench.gone(&device).await;
    let forgotten = async {
        while bench.broker.rmqtt_sessions() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, forgotten).await.unwrap();
}
