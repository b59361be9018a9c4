//! What the store itself sees happen, in the log of messages.

use std::time::Duration;

use thingcall_core::{
    CallStep, KeptHop, MessageKind, MessageKinds, MessageLog, PresenceSink, ReaderName, SpanId, Taken, TraceContext,
    TransportName, Wanted,
};

use super::*;
use crate::MessagesConfig;

fn reader() -> ReaderName {
    ReaderName("group:told".to_owned())
}

async fn want(store: &Store, kind: MessageKind) {
    store.set_reader(&reader(), Wanted { of: vec![(None, MessageKinds::NONE.with(kind))] }).await.unwrap();
}

/// A store with words and these devices, and a reader of this kind of message from then on.
async fn told_bench(devices: &[&str], kind: MessageKind) -> Bench {
    // What these tests tell of happened in 1970.
    let messages = MessagesConfig { keep: Duration::MAX, ..MessagesConfig::default() };
    let bench = bench_with(Config { messages, ..Config::default() }).await.with_devices(devices).await;
    bench.store.tell_in(Arc::new(PlainWords));
    bench.serves(&bench.store, 0).await;
    want(&bench.store, kind).await;
    bench
}

async fn all(store: &Store) -> Vec<String> {
    store.flush().await;
    let says = |taken: Taken| String::from_utf8(taken.message.words.body.to_vec()).unwrap();
    store.take(&reader(), 99).await.unwrap().into_iter().map(says).collect()
}

