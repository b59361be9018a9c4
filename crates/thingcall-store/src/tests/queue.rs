//! The write queue when the disk stands still, and its end.

use tokio::task::JoinSet;

use super::*;

#[tokio::test]
async fn calls_are_refused_before_notes_are_lost() {
    let bench =
        bench_with(Config { write_queue_records_max: std::num::NonZeroUsize::new(4).unwrap(), ..Config::default() })
            .await;
    let bench = bench.with_devices(&["d1"]).await;
    bench.open("d1", 0, Qos::AtMostOnce).await.unwrap();
    let stalled = bench.store.shared().write.lock().await;
    let mut calls = JoinSet::new();
    for id in 1..=20 {
        let (store, entry) = (bench.store.clone(), entry(&bench.device("d1").await, id, Qos::AtMostOnce));
        calls.spawn(async move { store.open(entry).await });
    }
    let mut refused = 0;
    while refused < 15 {
        assert_eq!(calls.join_next().await.unwrap().unwrap(), Err(JournalError::QueueFull(4)));
        refused += 1;
    }
    bench.store.failed(&key("d1"), CallId::from_u32(0), Outcome::Offline, "gone");
    drop(stalled);
    while let Some(rest) = calls.join_next().await {
        assert!(matches!(rest.unwrap(), Ok(()) | Err(JournalError::QueueFull(4))));
    }
    assert_eq!(bench.record(0).await.outcome, Some(Outcome::Offline));
    assert_eq!(bench.store.stats().notes_lost, 0);
}

#[tokio::test]
async fn notes_that_find_no_room_are_counted() {
    let bench =
        bench_with(Config { write_queue_records_max: std::num::NonZeroUsize::new(2).unwrap(), ..Config::default() })
            .await;
    let bench = bench.with_devices(&["d1"]).await;
    let _stalled = bench.store.shared().write.lock().await;
    for id in 0..10 {
        bench.store.acknowledged(&key("d1"), CallId::from_u32(id));
    }
    assert!((5..=6).contains(&bench.store.stats().notes_lost));
}

#[tokio::test]
async fn closing_writes_what_was_handed_over() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.store.acknowledged(&key("d1"), CallId::from_u32(1));
    let bench = bench.reopened().await;
    assert!(bench.record(1).await.acked_at.is_some());
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let device = bench.device("d1").await;
    bench.store.close().await;
    bench.store.flush().await;
    let opened = bench.store.open(entry(&device, 1, Qos::AtMostOnce)).await;
    assert_eq!(opened, Err(JournalError::Store("the store is closed".into())));
}

#[tokio::test]
async fn a_dropped_store_still_writes_what_was_handed_over() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.store.acknowledged(&key("d1"), CallId::from_u32(1));
    let watcher = bench.other().await;
    drop(bench.store);
    while watcher.find_records(1).await[0].acked_at.is_none() {
        tokio::task::yield_now().await;
    }
}
