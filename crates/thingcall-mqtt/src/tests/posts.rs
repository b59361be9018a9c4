//! What devices report: kept by the broker while nobody is there, and acknowledged once it is written.

use std::time::Duration;

use tokio::time::timeout;

use super::broker::{Broker, DISCONNECT, PUBACK, Packet, Session, UNSUBSCRIBE};
use super::sessions::{is_clean, named, puback};
use super::{Bench, PATIENCE, Told};
use crate::posts::HELD_MAX;
use crate::{Config, Posts, Version};

fn plain(config: &mut Config) {
    named(config);
    config.posts = Some(Posts::Plain);
}

/// The connection of calls, and that of reports with its CONNECT.
async fn let_in(broker: &Broker) -> (Session, Session, Packet) {
    let calls = broker.let_in().await;
    let (posts, connect) = hears_again(broker).await;
    (calls, posts, connect)
}

async fn hears_again(broker: &Broker) -> (Session, Packet) {
    let (mut posts, connect) = broker.connect().await;
    assert!(connect.holds("thingcall-1-posts"), "{connect:?}");
    posts.welcome(None).await;
    posts.answer_subscription(&[1; 8]).await;
    (posts, connect)
}

async fn reports(bench: &mut Bench, session: &mut Session, device: &str, packet_id: u16) {
    let topic = format!("/sys/pk/{device}/thing/event/property/post");
    session.publish_as(&topic, br#"{"id":"1","params":{"a":1}}"#, Some(packet_id)).await;
    let told = bench.told().await;
    assert!(matches!(&told, Told::Post(post) if post.device.name.as_str() == device), "{told:?}");
}

#[tokio::test]
async fn one_instance_s_reports_are_kept_and_those_shared_with_others_are_not() {
    let kept = async |version, posts, client_id: Option<&str>| {
        let broker = Broker::start(version).await;
        let _bench = Bench::start(&broker, |config| {
            config.client_id = client_id.map(str::to_owned);
            config.posts = posts;
        });
        let _calls = broker.let_in().await;
        !is_clean(&broker.connect().await.1)
    };
    let name = Some("thingcall-1");
    assert!(kept(Version::V4, Some(Posts::Plain), name).await);
    assert!(!kept(Version::V4, Some(Posts::Plain), None).await, "nobody comes back to it");
    assert!(!kept(Version::V5, Some(Posts::Plain), name).await);
    for shared in [None, Some(Posts::Shared)] {
        assert!(!kept(Version::V4, shared, name).await, "its share would be lost where it never comes back");
    }
}

#[test]
fn an_instance_that_is_alone_shares_with_nobody_unless_it_is_told_to() {
    let alone = |posts| Config { posts, ..Config::default() }.alone().posts();
    assert_eq!(
        [alone(None), alone(Some(Posts::Shared)), alone(Some(Posts::None))],
        [Posts::Plain, Posts::Shared, Posts::None]
    );
}

#[tokio::test]
async fn report_is_acknowledged_once_it_is_written_and_those_after_it_only_then() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, plain);
    let (_calls, mut session, _) = let_in(&broker).await;
    reports(&mut bench, &mut session, "d1", 1).await;
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 1][..]), "nobody holds it");
    reports(&mut bench, &mut session, "held1", 2).await;
    reports(&mut bench, &mut session, "d1", 3).await;
    assert!(timeout(Duration::from_millis(100), session.says_something()).await.is_err(), "none is acknowledged");
    bench.held.lock().unwrap().pop().unwrap().settle();
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 2][..]));
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 3][..]));
}

#[tokio::test]
async fn report_that_is_not_written_is_asked_for_again_on_another_connection() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, plain);
    let (_calls, mut session, _) = let_in(&broker).await;
    reports(&mut bench, &mut session, "held1", 1).await;
    // As the engine does with what it could not write.
    bench.held.lock().unwrap().clear();
    tokio::time::pause();
    tokio::time::advance(HELD_MAX + Duration::from_secs(2)).await;
    tokio::time::resume();
    assert_eq!(session.packet().await.kind, DISCONNECT, "without an acknowledgement");
    let (mut session, connect) = timeout(PATIENCE, hears_again(&broker)).await.unwrap();
    assert!(!is_clean(&connect));
    reports(&mut bench, &mut session, "d1", 1).await;
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 1][..]));
}

#[tokio::test]
async fn stop_acknowledges_what_is_being_written_and_takes_nothing_new() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, plain);
    let (mut calls, mut session, _) = let_in(&broker).await;
    bench.ready().await;
    reports(&mut bench, &mut session, "held1", 1).await;
    let receipt = bench.held.lock().unwrap().pop().unwrap();
    let stopping = tokio::spawn({
        let transport = bench.transport.clone();
        async move { transport.shutdown(PATIENCE).await }
    });
    receipt.settle();
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 1][..]));
    assert_eq!((session.packet().await.kind, calls.packet().await.kind), (DISCONNECT, DISCONNECT));
    drop((session, calls));
    stopping.await.unwrap();
}

#[tokio::test]
async fn stop_leaves_others_its_share_and_hears_what_it_had_been_given() {
    let broker = Broker::start(Version::V4).await;
    let mut bench = Bench::start(&broker, |config| {
        named(config);
        config.posts = Some(Posts::Shared);
    });
    let (mut calls, mut session, _) = let_in(&broker).await;
    bench.ready().await;
    let transport = bench.transport.clone();
    let stopping = tokio::spawn(async move { transport.shutdown(PATIENCE).await });
    let unsubscribe = session.packet().await;
    assert_eq!(unsubscribe.kind, UNSUBSCRIBE);
    session.send(&[0xb0, 2, unsubscribe.body[0], unsubscribe.body[1]]).await;
    reports(&mut bench, &mut session, "d1", 1).await;
    assert_eq!(puback(&session.packet().await), (PUBACK, &[0, 1][..]));
    assert_eq!((session.packet().await.kind, calls.packet().await.kind), (DISCONNECT, DISCONNECT));
    drop((session, calls));
    stopping.await.unwrap();
}
