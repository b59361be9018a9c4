//! The session that the broker keeps while there is no connection.

use std::time::Duration;

use thingcall_core::Presence as Known;
use thingcall_core::Transport as _;

use super::broker::{Broker, PUBACK, Packet, Session};
use super::{Bench, Told, delivery};
use crate::{Config, Presence, Version};

const CLEAN: u8 = 2;

pub(super) fn named(config: &mut Config) {
    config.client_id = Some("thingcall-1".to_owned());
}

/// Where the flags stand in a CONNECT, behind the protocol's name and level.
pub(super) fn is_clean(connect: &Packet) -> bool {
    connect.body[7] & CLEAN != 0
}

async fn connect_of(version: Version, change: impl FnOnce(&mut Config)) -> Packet {
    let broker = Broker::start(version).await;
    let _bench = Bench::start(&broker, change);
    broker.connect().await.1
}

#[tokio::test]
async fn a_session_is_kept_where_somebody_comes_back_to_it() {
    assert!(!is_clean(&connect_of(Version::V4, named).await));
    assert!(is_clean(&connect_of(Version::V4, |_| {}).await), "a name made up for each start");
    assert!(is_clean(&connect_of(Version::V5, named).await), "on one that was kept nothing could be sent");
    let without_probe = |config: &mut Config| {
        named(config);
        config.presence = Presence::Emqx;
    };
    assert!(is_clean(&connect_of(Version::V4, without_probe).await), "nobody says which events are old");
}

#[tokio::test]
async fn what_was_answered_without_a_connection_is_heard_on_the_next() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, named);
    drop(broker.let_in().await);
    let (mut session, connect) = broker.connect().await;
    assert!(!is_clean(&connect) && connect.holds("thingcall-1"), "{connect:?}");
    session.welcome_back().await;
    // Before the broker has even seen our subscription.
    session.publish("/sys/pk/d1/thing/service/Measure_reply", br#"{"id":"3","code":200}"#).await;
    loop {
        match bench.told().await {
            Told::Reply(reply) => break assert_eq!(reply.payload_id.map(thingcall_core::CallId::as_u32), Some(3)),
            Told::Lost | Told::Raw(_) | Told::Post(_) | Told::OtherInstance(_) => {}
        }
    }
    session.answer_subscriptions([1; super::broker::FILTERS]).await;
    bench.ready().await;
}

/// There may be gaps in what was kept: a device that is there must never be called away.
#[tokio::test]
async fn what_is_told_of_devices_counts_once_nothing_that_was_kept_is_to_come() {
    const GONE: &str = "$SYS/brokers/emqx@127.0.0.1/clients/pk&d1/disconnected";
    let gone = br#"{"username":"d1&pk","ts":1625572213873,"connected_at":1,"clientid":"pk&d1","reason":"normal"}"#;
    let device = delivery(1, thingcall_core::Qos::AtMostOnce).device.key.clone();
    let broker = Broker::start(Version::V4).await;
    let bench = Bench::start(&broker, |config| {
        named(config);
        (config.presence, config.probe) = (Presence::Emqx, true);
    });
    let mut session = broker.accept().await;
    session.welcome_back().await;
    session.publish(GONE, gone).await;
    session.answer_subscriptions([1; super::broker::FILTERS]).await;
    session.answer_subscription(&[1, 1, 1]).await;
    session.answer_subscription(&[1]).await;
    session.publish(GONE, gone).await;
    let probe = session.packet().await;
    assert_eq!(bench.transport.presence(&device), Known::Unknown);
    session.bring_back(&probe, true).await;
    while !bench.transport.ready() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(bench.metric("presence_events_total", "disconnected"), 0.0);
    session.publish(GONE, gone).await;
    while bench.transport.presence(&device) != Known::Offline {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

async fn hears(bench: &mut Bench, session: &mut Session, device: &str, packet_id: u16) {
    let (topic, body) =
        (format!("/sys/pk/{device}/thing/service/Measure_reply"), format!(r#"{{"id":"{packet_id}","code":200}}"#));
    session.publish_as(&topic, body.as_bytes(), Some(packet_id)).await;
    assert!(matches!(bench.told().await, Told::Reply(_)));
}

pub(super) fn puback(packet: &Packet) -> (u8, &[u8]) {
    (packet.kind, &packet.body)
}

#[tokio::test]
async fn reply_is_acknowledged_once_it_is_written_and_those_after_it_only_then() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, named);
    let mut session = broker.let_in().await;
    bench.ready().await;
    hears(&mut bench, &mut session, "d1", 1).await;
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 1][..]), "nobody holds it");
    hears(&mut bench, &mut session, "held1", 2).await;
    hears(&mut bench, &mut session, "d1", 3).await;
    // What is sent now leaves before: none is acknowledged.
    bench.deliver(&delivery(5, thingcall_core::Qos::AtMostOnce)).await.unwrap();
    assert_eq!(session.packet().await.kind, super::PUBLISH);
    bench.held.lock().unwrap().pop().unwrap().settle();
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 2][..]));
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 3][..]));
}

/// Nobody could come back for it.
#[tokio::test]
async fn without_a_session_every_reply_is_acknowledged_at_once() {
    for version in [Version::V4, Version::V5] {
        let broker = Broker::start(version).await;
        let mut bench = Bench::start(&broker, |_| {});
        let mut session = broker.let_in().await;
        bench.ready().await;
        hears(&mut bench, &mut session, "held1", 2).await;
        assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 2][..]));
    }
}
