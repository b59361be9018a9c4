//! Messages for applications, on their own connection.

use bytes::Bytes;
use thingcall_core::{Message, MessageId, MessageKind, Words};
use tokio::task::yield_now;

use super::broker::Session;
use super::*;
use crate::{Delivered, Messages, NotDelivered};

fn message(number: u64) -> Message {
    let device = DeviceKey { product: "pk".parse().unwrap(), name: "d.1".parse().unwrap() };
    let words = Words { topic: "/pk/d.1/t".to_owned(), body: Bytes::from_static(b"{}"), trace: None };
    let id = MessageId(7_489_123_456_789_012_000 + number);
    Message { place: 1, id, kind: MessageKind::LifeCycle, device, at: UnixMillis(5), words }
}

/// A transport, and what publishes through its broker; the broker's end of that one's connection.
async fn bench(broker: &Broker, change: impl FnOnce(&mut Config)) -> (Bench, Messages, Session) {
    let topic = |config: &mut Config| {
        (config.messages_topic, config.client_id) = (Some("app/messages".to_owned()), Some("me".to_owned()));
        change(config);
    };
    let bench = Bench::start(broker, topic);
    let calls = broker.accept().await;
    let messages = Messages::start(&bench.transport).unwrap();
    let (mut session, connect) = broker.connect().await;
    assert!(connect.holds("me-messages"), "{connect:?}");
    session.welcome(None).await;
    // That one never gets further: messages do not wait for it.
    drop(calls);
    (bench, messages, session)
}

/// Publishes once there is a connection.
async fn publish(messages: &Messages, number: u64) -> Result<Delivered, NotDelivered> {
    loop {
        let told = messages.publish(&message(number), Bytes::from_static(b"words")).await;
        if !matches!(told, Err(NotDelivered::Down(_))) {
            return told;
        }
        yield_now().await;
    }
}

#[tokio::test]
async fn a_message_is_published_when_the_broker_has_acknowledged_it_and_says_its_id() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let (_bench, messages, mut session) = bench(&broker, |_| {}).await;
        let (told, ()) = timeout(PATIENCE, async {
            tokio::join!(publish(&messages, 1), async {
                let publish = session.packet().await;
                assert_eq!((publish.kind, publish.flags), (PUBLISH, 2), "QoS 1, not retained");
                assert!(publish.holds("app/messages/life_cycle/pk/d.1") && publish.holds("words"), "{publish:?}");
                assert_eq!(publish.holds("7489123456789012001"), version == Version::V5, "{publish:?}");
                let [high, low] = publish.id();
                session.send(&[0x40, 2, high, low]).await;
            })
        })
        .await
        .unwrap();
        assert_eq!(told, Ok(Delivered::Taken));
    }
}

#[tokio::test]
async fn what_was_not_acknowledged_on_a_connection_that_broke_is_not_published_and_does_not_leave_on_the_next() {
    for version in VERSIONS {
        let broker = Broker::start(version).await;
        let (_bench, messages, mut session) = bench(&broker, |_| {}).await;
        let (told, ()) = tokio::join!(publish(&messages, 1), async {
            assert_eq!(session.packet().await.kind, PUBLISH);
            drop(session);
        });
        assert_eq!(told, Err(NotDelivered::Lost));
        // Both connections come again, in any order.
        let mut next = loop {
            let (session, connect) = broker.connect().await;
            if connect.holds("me-messages") {
                break session;
            }
        };
        next.welcome(None).await;
        let (told, ()) = tokio::join!(publish(&messages, 2), async {
            let publish = next.packet().await;
            assert!(publish.holds("words"), "{publish:?}");
            let [high, low] = publish.id();
            next.send(&[0x40, 2, high, low]).await;
        });
        assert_eq!(told, Ok(Delivered::Taken));
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_what_to_allow_and_nobody_there_is_no_refusal() {
    let broker = Broker::start(Version::V5).await;
    let (_bench, messages, mut session) = bench(&broker, |config| config.username = Some("us".to_owned())).await;
    let mut told = async |reason: u8| {
        let (told, ()) = tokio::join!(publish(&messages, 1), async {
            let [high, low] = session.packet().await.id();
            session.send(&[0x40, 3, high, low, reason]).await;
        });
        told
    };
    assert_eq!(told(0x10).await, Ok(Delivered::Nobody));
    let refused = told(0x87).await.unwrap_err().to_string();
    assert!(refused.ends_with("let user us publish to app/messages/#"), "{refused}");
}

#[tokio::test]
async fn a_message_that_is_too_large_is_never_sent() {
    let broker = Broker::start(Version::V4).await;
    let (_bench, messages, _session) =
        bench(&broker, |config| config.messages_packet_bytes_max = 100.try_into().unwrap()).await;
    assert!(matches!(publish(&messages, 1).await, Err(NotDelivered::TooLarge { bytes: 101.., max: 100 })));
}
