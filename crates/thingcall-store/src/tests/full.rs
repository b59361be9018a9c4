//! A disk without room, a small file system in memory: what is told meanwhile, and that all is well afterwards.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use thingcall_core::{ConditionState, MessageKinds, MessageLog, PresenceSink, ReaderName, TransportName, Wanted};
use thingcall_tsl::DirectoryError;
use tokio::time::{sleep, timeout};

use super::*;
use crate::{KeyError, NewKey};

const LIMIT: Duration = Duration::from_secs(30);

/// A file system of 4 MiB, taken away at the end.
struct SmallDisk(TempDir);

impl SmallDisk {
    fn mount() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "tmpfs"]).arg(folder.path()).output();
        let mount = mount.unwrap();
        assert!(mount.status.success(), "only root can make a small disk: {}", String::from_utf8_lossy(&mount.stderr));
        Self(folder)
    }

    fn data(&self) -> PathBuf {
        self.0.path().join("data")
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        for block in [64 * 1024, 4096, 1] {
            while file.write_all(&vec![1; block]).is_ok() {}
        }
    }

    fn free(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.0.path().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: files of a store that is dropped right after are open still.
        let _status = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// A server's store on a small disk, with the device `d1`.
async fn on(disk: &SmallDisk) -> (Arc<Store>, Conditions) {
    let store = Store::open(Config::default(), &disk.data()).await.unwrap();
    let conditions = Conditions::default();
    store.claim(&conditions).await.unwrap();
    if store.products().is_empty() {
        store.create_product(product("p")).await.unwrap();
        store.register(device("d1")).await.unwrap();
    }
    (store, conditions)
}

fn state(conditions: &Conditions) -> ConditionState {
    conditions.states().remove(0)
}

async fn heals(conditions: &Conditions) {
    let well = async {
        while state(conditions).failure.is_some() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LIMIT, well).await.expect("the store heals by itself");
}

/// Calls until one is refused; the ids of the others.
async fn call_until_refused(store: &Store, from: u32) -> (Vec<u32>, JournalError) {
    let mut accepted = Vec::new();
    for id in from.. {
        let device = found(store, "d1").await.unwrap().device;
        match timeout(LIMIT, store.open(entry(&device, id, Qos::AtMostOnce))).await.expect("an answer") {
            Ok(()) => accepted.push(id),
            Err(refused) => return (accepted, refused),
        }
    }
    unreachable!("numbers do not end")
}

#[tokio::test]
async fn a_full_disk_is_told_and_heals_without_a_call_or_a_restart() {
    let disk = SmallDisk::mount();
    let (store, conditions) = on(&disk).await;
    assert_eq!(state(&conditions).failure, None);
    store.open(entry(&found(&store, "d1").await.unwrap().device, 0, Qos::AtMostOnce)).await.unwrap();
    disk.fill();
    let (accepted, refused) = call_until_refused(&store, 1).await;
    assert_eq!(refused, JournalError::Unwritable { why: "the store is full".to_owned(), in_doubt: false });
    let told = state(&conditions).failure.unwrap();
    assert!(told.contains("the store is full") && told.contains("free room"), "{told}");
    // What cannot be told to a caller any more is kept.
    store.failed(&key("d1"), CallId::from_u32(0), Outcome::Offline, "gone");
    store.online(&key("d1"), TransportName::EMBEDDED, None, UnixMillis(100));
    store.flush().await;

    disk.free();
    heals(&conditions).await;
    store.open(entry(&found(&store, "d1").await.unwrap().device, 1_000_000, Qos::AtMostOnce)).await.unwrap();
    store.flush().await;
    assert_eq!(store.find_records(0).await[0].outcome, Some(Outcome::Offline));
    assert_eq!(store.stats().notes_lost, 0);
    for id in accepted {
        assert_eq!(store.find_records(id).await.len(), 1, "call {id}");
    }
    store.close().await;
}

#[tokio::test]
async fn whoever_changes_something_on_a_full_disk_is_told_why_not() {
    let disk = SmallDisk::mount();
    let (store, conditions) = on(&disk).await;
    disk.fill();
    let _refused = call_until_refused(&store, 1).await;
    let words = "the store is full; nothing was changed";
    let mut refused = None;
    for number in 0..1000 {
        refused = store.register(device(&format!("e{number}"))).await.err();
        if refused.is_some() {
            break;
        }
    }
    assert_eq!(refused, Some(DirectoryError::Unwritable(words.to_owned())));
    assert_eq!(store.add_key(NewKey::default()).await.err(), Some(KeyError::Unwritable(words.to_owned())));
    disk.free();
    heals(&conditions).await;
    store.register(device("f1")).await.unwrap();
    store.add_key(NewKey::default()).await.unwrap();
    store.complete(vec![reply("d1", 1, 200)]).await.unwrap();
    let results = Wanted { of: vec![(None, MessageKinds::all())] };
    store.set_reader(&ReaderName("r".to_owned()), results).await.unwrap();
    store.close().await;
}

#[tokio::test]
async fn presence_alone_finds_the_full_disk_and_is_written_after() {
    let disk = SmallDisk::mount();
    let (store, conditions) = on(&disk).await;
    disk.fill();
    let seen = async {
        for at in 1.. {
            store.seen(&key("d1"), TransportName::EMBEDDED, UnixMillis(at));
            store.flush().await;
            if state(&conditions).failure.is_some() {
                return at;
            }
        }
        0
    };
    let last = timeout(LIMIT, seen).await.expect("it is found");
    disk.free();
    heals(&conditions).await;
    store.flush().await;
    let tool = reading(&disk.data()).await;
    assert_eq!(told(&tool, "d1").await.last_seen_at, Some(UnixMillis(last)));
}

async fn reading(data: &Path) -> Arc<Store> {
    Store::open(Config::default(), data).await.unwrap()
}
