//! A broker that tells which devices are connected.

use thingcall_core::{CallMode, DeliverError, Delivery, DeviceKey, Presence, Qos, Sent, Transport as _};

use super::broker::{Broker, Session};
use super::{Bench, VERSIONS, delivery};
use crate::{Config, Version};

const CONNECTED: &str = "$SYS/brokers/emqx@127.0.0.1/clients/pk&d1/connected";
const DISCONNECTED: &str = "$SYS/brokers/emqx@127.0.0.1/clients/pk&d1/disconnected";

fn event(connected_at: i64) -> Vec<u8> {
    format!(
        r#"{{"username":"d1&pk","ts":1625572213873,"connected_at":{connected_at},"clientid":"pk&d1","reason":"normal"}}"#
    )
    .into_bytes()
}

fn device() -> DeviceKey {
    delivery(1, Qos::AtMostOnce).device.key.clone()
}

fn by_emqx(config: &mut Config) {
    config.presence = crate::Presence::Emqx;
}

async fn connected(version: Version, codes: &[u8]) -> (Bench, Session, Broker) {
    let broker = Broker::start(version).await;
    let bench = Bench::start(&broker, by_emqx);
    let mut session = broker.let_in().await;
    session.answer_subscription(codes).await;
    bench.ready().await;
    (bench, session, broker)
}

async fn until(bench: &Bench, presence: Presence) {
    let wait = async {
        while bench.transport.presence(&device()) != presence {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(super::PATIENCE, wait).await.unwrap();
}

#[tokio::test]
async fn a_device_that_is_away_is_offline_at_once_and_one_that_is_back_is_called() {
    for version in VERSIONS {
        let (bench, mut session, _broker) = connected(version, &[1, 1, 1]).await;
        assert_eq!(bench.transport.presence(&device()), Presence::Unknown, "nothing was heard");
        assert_eq!(bench.deliver(&delivery(1, Qos::AtMostOnce)).await, Ok(Sent::Sent));
        session.publish(CONNECTED, &event(1)).await;
        until(&bench, Presence::Online).await;
        session.publish(DISCONNECTED, &event(1)).await;
        until(&bench, Presence::Offline).await;
        for qos in [Qos::AtMostOnce, Qos::AtLeastOnce] {
            assert_eq!(bench.deliver(&delivery(2, qos)).await, Err(DeliverError::Offline), "{qos:?}");
        }
        let later = |qos| Delivery { mode: CallMode::Async, ..delivery(3, qos) };
        assert_eq!(bench.deliver(&later(Qos::AtMostOnce)).await, Err(DeliverError::Offline));
        assert_eq!(bench.metric("published_total", "returned"), 3.0);
        session.publish(CONNECTED, &event(2)).await;
        until(&bench, Presence::Online).await;
        assert_eq!(bench.deliver(&delivery(4, Qos::AtMostOnce)).await, Ok(Sent::Sent));
        assert_eq!(bench.metric("presence_events_total", "connected"), 2.0);
        assert_eq!(bench.metric("presence_events_total", "disconnected"), 1.0);
    }
}

/// The broker may keep it in the device's session.
#[tokio::test]
async fn an_asynchronous_command_of_qos_1_is_sent_to_one_that_is_away_too() {
    let (bench, mut session, _broker) = connected(Version::V4, &[1, 1, 1]).await;
    session.publish(DISCONNECTED, &event(1)).await;
    until(&bench, Presence::Offline).await;
    let transport = bench.transport.clone();
    let sending = tokio::spawn(async move {
        transport.deliver(&Delivery { mode: CallMode::Async, ..delivery(3, Qos::AtLeastOnce) }).await
    });
    let publish = session.packet().await;
    assert!(publish.holds("/sys/pk/d1/thing/service/Measure"), "{publish:?}");
    session.bring_back(&publish, false).await;
    assert_eq!(sending.await.unwrap(), Ok(Sent::Acked));
}

#[tokio::test]
async fn what_was_known_ends_with_the_connection() {
    let (bench, mut session, broker) = connected(Version::V4, &[1, 1, 1]).await;
    session.publish(DISCONNECTED, &event(1)).await;
    until(&bench, Presence::Offline).await;
    drop(session);
    until(&bench, Presence::Unknown).await;
    let mut session = broker.let_in().await;
    session.answer_subscription(&[1, 1, 1]).await;
    bench.ready().await;
    assert_eq!(bench.transport.presence(&device()), Presence::Unknown);
    assert_eq!(bench.deliver(&delivery(1, Qos::AtMostOnce)).await, Ok(Sent::Sent));
}

#[tokio::test]
async fn a_broker_that_keeps_it_from_us_serves_calls_all_the_same() {
    for refused in [[128, 128, 128], [128, 1, 128]] {
        let (bench, mut session, _broker) = connected(Version::V4, &refused).await;
        assert_eq!(bench.deliver(&delivery(1, Qos::AtMostOnce)).await, Ok(Sent::Sent));
        assert!(session.packet().await.holds("request/1"));
        assert!(bench.transport.ready(), "{:?}", bench.transport.failure());
    }
}
