//! Replies to the calls of other instances, which every instance hears.

use thingcall_core::{CallId, Transport as _};

use super::broker::{Broker, Session};
use super::{Bench, Told, VERSIONS};
use crate::Config;

/// A call of the instance that holds this slot.
fn of(slot: u8) -> CallId {
    CallId::new(slot, 2_000_000)
}

fn ok(id: CallId) -> Vec<u8> {
    format!(r#"{{"id":"{id}","code":200,"data":{{}}}}"#).into_bytes()
}

/// What is handed on until our own reply, which is said last.
async fn told_until_ours(bench: &mut Bench, session: &mut Session) -> Vec<Told> {
    session.publish("/sys/pk/last/rrpc/response/7", br#"{"code":200}"#).await;
    let mut all = Vec::new();
    loop {
        match bench.told().await {
            Told::Reply(reply) if reply.device.name.as_str() == "last" => return all,
            other @ (Told::Reply(_) | Told::Raw(_) | Told::Post(_) | Told::OtherInstance(_) | Told::Lost) => {
                all.push(other)
            }
        }
    }
}

fn ids(told: &[Told]) -> Vec<CallId> {
    let id = |told: &Told| match told {
        Told::Reply(reply) => reply.id(),
        Told::Raw(raw) => raw.topic_id,
        Told::Post(_) | Told::OtherInstance(_) | Told::Lost => None,
    };
    told.iter().filter_map(id).collect()
}

async fn connected(version: crate::Version, change: impl FnOnce(&mut Config)) -> (Bench, Session, Broker) {
    let broker = Broker::start(version).await;
    let bench = Bench::start(&broker, change);
    let session = broker.let_in().await;
    bench.ready().await;
    (bench, session, broker)
}

#[tokio::test]
async fn replies_of_another_slot_are_dropped_and_heard_when_it_is_taken_over() {
    for version in VERSIONS {
        let (mut bench, mut session, _broker) = connected(version, |_| {}).await;
        let (five, six) = (of(5), of(6));
        session.publish("/sys/pk/d1/thing/service/Measure_reply", &ok(five)).await;
        session.publish(&format!("/sys/pk/d1/rrpc/response/{five}"), &ok(five)).await;
        session.publish(&format!("/sys/pk/raw1/rrpc/response/{five}"), b"\x01\x02").await;
        // It has to be read to be seen.
        session
            .publish("/sys/pk/d2/thing/service/Measure_reply", format!(r#"{{"id":"{five}.0","code":200}}"#).as_bytes())
            .await;
        session.publish("/sys/pk/d1/thing/service/Measure_reply", &ok(six)).await;
        assert_eq!(told_until_ours(&mut bench, &mut session).await.len(), 0);
        assert_eq!(bench.metric("foreign_replies_total", ""), 5.0);
        assert_eq!(bench.metric("foreign_replies_kept_length", ""), 5.0);
        assert_eq!(bench.metric("received_total", "reply"), 6.0);

        bench.slots.take(5);
        bench.transport.slots_changed();
        let told = told_until_ours(&mut bench, &mut session).await;
        assert_eq!(ids(&told), [five; 4]);
        assert!(matches!(&told[2], Told::Raw(raw) if raw.payload == b"\x01\x02"[..]), "{told:?}");
        assert_eq!(bench.metric("foreign_replies_replayed_total", ""), 4.0);
        assert_eq!(bench.metric("foreign_replies_kept_length", ""), 1.0);

        session.publish("/sys/pk/d1/thing/service/Measure_reply", &ok(five)).await;
        assert_eq!(ids(&told_until_ours(&mut bench, &mut session).await), [five], "as they come");
        bench.slots.let_go(5);
        session.publish("/sys/pk/d1/thing/service/Measure_reply", &ok(five)).await;
        assert_eq!(told_until_ours(&mut bench, &mut session).await.len(), 0, "given back");
    }
}

#[tokio::test]
async fn requests_of_other_instances_are_neither_counted_nor_kept() {
    for version in VERSIONS {
        let (mut bench, mut session, _broker) = connected(version, |_| {}).await;
        let five = of(5);
        let request = format!(r#"{{"id":"{five}","version":"1.0","params":{{}},"method":"thing.service.Measure"}}"#);
        session.publish("/sys/pk/d1/thing/service/Measure", request.as_bytes()).await;
        session.publish(&format!("/ext/rrpc/{five}/sys/pk/d1/thing/service/Measure"), request.as_bytes()).await;
        // It may be the command: to be heard as an answer after a take-over would be wrong.
        session.publish(&format!("/ext/rrpc/{five}/sys/pk/raw1/thing/model/down_raw"), b"\x01").await;
        assert_eq!(told_until_ours(&mut bench, &mut session).await.len(), 0);
        bench.slots.take(5);
        bench.transport.slots_changed();
        assert_eq!(told_until_ours(&mut bench, &mut session).await.len(), 0);
        assert_eq!(bench.metric("foreign_replies_kept_length", ""), 0.0);
    }
}

#[tokio::test]
async fn one_that_may_be_ours_under_a_wrong_id_is_told() {
    let (mut bench, mut session, _broker) = connected(VERSIONS[0], |_| {}).await;
    session.publish("/sys/pk/waited-for/thing/service/Measure_reply", &ok(of(5))).await;
    let told = told_until_ours(&mut bench, &mut session).await;
    assert!(matches!(&*told, [Told::OtherInstance(Some(device))] if device.name.as_str() == "waited-for"), "{told:?}");
}

#[tokio::test]
async fn a_devices_own_count_is_no_call_of_slot_0() {
    let (mut bench, mut session, _broker) = connected(VERSIONS[0], |_| {}).await;
    let five = of(5);
    session.publish(&format!("/sys/pk/d1/rrpc/response/{five}"), br#"{"id":"12","code":200}"#).await;
    assert_eq!(told_until_ours(&mut bench, &mut session).await.len(), 0);
    bench.slots.take(5);
    bench.transport.slots_changed();
    let told = told_until_ours(&mut bench, &mut session).await;
    assert!(matches!(&*told, [Told::Reply(reply)] if reply.topic_id == Some(five)), "{told:?}");
}

#[tokio::test]
async fn so_many_are_kept_as_the_configuration_says() {
    let few = |config: &mut Config| config.foreign_replies_kept_max = 2;
    let (mut bench, mut session, _broker) = connected(VERSIONS[0], few).await;
    for _ in 0..5 {
        session.publish("/sys/pk/d1/thing/service/Measure_reply", &ok(of(5))).await;
    }
    assert_eq!(told_until_ours(&mut bench, &mut session).await.len(), 0);
    assert_eq!(bench.metric("foreign_replies_kept_length", ""), 2.0);
    assert_eq!(bench.metric("foreign_replies_kept_limit", ""), 2.0);
    assert_eq!(bench.metric("foreign_replies_pushed_out_total", ""), 3.0);
}
