//! The write-ahead log under readers that do not end, and how full the store is in figures.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};
use tokio::time::{sleep, timeout};

use super::*;

const LOG_BYTES: u64 = 1024 * 1024;

async fn until(what: impl Fn() -> bool) {
    let holds = async {
        while !what() {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(30), holds).await.expect("in time");
}

#[tokio::test]
async fn a_reader_that_does_not_end_cannot_let_the_log_grow_without_bound() {
    let bench = bench_with(Config { log_bytes_max: LOG_BYTES.try_into().unwrap(), ..Config::default() })
        .await
        .with_devices(&["d1"])
        .await;
    let conditions = Conditions::default();
    bench.store.claim(&conditions).await.unwrap();
    let file = format!("sqlite://{}", bench.folder.path().join("thingcall.db").display());
    let mut reader = SqliteConnection::connect(&file).await.unwrap();
    let mut reading = reader.begin().await.unwrap();
    let _rows = sqlx::query("SELECT * FROM calls").fetch_all(&mut *reading).await.unwrap();
    let mut refused = None;
    for id in 0..100_000 {
        if let Err(why) = bench.open("d1", id, Qos::AtMostOnce).await {
            refused = Some(why);
            break;
        }
    }
    let words = "the store's write-ahead log is as long as it may be".to_owned();
    assert_eq!(refused, Some(JournalError::Unwritable { why: words, in_doubt: false }));
    let told = conditions.unmet().remove(0);
    assert!(told.failure.unwrap().contains("store.log_bytes_max"));

    reading.rollback().await.unwrap();
    until(|| conditions.unmet().is_empty()).await;
    bench.open("d1", 100_001, Qos::AtMostOnce).await.unwrap();
    let log = bench.folder.path().join("thingcall.db-wal");
    assert!(std::fs::metadata(log).unwrap().len() < LOG_BYTES);
}

#[tokio::test]
async fn each_figure_stands_beside_its_limit() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let registry = prometheus::Registry::new();
    bench.store.show_metrics(&registry).unwrap();
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    assert!(found(&bench.store, "d1").await.is_some());
    bench.store.flush().await;
    bench.store.refresh_metrics();
    let text = prometheus::TextEncoder::new().encode_to_string(&registry.gather()).unwrap();
    for line in [
        "thingcall_store_devices 2",
        "thingcall_store_devices_limit 10000000",
        "thingcall_store_devices_cached 1",
        "thingcall_store_devices_cached_limit 100000",
        "thingcall_store_presence_devices 0",
        "thingcall_store_device_look_ups_total{result=\"miss\"} 1",
        "thingcall_store_device_look_ups_total{result=\"hit\"} 1",
        "thingcall_store_device_look_ups_total{result=\"failed\"} 0",
        "thingcall_store_records 1",
        "thingcall_store_outbox_calls 1",
        "thingcall_store_write_queue_records 0",
        "thingcall_store_write_queue_records_limit 10000",
        "thingcall_store_read_connections_limit 4",
        "thingcall_store_waits_ran_out_total{wait=\"answer\"} 0",
        "thingcall_store_listener_up 0",
        "thingcall_store_writable 1",
        "thingcall_store_notes_lost_total 0",
        "thingcall_store_failures_total{reason=\"full\"} 0",
    ] {
        assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
    }
}
