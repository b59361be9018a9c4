//! Facts about a store in a file that have no like elsewhere, or are seen in the file itself.

use std::collections::HashSet;

use thingcall_core::{MessageKind, MessageKinds, MessageLog, PresenceSink, ReaderName, TransportName, Wanted};
use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn an_accepted_call_is_in_the_file_before_anybody_is_told() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    // A copy of the files as they are now is what a crash would leave.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["thingcall.db", "thingcall.db-wal"] {
        std::fs::copy(bench.folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let after = Store::open(Config::default(), crashed.path()).await.unwrap();
    assert_eq!(after.find_records(1).await.len(), 1);
}

#[tokio::test]
async fn five_hundred_calls_at_once_are_all_written_in_few_transactions() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let device = bench.device("d1").await;
    let stalled = bench.store.shared().write.lock().await;
    let mut calls = JoinSet::new();
    for id in 0..500 {
        let (store, entry) = (bench.store.clone(), entry(&device, id, Qos::AtMostOnce));
        calls.spawn(async move { store.open(entry).await });
    }
    while bench.store.stats().queued_writes < 499 {
        tokio::task::yield_now().await;
    }
    let before = frames(&bench);
    drop(stalled);
    assert!(calls.join_all().await.into_iter().all(|opened| opened.is_ok()));
    let reopened = bench.other().await;
    let mut ids = HashSet::new();
    for id in 0..500 {
        ids.extend(reopened.find_records(id).await.iter().map(|record| record.id));
    }
    assert_eq!(ids.len(), 500);
    // One by one they would write each touched page 500 times over: at least four pages a call.
    assert!(frames(&bench) - before < 500, "{} pages", frames(&bench) - before);
}

/// Pages in the write-ahead log.
fn frames(bench: &Bench) -> u64 {
    std::fs::metadata(bench.folder.path().join("thingcall.db-wal")).unwrap().len() / 4120
}

#[tokio::test]
async fn a_failing_disk_is_told_and_nothing_counts_as_written() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.run("PRAGMA query_only = 1").await;
    // The connection fails, and the next one does not: nobody is told of it.
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
}

#[tokio::test]
async fn a_crash_between_the_end_and_its_publishing_loses_no_result() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.tell_in(Arc::new(PlainWords));
    let results = Wanted { of: vec![(None, MessageKinds::NONE.with(MessageKind::Result))] };
    bench.store.set_reader(&ReaderName("r".to_owned()), results.clone()).await.unwrap();
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap();
    let here = bench.store.look(0, &results, 9).await.unwrap();
    // A copy of the files as they are now is what a crash would leave.
    let crashed = tempfile::tempdir().unwrap();
    for file in ["thingcall.db", "thingcall.db-wal"] {
        std::fs::copy(bench.folder.path().join(file), crashed.path().join(file)).unwrap();
    }
    let after = Store::open(Config::default(), crashed.path()).await.unwrap();
    let there = after.look(0, &results, 9).await.unwrap();
    assert_eq!(there.len(), 1);
    assert_eq!((there[0].id, &there[0].words), (here[0].id, &here[0].words));
}

#[tokio::test]
async fn nobody_is_online_when_a_server_starts() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.online(&key("d1"), TransportName::EMBEDDED, None, UnixMillis(100));
    let bench = bench.reopened().await;
    assert!(told(&bench.store, "d1").await.online);
    bench.store.claim(&Conditions::default()).await.unwrap();
    assert!(!told(&bench.store, "d1").await.online);
    let tool = bench.other().await;
    let seen = told(&tool, "d1").await;
    assert!(!seen.online && seen.activated_at == Some(UnixMillis(100)));
}
