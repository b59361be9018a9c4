//! The past of devices.

use std::num::NonZeroU64;
use std::time::Duration;

use thingcall_core::{First, LastValue, LastValues, Past, PastKind, PastWanted};
use thingcall_tsl::Directory;

use super::*;

fn past(kind: PastKind, name: &str, value: &str, at: i64) -> Past {
    Past { kind, name: name.to_owned(), value: value.to_owned(), at: UnixMillis(at) }
}

fn property(name: &str, value: &str, at: i64) -> Past {
    past(PastKind::Property, name, value, at)
}

fn wanted(name: Option<&str>, first: First, max: usize) -> PastWanted {
    let (from, until) = (UnixMillis(0), UnixMillis(i64::MAX));
    PastWanted { kind: PastKind::Property, name: name.map(str::to_owned), from, until, first, max }
}

/// Keeps what is not older than the oldest that these tests have.
fn config(records: u64) -> Config {
    let history_keep = Duration::from_secs(200 * 365 * 24 * 3600);
    Config { history_records_per_product_max: records, history_keep, ..Config::default() }
}

#[tokio::test]
async fn past_is_told_in_the_order_that_is_wanted_before_and_after_it_is_written() {
    let bench = bench_with(config(100)).await.with_devices(&["d1", "d2"]).await;
    let all = [property("p", "1", 1), property("q", "\"x\"", 2), property("p", "2", 3)];
    bench.store.remember(&key("d1"), all.to_vec());
    bench.store.remember(&key("d1"), vec![past(PastKind::Event, "p", "{}", 2)]);
    bench.store.remember(&key("d2"), vec![property("p", "5", 5)]);
    for _ in 0..2 {
        let found = async |wanted: PastWanted| bench.store.past(&key("d1"), &wanted).await.unwrap();
        assert_eq!(found(wanted(None, First::Oldest, 9)).await, all, "from the first on");
        assert_eq!(found(wanted(Some("p"), First::Newest, 9)).await, [all[2].clone(), all[0].clone()]);
        assert_eq!(found(wanted(None, First::Newest, 1)).await, [all[2].clone()]);
        let events = PastWanted { kind: PastKind::Event, ..wanted(None, First::Newest, 9) };
        assert_eq!(found(events).await, [past(PastKind::Event, "p", "{}", 2)]);
        let between = PastWanted { from: UnixMillis(2), until: UnixMillis(2), ..wanted(None, First::Newest, 9) };
        assert_eq!(found(between).await, [all[1].clone()]);
        bench.store.flush().await;
    }
    assert_eq!(bench.ask("SELECT count(*) FROM history").await, ["5"]);
}

#[tokio::test]
async fn values_of_one_millisecond_are_kept_one_after_the_other() {
    let bench = bench_with(config(100)).await.with_devices(&["d1"]).await;
    let all = ["1", "2", "3"].map(|value| property("p", value, 7));
    bench.store.remember(&key("d1"), all.to_vec());
    bench.store.remember(&key("d1"), vec![property("p", "4", 8)]);
    for _ in 0..2 {
        let found = bench.store.past(&key("d1"), &wanted(Some("p"), First::Oldest, 9)).await.unwrap();
        let told: Vec<_> = found.iter().map(|past| (past.value.as_str(), past.at.0)).collect();
        assert_eq!(told, [("1", 7), ("2", 8), ("3", 9), ("4", 10)]);
        bench.store.flush().await;
    }
}

#[tokio::test]
async fn past_goes_with_its_device_and_of_who_is_not_there_none_is_kept() {
    let bench = bench_with(config(100)).await.with_devices(&["d1"]).await;
    bench.store.remember(&key("d1"), vec![property("p", "1", 1)]);
    bench.store.flush().await;
    bench.store.remove(&key("d1")).await.unwrap();
    bench.store.remember(&key("d1"), vec![property("p", "1", 2)]);
    bench.store.flush().await;
    assert_eq!(bench.ask("SELECT count(*) FROM history").await, ["0"]);
}

#[tokio::test]
async fn what_is_too_old_or_too_much_of_a_product_is_dropped_the_oldest_first() {
    let old = |config: Config| Config { history_keep: Duration::from_secs(3600), ..config };
    let large =
        |config: Config| Config { history_bytes_per_product_max: NonZeroU64::new(128 * 3 + 10).unwrap(), ..config };
    let now = UnixMillis::now().0;
    let all: Vec<Past> = (0..6).map(|n| property("p", "1", now - 7_200_000 * i64::from(n == 0) - n)).collect();
    for (config, left) in [(config(4), 4), (old(config(100)), 5), (large(config(100)), 3)] {
        let bench = bench_with(config).await.with_devices(&["d1"]).await;
        bench.store.remember(&key("d1"), all.clone());
        bench.store.shared().history.look_anew();
        bench.store.flush().await;
        let found = bench.store.past(&key("d1"), &wanted(None, First::Newest, 9)).await.unwrap();
        assert_eq!(found.len(), left, "{found:?}");
        let newest = all.iter().map(|past| past.at).max().unwrap();
        assert_eq!(found[0].at, newest);
    }
}

#[tokio::test]
async fn last_value_from_before_anything_was_kept_is_told_once() {
    let bench = bench_with(config(100)).await.with_devices(&["d1"]).await;
    let last = |at| LastValue { property: "p".to_owned(), value: "1".to_owned(), at: UnixMillis(at) };
    bench.store.keep(&key("d1"), vec![last(7)]);
    let all = async || bench.store.past(&key("d1"), &wanted(Some("p"), First::Oldest, 9)).await.unwrap();
    assert_eq!(all().await, [property("p", "1", 7)]);
    bench.store.remember(&key("d1"), vec![property("p", "1", 7), property("p", "2", 9)]);
    bench.store.keep(&key("d1"), vec![LastValue { value: "2".to_owned(), ..last(9) }]);
    for _ in 0..2 {
        assert_eq!(all().await, [property("p", "1", 7), property("p", "2", 9)]);
        bench.store.flush().await;
    }
}

#[tokio::test]
async fn without_a_history_the_last_value_is_the_past() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let last = LastValue { property: "p".to_owned(), value: "1".to_owned(), at: UnixMillis(7) };
    assert!(!bench.store.remembers() && bench.store.keep(&key("d1"), vec![last]));
    let found = bench.store.past(&key("d1"), &wanted(Some("p"), First::Newest, 9)).await.unwrap();
    assert_eq!(found, [property("p", "1", 7)]);
    assert!(bench.store.past(&key("d1"), &wanted(Some("q"), First::Newest, 9)).await.unwrap().is_empty());
}
