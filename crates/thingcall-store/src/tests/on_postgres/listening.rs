//! That the database tells of changes, and what is done where it does not.

use std::time::Duration;

use thingcall_core::{MessageKind, MessageKinds, MessageLog, NewMessage, ReaderName, Wanted, Words};
use tokio::time::{sleep, timeout};

use super::*;
use crate::Change;

const LIMIT: Duration = Duration::from_secs(60);

/// A server that would not look by itself before the test is over; it listens.
async fn bench() -> Bench {
    let bench = bench_with(Config { change_poll: Duration::from_hours(1), ..Config::default() }).await;
    let bench = bench.with_devices(&["d1"]).await;
    bench.store.claim(&Conditions::default()).await.unwrap();
    until(|| bench.store.shared().told.listens()).await;
    bench
}

async fn until(what: impl Fn() -> bool) {
    let holds = async {
        while !what() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(LIMIT, holds).await.expect("in time");
}

/// Another process disables the device.
async fn is_told(bench: &Bench, name: &str) {
    let mut changes = bench.store.changes();
    bench.other().await.set_enabled(&key(name), false).await.unwrap();
    let told = timeout(LIMIT, changes.recv()).await.expect("told").unwrap();
    assert_eq!(told, Change::DeviceDisabled(key(name)));
}

#[tokio::test]
async fn a_change_of_another_process_is_seen_without_being_looked_for() {
    let bench = bench().await;
    is_told(&bench, "d1").await;
    assert!(!found(&bench.store, "d1").await.unwrap().device.enabled);
    assert_eq!(bench.store.shared().told.begun(), 1);
}

#[tokio::test]
async fn what_was_changed_while_nobody_listened_is_seen_and_then_it_is_told_again() {
    let bench = bench().await;
    bench.store.register(device("d2")).await.unwrap();
    let end = "SELECT pg_terminate_backend(pid)::TEXT FROM pg_stat_activity \
               WHERE datname = current_database() AND pid != pg_backend_pid() AND backend_type = 'client backend'";
    assert!(!bench.ask(end).await.is_empty());
    until(|| !bench.store.shared().told.listens()).await;
    is_told(&bench, "d1").await;
    until(|| bench.store.shared().told.listens()).await;
    is_told(&bench, "d2").await;
    assert_eq!(bench.store.shared().told.begun(), 2);
}

#[tokio::test]
async fn messages_of_another_process_are_seen_without_being_looked_for() {
    let bench = bench().await;
    let wanted = Wanted { of: vec![(None, MessageKinds::NONE.with(MessageKind::Event))] };
    bench.store.set_reader(&ReaderName("group:a".to_owned()), wanted).await.unwrap();
    let other = bench.other().await;
    let seen = bench.store.newest();
    let words = Words { topic: "t".to_owned(), body: "{}".into(), trace: None };
    let event = NewMessage { kind: MessageKind::Event, device: key("d1"), at: UnixMillis::now(), words };
    other.append(vec![event]).await.unwrap();
    timeout(LIMIT, bench.store.appended(seen)).await.expect("told");
    assert_eq!(bench.store.newest(), seen + 1);
}
