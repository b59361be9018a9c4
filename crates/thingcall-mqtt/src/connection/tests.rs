//! What leaves together.

use tokio::sync::{broadcast, mpsc};

use super::*;

/// What a connection that is busy for so long writes at a time of what ten tasks queue that become ready together. They run
/// on one worker, where who is woken runs next. `is_queued` is what the connection is told of its queue.
async fn batches(busy_within: Duration, is_queued: fn() -> bool) -> Vec<usize> {
    let batches = tokio::spawn(async move {
        let (queue, mut queued) = mpsc::unbounded_channel();
        let (start, _) = broadcast::channel(1);
        for task in 0..10 {
            let (queue, mut started) = (queue.clone(), start.subscribe());
            tokio::spawn(async move {
                started.recv().await.unwrap();
                queue.send(task).unwrap();
            });
        }
        drop(queue);
        // The tasks wait, and then this one does.
        tokio::task::yield_now().await;
        start.send(()).unwrap();
        let mut batches = Vec::new();
        let mut batch = Vec::new();
        while unhurried(busy_within, is_queued, queued.recv_many(&mut batch, 64)).await > 0 {
            batches.push(std::mem::take(&mut batch).len());
        }
        batches
    });
    batches.await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_ready_tasks_queue_on_a_busy_connection_leaves_together() {
    assert_eq!(batches(Duration::MAX, || true).await, [10]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn an_idle_connection_is_driven_at_once() {
    assert_eq!(batches(Duration::ZERO, || true).await.first(), Some(&1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_busy_connection_on_which_nothing_is_queued_is_driven_at_once() {
    assert_eq!(batches(Duration::MAX, || false).await.first(), Some(&1));
}