#[tokio::test]
async fn a_result_is_in_the_log_in_the_transaction_that_ends_its_call() {
    let bench = told_bench(&["d1"], MessageKind::Result).await;
    for id in 1..=3 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
    }
    // While records cannot be changed neither is written.
    bench.refuse_updates().await;
    let did = end_all(&*bench.store, vec![reply("d1", 1, 200)]);
    bench.store.flush().await;
    assert!(bench.store.take(&reader(), 9).await.unwrap().is_empty());
    bench.allow_updates().await;
    bench.store.flush().await;
    let did: Vec<_> = did.try_iter().collect();
    assert!(matches!(did[..], [Completion::Matched { .. }]), "{did:?}");
    assert_eq!(all(&bench.store).await, [r#"1 ok 200 {"y":1} true"#]);
    bench.store.failed(&key("d1"), CallId::from_u32(2), Outcome::Offline, "away");
    bench.store.complete(vec![reply("d1", 3, 460)]).await.unwrap();
    // The first end counts, and what comes later is told no more.
    bench.store.failed(&key("d1"), CallId::from_u32(3), Outcome::Offline, "away");
    bench.store.complete(vec![reply("d1", 2, 200), reply("d1", 3, 200)]).await.unwrap();
    assert_eq!(all(&bench.store).await, ["2 offline 0 - false", r#"3 device_error 460 {"y":1} true"#]);
    assert_eq!(bench.record(2).await.outcome, Some(Outcome::Offline));
    // So does a call that is written down with its end.
    let answer = reply("d1", 4, 200).body.ok();
    let ended = JournalEntry { answer, ..entry(&bench.device("d1").await, 4, Qos::AtMostOnce) };
    bench.store.open(ended).await.unwrap();
    assert_eq!(all(&bench.store).await, [r#"4 ok 200 {"y":1} true"#]);
}

#[tokio::test]
async fn a_device_that_was_there_once_is_told_apart_from_one_that_never_was() {
    let bench = told_bench(&["d1"], MessageKind::Result).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.seen(&key("d1"), TransportName::EMBEDDED, UnixMillis(100));
    bench.store.failed(&key("d1"), CallId::from_u32(1), Outcome::Offline, "away");
    assert_eq!(all(&bench.store).await, ["1 offline 0 - true"]);
}

#[tokio::test]
async fn without_words_and_without_a_wish_nothing_is_written() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    bench.serves(&bench.store, 0).await;
    want(&bench.store, MessageKind::Result).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap();
    bench.store.tell_in(Arc::new(PlainWords));
    bench.store.online(&key("d1"), TransportName::EMBEDDED, None, UnixMillis(100));
    bench.store.set_enabled(&key("d2"), false).await.unwrap();
    bench.store.flush().await;
    assert_eq!(bench.ask("SELECT CAST(COUNT(*) AS TEXT) FROM messages").await, ["0"]);
}

#[tokio::test]
async fn calls_of_a_device_that_another_process_removes_are_told_and_so_is_its_end() {
    let bench = told_bench(&["d1"], MessageKind::Result).await;
    let kinds = [MessageKind::Result, MessageKind::LifeCycle].into_iter().collect();
    bench.store.set_reader(&reader(), Wanted { of: vec![(None, kinds)] }).await.unwrap();
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.open("d1", 2, Qos::AtLeastOnce).await.unwrap();
    let tool = bench.other().await;
    tool.tell_in(Arc::new(PlainWords));
    tool.remove(&key("d1")).await.unwrap();
    let expected = ["1 unknown_target 0 - true", "2 unknown_target 0 - true", "d1 delete true"];
    assert_eq!(all(&bench.store).await, expected);
}

#[tokio::test]
async fn a_device_s_life_is_told() {
    let bench = told_bench(&["d1"], MessageKind::LifeCycle).await;
    bench.store.register(device("d2")).await.unwrap();
    bench.store.set_enabled(&key("d1"), false).await.unwrap();
    bench.store.set_enabled(&key("d1"), true).await.unwrap();
    // What is so already, or cannot be, is not told.
    bench.store.set_enabled(&key("d1"), true).await.unwrap();
    assert!(bench.store.register(device("d2")).await.is_err() && bench.store.remove(&key("d9")).await.is_err());
    bench.store.set_transport(&key("d1"), None).await.unwrap();
    bench.store.remove(&key("d2")).await.unwrap();
    assert!(bench.store.remove(&key("d2")).await.is_err());
    let told = all(&bench.store).await;
    assert_eq!(told, ["d2 create true", "d1 disable false", "d1 enable true", "d2 delete true"]);
}

#[tokio::test]
async fn a_device_that_comes_and_goes_is_told_once_each_with_the_time_before() {
    let bench = told_bench(&["d1"], MessageKind::Status).await;
    let (d1, embedded) = (key("d1"), TransportName::EMBEDDED);
    bench.store.online(&d1, embedded, Some("10.0.0.1:5"), UnixMillis(100));
    bench.store.online(&d1, embedded, Some("10.0.0.1:5"), UnixMillis(150));
    assert_eq!(all(&bench.store).await, [r#"d1 true 100 100 Some("10.0.0.1:5")"#]);
    bench.store.seen(&d1, embedded, UnixMillis(170));
    bench.store.offline(&d1, UnixMillis(200));
    bench.store.online(&d1, embedded, Some("10.0.0.2:5"), UnixMillis(300));
    let expected = [r#"d1 false 200 170 Some("10.0.0.1:5")"#, r#"d1 true 300 200 Some("10.0.0.2:5")"#];
    assert_eq!(all(&bench.store).await, expected);
    // One that is told again, by another process too, is told no more; one that nobody registered is not told.
    let other = bench.other().await;
    other.tell_in(Arc::new(PlainWords));
    other.online(&d1, embedded, None, UnixMillis(400));
    other.online(&key("d9"), embedded, None, UnixMillis(400));
    other.flush().await;
    assert_eq!(all(&bench.store).await, [""; 0]);
}

#[tokio::test]
async fn who_was_connected_when_a_server_ended_is_told_to_be_gone_when_the_next_one_starts() {
    let bench = told_bench(&["d1"], MessageKind::Status).await;
    bench.store.online(&key("d1"), TransportName::EMBEDDED, None, UnixMillis(100));
    assert_eq!(all(&bench.store).await.len(), 1);
    bench.store.nobody_is_online().await;
    let told = all(&bench.store).await;
    assert!(told.len() == 1 && told[0].starts_with("d1 false ") && told[0].ends_with(" 100 None"), "{told:?}");
}

#[tokio::test]
async fn a_call_stays_in_its_trace_until_its_result_is_told() {
    let bench = told_bench(&["d1"], MessageKind::Result).await;
    let parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let context = TraceContext::read(parent, Some("a=1,b=2")).unwrap();
    let hop = KeptHop { context: context.clone(), parent: SpanId::random() };
    let mut traced = entry(&bench.device("d1").await, 1, Qos::AtLeastOnce);
    traced.delivery.trace = Some(hop.clone().hop());
    traced.times.set_micros(CallStep::Checked, 7);
    bench.store.open(traced).await.unwrap();
    bench.open("d1", 2, Qos::AtLeastOnce).await.unwrap();

    let waits = bench.store.unacknowledged(&key("d1"), None, 9).await.unwrap();
    let told: Vec<_> = waits.iter().map(|delivery| delivery.trace.as_ref().map(|hop| hop.keep())).collect();
    assert_eq!(told, [Some(hop.clone()), None]);
    let record = bench.record(1).await;
    assert_eq!((record.trace, record.times.get(CallStep::Checked)), (Some(hop.clone()), Some(7)));
    let did = bench.store.complete(vec![reply("d1", 1, 200), reply("d1", 2, 200)]).await.unwrap();
    let traces: Vec<_> = did
        .into_iter()
        .map(|did| {
            let Completion::Matched { trace, .. } = did else { panic!("{did:?}") };
            trace.map(|trace| trace.0)
        })
        .collect();
    assert_eq!(traces, [Some(hop), None]);
    let taken = bench.store.take(&reader(), 9).await.unwrap();
    let traces: Vec<_> = taken.iter().map(|taken| taken.message.words.trace.clone()).collect();
    assert_eq!(traces, [Some(context.clone()), None]);
    let looked = bench.store.look(0, &Wanted { of: vec![(None, MessageKinds::all())] }, 9).await.unwrap();
    assert_eq!(looked.iter().filter(|message| message.words.trace == Some(context.clone())).count(), 1);
    assert_eq!(bench.ask("SELECT CAST(COUNT(*) AS TEXT) FROM message_traces").await, ["1"]);
}
