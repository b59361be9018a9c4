//! Devices that speak their own bytes, through an external broker.

use bytes::Bytes;
use thingcall_core::{CallId, CallMode, Delivery, DeviceKey, Qos, RawReply, Sent, SyncTopic};

use super::broker::{Broker, PUBLISH, Packet, Session};
use super::{Bench, Told, VERSIONS, delivery};
use crate::Version;

const EXT: &str = "/ext/rrpc/7/sys/pk/d1/thing/model/down_raw";

fn raw(mode: CallMode, sync_topic: SyncTopic, bytes: &'static [u8]) -> Delivery {
    let raw = Some(Bytes::from_static(bytes));
    Delivery { raw, mode, sync_topic: Some(sync_topic), ..delivery(7, Qos::AtMostOnce) }
}

async fn connected(version: Version) -> (Bench, Session, Broker) {
    let broker = Broker::start(version).await;
    let bench = Bench::start(&broker, |_| {});
    let session = broker.let_in().await;
    bench.ready().await;
    (bench, session, broker)
}

fn ends_with(publish: &Packet, topic: &str, payload: &[u8]) -> bool {
    publish.kind == PUBLISH && publish.holds(topic) && publish.body.ends_with(payload)
}

async fn told_raw(bench: &mut Bench) -> RawReply {
    match bench.told().await {
        Told::Raw(raw) => raw,
        Told::Reply(_) | Told::Post(_) | Told::OtherInstance(_) | Told::Lost => panic!("no raw message"),
    }
}

#[tokio::test]
async fn a_raw_command_leaves_as_its_bytes_on_its_topic() {
    let bytes: &[u8] = b"\x00{\xff\n";
    for version in VERSIONS {
        let (bench, mut session, _broker) = connected(version).await;
        for (mode, form, topic) in [
            (CallMode::Sync, SyncTopic::Ext, EXT),
            (CallMode::Sync, SyncTopic::Rrpc, "/sys/pk/d1/rrpc/request/7"),
            (CallMode::Sync, SyncTopic::Service, "/sys/pk/d1/thing/model/down_raw"),
            (CallMode::Async, SyncTopic::Ext, "/sys/pk/d1/thing/model/down_raw"),
        ] {
            assert_eq!(bench.deliver(&raw(mode, form, bytes)).await, Ok(Sent::Sent));
            let publish = session.packet().await;
            assert!(ends_with(&publish, topic, bytes), "{publish:?}");
        }
    }
}

#[tokio::test]
async fn what_devices_say_in_their_bytes_is_handed_on_untouched() {
    let bytes: &[u8] = br#"{"id":"7","method":"looks like a request"}"#;
    for version in VERSIONS {
        let (mut bench, mut session, _broker) = connected(version).await;
        for (topic, name, id) in [
            ("/sys/pk/d1/thing/model/down_raw_reply", "d1", None),
            ("/sys/pk/d1/thing/model/up_raw", "d1", None),
            (EXT, "d1", Some(7)),
            ("/sys/pk/raw1/rrpc/response/7", "raw1", Some(7)),
        ] {
            session.publish(topic, bytes).await;
            let told = told_raw(&mut bench).await;
            assert_eq!((told.device.name.as_str(), told.topic_id.map(CallId::as_u32)), (name, id), "{topic}");
            assert_eq!(told.payload, bytes);
        }
        session.publish("/sys/pk/d1/rrpc/response/7", br#"{"id":"7","code":200}"#).await;
        assert!(matches!(bench.told().await, Told::Reply(_)), "a device that speaks Alink");
        assert_eq!(bench.metric("received_total", "reply"), 5.0);
    }
}

/// What a broker of MQTT 3.1.1 does: it brings us what we published.
#[tokio::test]
async fn the_echo_of_a_raw_command_is_not_its_answer() {
    let (mut bench, mut session, _broker) = connected(Version::V4).await;
    bench.deliver(&raw(CallMode::Sync, SyncTopic::Ext, b"\x01")).await.unwrap();
    session.publish(EXT, b"\x01").await;
    session.publish(EXT, b"\x02").await;
    assert_eq!(told_raw(&mut bench).await.payload, &b"\x02"[..]);
    assert_eq!(bench.metric("received_total", "reply"), 1.0);
}

#[tokio::test]
async fn an_answer_of_the_very_bytes_of_its_command_is_heard() {
    for version in VERSIONS {
        let (mut bench, mut session, _broker) = connected(version).await;
        bench.deliver(&raw(CallMode::Sync, SyncTopic::Ext, b"\x01")).await.unwrap();
        if version == Version::V4 {
            session.publish(EXT, b"\x01").await;
        }
        session.publish(EXT, b"\x01").await;
        session.publish(EXT, b"\x02").await;
        assert_eq!(told_raw(&mut bench).await.payload, &b"\x01"[..], "{version:?}");
        assert_eq!(told_raw(&mut bench).await.payload, &b"\x02"[..], "{version:?}");
    }
}

#[tokio::test]
async fn no_echo_is_expected_of_a_command_that_did_not_leave() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, |config| config.send_queue_messages_max = 4.try_into().unwrap());
    let mut session = broker.let_in().await;
    bench.ready().await;
    let big = Bytes::from(vec![0; 200_000]);
    let mut id = 0;
    let refused = loop {
        id += 1;
        let command =
            Delivery { id: CallId::from_u32(id), raw: Some(big.clone()), ..raw(CallMode::Sync, SyncTopic::Ext, b"") };
        if bench.deliver(&command).await.is_err() {
            break id;
        }
        assert!(id < 1000, "the queue has no end");
        tokio::task::yield_now().await;
    };
    // What was queued leaves once the broker reads.
    for _ in 1..refused {
        assert_eq!(session.packet().await.kind, PUBLISH);
    }
    session.publish(&EXT.replace('7', &refused.to_string()), &big).await;
    let told = told_raw(&mut bench).await;
    assert_eq!(told.topic_id, Some(CallId::from_u32(refused)));
    let d1 = DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() };
    assert_eq!((told.device, told.payload.len()), (d1, big.len()));
}
