//! Results until they are published.

use thingcall_core::{Backlog, ResultsOutbox};

use super::*;

async fn due(store: &Store) -> Vec<u32> {
    store.due(100).await.unwrap().iter().map(|result| result.id.as_u32()).collect()
}

#[tokio::test]
async fn what_ends_while_publishing_is_wanted_is_due_until_it_was_published() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap();
    assert!(due(&bench.store).await.is_empty(), "nobody wanted it");
    bench.store.publishing(true).await.unwrap();
    bench.open("d1", 2, Qos::AtMostOnce).await.unwrap();
    bench.open("d1", 3, Qos::AtMostOnce).await.unwrap();
    bench.store.complete(vec![reply("d1", 2, 460)]).await.unwrap();
    bench.store.failed(&key("d1"), CallId::from_u32(3), Outcome::Offline, "away");
    bench.store.flush().await;
    // Also after a restart.
    let bench = bench.reopened().await;
    assert_eq!(due(&bench.store).await, [2, 3]);
    let first = &bench.store.due(1).await.unwrap()[0];
    assert_eq!(
        (first.code, first.message.as_deref(), first.data.as_deref()),
        (Some(460), Some("said"), Some(r#"{"y":1}"#))
    );
    assert_eq!((first.outcome, &first.device), (Outcome::DeviceError, &key("d1")));
    bench.store.published(&[first.place]).await.unwrap();
    assert_eq!(due(&bench.store).await, [3]);
    // A late reply to what was told is not told again.
    bench.store.complete(vec![reply("d1", 2, 200)]).await.unwrap();
    assert_eq!(due(&bench.store).await, [3]);
}

#[tokio::test]
async fn an_end_wakes_who_waits_for_results() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.publishing(true).await.unwrap();
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    let (changed, completed) = tokio::join!(bench.store.changed(), bench.store.complete(vec![reply("d1", 1, 200)]));
    assert_eq!((changed, completed.unwrap().len()), ((), 1));
    // So does a call that is written down with its end.
    let answer = reply("d1", 2, 200).body.ok();
    let ended = JournalEntry { answer, ..entry(&bench.device("d1").await, 2, Qos::AtMostOnce) };
    let (changed, opened) = tokio::join!(bench.store.changed(), bench.store.open(ended));
    assert_eq!((changed, opened), ((), Ok(())));
    assert_eq!(due(&bench.store).await, [1, 2]);
}

#[tokio::test]
async fn calls_of_a_device_removed_by_another_process_are_due_too() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.publishing(true).await.unwrap();
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    let tool = bench.other().await;
    tool.remove(&key("d1")).await.unwrap();
    assert_eq!(due(&bench.store).await, [1]);
    bench.store.publishing(false).await.unwrap();
}

#[tokio::test]
async fn the_oldest_results_are_given_up_where_too_many_wait() {
    let config = Config { results_due_max: std::num::NonZeroUsize::new(2).unwrap(), ..Config::default() };
    let bench = bench_with(config).await.with_devices(&["d1"]).await;
    bench.store.publishing(true).await.unwrap();
    for id in 1..=4 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
        bench.store.complete(vec![reply("d1", id, 200)]).await.unwrap();
    }
    assert_eq!(bench.store.trim().await.unwrap(), Backlog { due: 2, given_up: 2 });
    assert_eq!(due(&bench.store).await, [3, 4]);
    assert_eq!(bench.store.trim().await.unwrap(), Backlog { due: 2, given_up: 0 });
}

#[tokio::test]
async fn a_record_whose_result_is_due_is_not_dropped_for_new_ones() {
    let config = Config { journal_records_max: std::num::NonZeroUsize::new(3).unwrap(), ..Config::default() };
    let bench = bench_with(config).await.with_devices(&["d1"]).await;
    bench.store.publishing(true).await.unwrap();
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap();
    bench.store.publishing(false).await.unwrap();
    for id in 2..=9 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
        bench.store.complete(vec![reply("d1", id, 200)]).await.unwrap();
    }
    assert_eq!(due(&bench.store).await, [1]);
}

#[tokio::test]
async fn a_reply_that_comes_after_the_end_does_not_change_the_result() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.publishing(true).await.unwrap();
    bench.open("d1", 1, Qos::AtMostOnce).await.unwrap();
    bench.store.failed(&key("d1"), CallId::from_u32(1), Outcome::TransportDown, "broken");
    bench.store.flush().await;
    let before = bench.store.due(1).await.unwrap();
    assert_eq!(bench.store.complete(vec![reply("d1", 1, 200)]).await.unwrap(), [Completion::Late]);
    assert_eq!(bench.record(1).await.code, Some(200), "the record has it");
    assert_eq!(bench.store.due(1).await.unwrap(), before);
}
