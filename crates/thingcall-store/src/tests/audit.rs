//! The log of changes.

use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::time::Duration;

use thingcall_core::{AUDIT_DONE, AuditDoor, AuditEntry, AuditFilter, AuditLog};

use super::*;

fn change(key: &str, target: &str, at: i64) -> AuditEntry {
    AuditEntry {
        at: UnixMillis(at),
        door: AuditDoor::Console,
        key: (!key.is_empty()).then(|| key.to_owned()),
        action: "CreateProduct".to_owned(),
        target: target.to_owned(),
        outcome: AUDIT_DONE.to_owned(),
        address: Some(IpAddr::V4(Ipv4Addr::LOCALHOST)),
    }
}

async fn targets(store: &Store, filter: AuditFilter, max: usize) -> Vec<String> {
    let found = store.audited(&filter, max).await.unwrap();
    found.into_iter().map(|kept| kept.entry.target).collect()
}

#[tokio::test]
async fn changes_are_kept_and_found_by_key_time_and_place() {
    let bench = bench().await;
    let store = &bench.store;
    for (key, target, at) in [("a", "1", 10), ("b", "2\0", 20), ("a", "3", 30), ("", "灯 4", 40)] {
        store.audit(change(key, target, at));
    }
    store.write_audit().await;
    let bench = bench.reopened().await;
    let store = &bench.store;
    let all = store.audited(&AuditFilter::default(), 10).await.unwrap();
    assert_eq!(all.len(), 4);
    assert_eq!(all[0].entry, change("", "灯 4", 40));
    assert_eq!(all[3].entry, change("a", "1", 10));
    let of_a = || AuditFilter { key: Some("a".to_owned()), ..AuditFilter::default() };
    assert_eq!(targets(store, of_a(), 10).await, ["3", "1"]);
    assert_eq!(targets(store, of_a(), 1).await, ["3"]);
    let next = AuditFilter { before: Some(all[1].place), ..of_a() };
    assert_eq!(targets(store, next, 1).await, ["1"]);
    let between = AuditFilter { since: Some(UnixMillis(20)), until: Some(UnixMillis(30)), ..AuditFilter::default() };
    assert_eq!(targets(store, between, 10).await.len(), 2);
}

#[tokio::test]
async fn what_waits_is_written_when_the_store_closes() {
    let bench = bench().await;
    bench.store.audit(change("a", "1", 10));
    let bench = bench.reopened().await;
    assert_eq!(targets(&bench.store, AuditFilter::default(), 10).await, ["1"]);
}

#[tokio::test]
async fn the_oldest_go_for_new_ones_and_strangers_push_out_nobody() {
    let config = Config { audit_entries_max: NonZeroUsize::new(30).unwrap(), ..Config::default() };
    let bench = bench_with(config).await;
    bench.serves(&bench.store, 0).await;
    let (store, now) = (&bench.store, UnixMillis::now().0);
    for number in 0..10 {
        store.audit(change("a", &number.to_string(), now));
    }
    for number in 0..100 {
        store.audit(change("", &format!("stranger {number}"), now));
    }
    store.write_audit().await;
    let strangers = "SELECT COUNT(*) FROM audit WHERE key_id = ''";
    while bench.ask(strangers).await != ["3"] {
        tokio::task::yield_now().await;
    }
    let left = targets(store, AuditFilter::default(), 100).await;
    assert_eq!(left[..4], ["stranger 99", "stranger 98", "stranger 97", "9"]);
    assert_eq!(left.len(), 13);
    for number in 10..100 {
        store.audit(change("a", &number.to_string(), now));
    }
    store.write_audit().await;
    while bench.ask("SELECT COUNT(*) FROM audit").await != ["30"] {
        tokio::task::yield_now().await;
    }
    let left = targets(store, AuditFilter::default(), 100).await;
    assert_eq!((left[0].as_str(), left[29].as_str()), ("99", "70"));
}

#[tokio::test]
async fn what_is_too_old_goes() {
    let config = Config { audit_keep: Duration::from_secs(3600), ..Config::default() };
    let bench = bench_with(config).await;
    let now = UnixMillis::now().0;
    bench.store.audit(change("a", "old", now - 7_200_000));
    bench.store.audit(change("a", "young", now));
    let bench = bench.reopened().await;
    bench.serves(&bench.store, 0).await;
    let of_both = "SELECT target FROM audit ORDER BY seq";
    while bench.ask(of_both).await != ["young"] {
        tokio::task::yield_now().await;
    }
}
