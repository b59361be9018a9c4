//! The pause between attempts.

use tokio::sync::{broadcast, mpsc};

use super::*;

#[test]
fn a_pause_is_half_to_all_of_what_it_may_be() {
    let pause = Duration::from_secs(1);
    let pauses: Vec<_> = (0..1000).map(|_| jittered(pause)).collect();
    assert!(pauses.iter().all(|p| (pause / 2..=pause).contains(p)));
    assert!(pauses.iter().any(|p| *p < pause * 6 / 10) && pauses.iter().any(|p| *p > pause * 9 / 10));
}

/// On one worker, where who is woken runs next.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn what_ready_tasks_queue_leaves_together() {
    let batches = tokio::spawn(async {
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
        while unhurried(queued.recv_many(&mut batch, 64)).await > 0 {
            batches.push(std::mem::take(&mut batch).len());
        }
        batches
    });
    assert_eq!(batches.await.unwrap(), [10]);
}
