//! A disk that reports errors, by a library that stands between SQLite and the system.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::*;

const SHIM: &str = include_str!("failing_disk.c");
/// While this file is there, writing the store's files fails.
const SWITCH: &str = "FAILING_DISK";
const LIMIT: Duration = Duration::from_secs(30);

/// The test runs itself once more below the library, which must be there when a process starts.
#[test]
fn a_disk_with_errors_is_told_and_the_store_heals() {
    if let Some(switch) = std::env::var_os(SWITCH) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(with_errors(Path::new(&switch)));
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, library) = (folder.path().join("shim.c"), folder.path().join("shim.so"));
    fs::write(&source, SHIM).unwrap();
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).arg("-ldl").status();
    assert!(built.unwrap().success());
    let this = ["--exact", "tests::failing_disk::a_disk_with_errors_is_told_and_the_store_heals", "--nocapture"];
    let mut below = Command::new(std::env::current_exe().unwrap());
    below.args(this).env("LD_PRELOAD", &library).env(SWITCH, folder.path().join("switch"));
    let output = below.output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && told.contains("1 passed"), "{told}{}", String::from_utf8_lossy(&output.stderr));
}

async fn with_errors(switch: &Path) {
    let bench = bench().await.with_devices(&["d1"]).await;
    let conditions = Conditions::default();
    bench.store.claim(&conditions).await.unwrap();
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    for round in 0..3 {
        fs::write(switch, "").unwrap();
        let id = 10 + round;
        let refused = timeout(LIMIT, bench.open("d1", id, Qos::AtLeastOnce)).await.expect("an answer");
        let words = "the store's disk reports errors".to_owned();
        assert_eq!(refused, Err(JournalError::Unwritable { why: words, in_doubt: true }));
        assert!(bench.store.register(device(&format!("e{round}"))).await.is_err());
        assert!(conditions.unmet().remove(0).failure.unwrap().contains("disk"));
        bench.store.acknowledged(&key("d1"), CallId::from_u32(1));
        bench.store.flush().await;

        fs::remove_file(switch).unwrap();
        let heals = async {
            while !conditions.unmet().is_empty() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(LIMIT, heals).await.expect("the store heals by itself");
        assert_eq!(bench.store.find_records(id).await.len(), 0, "what was refused is not there");
        bench.open("d1", id, Qos::AtLeastOnce).await.unwrap();
        bench.store.register(device(&format!("e{round}"))).await.unwrap();
    }
    assert!(bench.record(1).await.acked_at.is_some(), "what was noted meanwhile is written");
    assert_eq!(bench.store.stats().notes_lost, 0);
    bench.store.close().await;
}
