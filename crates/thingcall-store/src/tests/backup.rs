//! Backups: of one moment, whoever writes meanwhile; and nothing that is not whole is restored.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::{BackupError, Before, Existing, Manifest, Restored, backup, restore};

impl Bench {
    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn backup(&self, name: &str) -> Result<Manifest, BackupError> {
        backup(&self.config, self.folder.path(), &self.path(name), "thingcall test").await
    }

    async fn restore(&self, from: &str, data: &str, existing: Existing) -> Result<Restored, BackupError> {
        restore(&self.config, &self.path(from), &self.path(data), existing).await
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let mut names: Vec<_> = entries.collect();
    names.sort();
    names
}

/// Changes one byte in the middle of a file.
fn damage(file: &Path) {
    let mut bytes = fs::read(file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file, bytes).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_of_one_moment_while_others_write() {
    let bench = bench().await.with_devices(&["d0"]).await;
    for id in 1..=20 {
        bench.open("d0", id, Qos::AtLeastOnce).await.unwrap();
    }
    fs::create_dir(bench.path("plugins")).unwrap();
    fs::write(bench.path("plugins/a.so"), "code").unwrap();
    fs::write(bench.path("plugins/.hidden"), "").unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let writes = tokio::spawn({
        let (store, ended, d0) = (bench.store.clone(), ended.clone(), bench.device("d0").await);
        async move {
            let mut id = 100;
            while !ended.load(Ordering::Relaxed) {
                store.register(device(&format!("e{id}"))).await.unwrap();
                store.open(entry(&d0, id, Qos::AtLeastOnce)).await.ok();
                id += 1;
            }
            id - 100
        }
    });
    let manifest = bench.backup("one").await.unwrap();
    ended.store(true, Ordering::Relaxed);
    assert!(writes.await.unwrap() > 0);
    assert_eq!(names(&bench.path("one")), ["manifest.json", "plugins", "thingcall.db"]);
    assert!(manifest.rows["calls"] >= 20 && manifest.rows["devices"] >= 1, "{manifest:?}");
    let files: Vec<_> = manifest.files.iter().map(|file| &*file.name).collect();
    assert_eq!(files, ["thingcall.db", "plugins/a.so"]);
    assert!(matches!(bench.backup("one").await, Err(BackupError::Exists { .. })));

    let restored = bench.restore("one", "other", Existing::Refuse).await.unwrap();
    assert_eq!((&restored.manifest, &restored.aside), (&manifest, &None));
    assert_eq!(fs::read(bench.path("other/plugins/a.so")).unwrap(), b"code");
    assert_eq!(names(&bench.path("other")), ["plugins", "thingcall.db", "thingcall.lock"]);
    let other = Store::open(bench.config.clone(), &bench.path("other")).await.unwrap();
    assert_eq!(other.stats().devices as u64, manifest.rows["devices"]);
    let waiting = other.unacknowledged(&key("d0"), None, 1000).await.unwrap();
    assert!(waiting.len() >= 20, "{}", waiting.len());
    // As after a restart: what was signed before is not taken, as its nonces are not known.
    assert_eq!(other.claim(&Conditions::default()).await.unwrap(), Before::Another);
    let refused = bench.restore("one", "other", Existing::SetAside).await.unwrap_err();
    assert!(matches!(refused, BackupError::Served { .. }), "{refused}");
}

#[tokio::test]
async fn what_was_there_is_refused_or_set_aside() {
    let bench = bench().await.with_devices(&["d0"]).await;
    bench.backup("one").await.unwrap();
    bench.restore("one", "other", Existing::Refuse).await.unwrap();
    let told = bench.restore("one", "other", Existing::Refuse).await.unwrap_err().to_string();
    assert!(told.contains("holds a store or plugins already") && told.contains("--replace"), "{told}");
    let again = bench.restore("one", "other", Existing::SetAside).await.unwrap();
    let aside = again.aside.unwrap();
    assert_eq!(names(&aside), ["thingcall.db"]);
    fs::create_dir_all(bench.path("third/plugins")).unwrap();
    bench.restore("one", "third", Existing::Refuse).await.unwrap();
    fs::create_dir_all(bench.path("fourth/plugins")).unwrap();
    fs::write(bench.path("fourth/plugins/b.so"), "").unwrap();
    assert!(matches!(bench.restore("one", "fourth", Existing::Refuse).await, Err(BackupError::Taken { .. })));
}

#[tokio::test]
async fn where_a_restore_was_ended_half_way_no_empty_store_is_made() {
    let bench = bench().await.with_devices(&["d0"]).await;
    bench.backup("one").await.unwrap();
    fs::create_dir_all(bench.path("other/.restore")).unwrap();
    let told = Store::open(bench.config.clone(), &bench.path("other")).await.unwrap_err().to_string();
    assert!(told.contains("restore the backup again") && told.contains("replaced-TIME"), "{told}");
    assert_eq!(names(&bench.path("other")), [".restore"]);
    bench.restore("one", "other", Existing::Refuse).await.unwrap();
    Store::open(bench.config.clone(), &bench.path("other")).await.unwrap();
}

#[tokio::test]
async fn what_is_not_whole_is_not_restored() {
    let bench = bench().await.with_devices(&["d0"]).await;
    fs::create_dir(bench.path("plugins")).unwrap();
    fs::write(bench.path("plugins/a.so"), "code").unwrap();
    bench.backup("one").await.unwrap();
    let manifest = fs::read_to_string(bench.path("one/manifest.json")).unwrap();
    let told = async |why: &str| {
        let told = bench.restore("one", "other", Existing::Refuse).await.unwrap_err().to_string();
        assert!(told.contains(why), "{why}: {told}");
        assert_eq!(names(&bench.path("other")), ["thingcall.lock"], "{why}");
    };
    let store = bench.path("one/thingcall.db");
    damage(&store);
    told("its SHA-256 is").await;
    damage(&store);
    damage(&bench.path("one/plugins/a.so"));
    told("plugins/a.so is damaged").await;
    damage(&bench.path("one/plugins/a.so"));
    for (part, other, why) in [
        ("\"devices\": 1", "\"devices\": 2", "its numbers of rows are not those"),
        ("\"format\": 1", "\"format\": 2", "is of form 2"),
        ("plugins/a.so", "plugins/../../a.so", "names other files"),
        ("plugins/a.so", "/etc/passwd", "names other files"),
        ("\"schema\": ", "\"schema\": 10", "knows versions up to"),
        ("{", "", "is no backup"),
    ] {
        let changed = manifest.replacen(part, other, 1);
        assert_ne!(changed, manifest, "{part}");
        fs::write(bench.path("one/manifest.json"), changed).unwrap();
        told(why).await;
    }
    fs::write(bench.path("one/manifest.json"), &manifest).unwrap();
    fs::remove_file(&store).unwrap();
    told("No such file").await;
    fs::remove_file(bench.path("one/manifest.json")).unwrap();
    told("is no backup").await;
}

#[tokio::test]
async fn a_damaged_store_has_no_backup() {
    let bench = bench().await.with_devices(&["d0"]).await;
    bench.run("PRAGMA foreign_keys = OFF").await;
    bench.run("DELETE FROM products").await;
    let told = bench.backup("one").await.unwrap_err().to_string();
    assert!(told.contains("is damaged: a row of ") && told.contains("belongs to one that is not there"), "{told}");
    assert!(!names(bench.folder.path()).iter().any(|name| name.contains("one")), "nothing is left of it");
    let missing = backup(&bench.config, &bench.path("nowhere"), &bench.path("two"), "").await.unwrap_err().to_string();
    assert!(missing.contains("there is no store"), "{missing}");
    let url = Some(StoreUrl::new("postgres://u@h/d"));
    let told = backup(&Config { url, ..Config::default() }, bench.folder.path(), &bench.path("two"), "").await;
    assert!(told.unwrap_err().to_string().contains("pg_dump --format=custom"));
}
