//! Two stores on one file: a server and the command line.

use std::time::Duration;

use thingcall_core::{Credentials, Keys, RecordState, Target};
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use super::*;
use crate::{Change, Dismissed, Known, NewKey};

/// The next change, which another process made. People are promised a second; a busy machine gets more.
async fn next(changes: &mut Receiver<Change>) -> Change {
    timeout(Duration::from_secs(10), changes.recv()).await.expect("seen").unwrap()
}

#[test]
fn changes_are_looked_for_often_enough_for_the_promised_second() {
    assert!(Config::default().change_poll <= Duration::from_millis(500));
}

#[tokio::test]
async fn a_running_server_sees_what_the_command_line_does() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let (server, tool) = (&bench.store, bench.other().await);
    let mut changes = server.changes();
    tool.register(device("d2")).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::DevicesAdded);
    assert!(server.credential(&key("d2")).await.unwrap().is_some());
    tool.set_enabled(&key("d2"), false).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::DeviceDisabled(key("d2")));
    assert!(!found(server, "d2").await.unwrap().device.enabled);
    tool.set_enabled(&key("d2"), true).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::DeviceChanged(key("d2")));
    let made = tool.add_key(NewKey::default()).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::Key(made.id.clone()));
    assert_eq!(server.key(&made.id).unwrap().secret, made.secret);
    tool.set_key_allow(&made.id, Some(&"actions=Query*".parse().unwrap())).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::Key(made.id.clone()));
    assert!(!server.key(&made.id).unwrap().allows("InvokeThingService", Target::Product("p")));
    tool.create_product(product("q")).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::Product("q".try_into().unwrap()));
    tool.remove(&key("d2")).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::DeviceRemoved(key("d2")));
    assert!(found(server, "d2").await.is_none());
}

#[tokio::test]
async fn a_change_is_told_once_in_the_process_that_made_it() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let mut changes = bench.store.changes();
    bench.store.set_enabled(&key("d1"), false).await.unwrap();
    let other = bench.other().await;
    other.register(device("d2")).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::DeviceDisabled(key("d1")));
    assert_eq!(next(&mut changes).await, Change::DevicesAdded);
}

#[tokio::test]
async fn calls_of_a_device_the_command_line_removed_end() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let mut changes = bench.store.changes();
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.other().await.remove(&key("d1")).await.unwrap();
    assert_eq!(next(&mut changes).await, Change::DeviceRemoved(key("d1")));
    assert_eq!(bench.record(1).await.state, RecordState::Ended);
    assert_eq!(bench.store.shared().write.lock().await.waiting.len(), 0);
}

#[tokio::test]
async fn a_process_that_missed_changes_reads_everything_anew() {
    let bench = bench_with(Config { change_poll: Duration::from_hours(1), ..Config::default() }).await;
    let bench = bench.with_devices(&["d1", "d2"]).await;
    for name in ["d1", "d2"] {
        assert!(found(&bench.store, name).await.is_some(), "memory has it");
    }
    let tool = bench.other().await;
    tool.remove(&key("d1")).await.unwrap();
    tool.set_enabled(&key("d2"), false).await.unwrap();
    let made = tool.add_key(NewKey::default()).await.unwrap();
    bench.run("DELETE FROM changes WHERE kind != 'key'").await;
    let mut side = bench.store.shared().write.lock().await;
    let mut changes = bench.store.changes();
    crate::changes::catch_up(bench.store.shared(), &mut side).await.unwrap();
    drop(side);
    assert_eq!(changes.recv().await.unwrap(), Change::Product("p".try_into().unwrap()));
    assert_eq!(changes.recv().await.unwrap(), Change::Key(made.id.clone()));
    assert_eq!(changes.recv().await.unwrap(), Change::Missed);
    assert!(found(&bench.store, "d1").await.is_none());
    assert!(!found(&bench.store, "d2").await.unwrap().device.enabled);
    assert_eq!(bench.store.stats().devices, 1);
    assert!(bench.store.key(&made.id).is_some());
}

#[tokio::test]
async fn both_processes_may_write_at_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let tool = bench.other().await;
    let calls = async {
        for id in 0..20 {
            bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
        }
    };
    let devices = async {
        for n in 0..20 {
            tool.register(device(&format!("e{n}"))).await.unwrap();
        }
    };
    tokio::join!(calls, devices);
    assert_eq!(bench.other().await.stats().devices, 21);
}

#[tokio::test]
async fn no_disabled_device_is_missed_however_many_change_at_once() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.claim(&Conditions::default()).await.unwrap();
    let tool = bench.other().await;
    let many = (0..19_000).map(|number| device(&format!("m{number}"))).collect();
    tool.set_enabled(&key("d1"), false).await.unwrap();
    tool.register_all(many).await.unwrap();
    let dismissed = timeout(Duration::from_secs(30), bench.store.dismissed()).await.expect("told");
    assert_eq!(dismissed, Dismissed::These(vec![key("d1")]));
    assert_eq!(tool.known_to_server().await, Known::Yes);
    assert_eq!(bench.store.stats().devices, 19_001);
}

#[tokio::test]
async fn a_server_that_missed_who_was_disabled_looks_at_all() {
    let bench = bench_with(Config { change_poll: Duration::from_hours(1), ..Config::default() }).await;
    let bench = bench.with_devices(&["d1"]).await;
    bench.store.claim(&Conditions::default()).await.unwrap();
    let tool = bench.other().await;
    let mut side = bench.store.shared().write.lock().await;
    tool.set_enabled(&key("d1"), false).await.unwrap();
    tool.add_key(NewKey::default()).await.unwrap();
    let gone = "DELETE FROM changes WHERE kind = 'disabled'";
    tool.shared().write.lock().await.conn.raw(gone).await.unwrap();
    crate::changes::catch_up(bench.store.shared(), &mut side).await.unwrap();
    drop(side);
    assert_eq!(bench.store.dismissed().await, Dismissed::PerhapsAny);
}

#[tokio::test]
async fn a_command_learns_when_the_server_knows_its_change() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let tool = bench.other().await;
    tool.register(device("d2")).await.unwrap();
    assert_eq!(tool.known_to_server().await, Known::NoServer);
    bench.store.claim(&Conditions::default()).await.unwrap();
    tool.register(device("d3")).await.unwrap();
    assert_eq!(tool.known_to_server().await, Known::Yes);
    assert!(bench.store.credential(&key("d3")).await.unwrap().is_some());
    // One that takes nothing over.
    let stands_still = bench.store.shared().write.lock().await;
    tool.register(device("d4")).await.unwrap();
    assert_eq!(tool.known_to_server().await, Known::NotYet);
    drop(stands_still);
}
