//! The journal's size.

use super::*;

async fn records(bench: &Bench) -> (u64, Vec<u32>) {
    bench.store.flush().await;
    let ids = bench.ask("SELECT CAST(call_id AS TEXT) FROM calls ORDER BY seq").await;
    let records = bench.store.shared().write.lock().await.records;
    (records, ids.iter().map(|id| id.parse().unwrap()).collect())
}

#[tokio::test]
async fn the_oldest_records_go_and_waiting_commands_stay() {
    let bench =
        bench_with(Config { journal_records_max: std::num::NonZeroUsize::new(3).unwrap(), ..Config::default() }).await;
    let bench = bench.with_devices(&["d1"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    for id in 2..=6 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
    }
    assert_eq!(records(&bench).await, (3, vec![1, 5, 6]));
    bench.store.acknowledged(&key("d1"), CallId::from_u32(1));
    bench.open("d1", 7, Qos::AtMostOnce).await.unwrap();
    bench.open("d1", 8, Qos::AtMostOnce).await.unwrap();
    bench.open("d1", 9, Qos::AtMostOnce).await.unwrap();
    let (count, ids) = records(&bench).await;
    assert!(count == 3 && ids.len() == 3 && ids.contains(&9), "{ids:?}");
}

#[tokio::test]
async fn the_count_is_right_after_a_restart() {
    let bench =
        bench_with(Config { journal_records_max: std::num::NonZeroUsize::new(3).unwrap(), ..Config::default() }).await;
    let bench = bench.with_devices(&["d1"]).await;
    for id in 1..=3 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
    }
    let bench = bench.reopened().await;
    bench.open("d1", 4, Qos::AtMostOnce).await.unwrap();
    assert_eq!(records(&bench).await, (3, vec![2, 3, 4]));
}

#[tokio::test]
async fn too_many_records_go_in_small_steps() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let device = bench.device("d1").await;
    let open = |id| bench.store.open(entry(&device, id, Qos::AtMostOnce));
    let _opened = futures_all((0..400).map(open).collect()).await;
    let bench = Bench {
        config: Config { journal_records_max: std::num::NonZeroUsize::new(10).unwrap(), ..bench.config.clone() },
        ..bench
    }
    .reopened()
    .await;
    bench.open("d1", 1000, Qos::AtMostOnce).await.unwrap();
    let (after_one, _) = records(&bench).await;
    assert_eq!(after_one, 401 - 102);
    for id in 1001..1010 {
        bench.open("d1", id, Qos::AtMostOnce).await.unwrap();
    }
    assert_eq!(records(&bench).await.0, 10);
}

/// Runs all at once, so that they share transactions.
async fn futures_all<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut all: Vec<_> = futures.into_iter().map(|future| Box::pin(future)).collect();
    let mut results = Vec::new();
    std::future::poll_fn(|context| {
        all.retain_mut(|future| match future.as_mut().poll(context) {
            std::task::Poll::Ready(result) => {
                results.push(result);
                false
            }
            std::task::Poll::Pending => true,
        });
        if all.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
    results
}
