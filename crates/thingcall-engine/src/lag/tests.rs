//! What is seen of tasks that run late.

use super::*;

#[tokio::test(start_paused = true)]
async fn tasks_that_come_to_run_late_are_seen_and_looking_ends_with_asking() {
    let lag = Lag::default();
    assert_eq!(lag.now(), Duration::ZERO, "nothing was seen yet");
    // Lets the task begin its wait; then the clock goes on without it.
    tokio::task::yield_now().await;
    tokio::time::advance(PAUSE + Duration::from_millis(40)).await;
    tokio::task::yield_now().await;
    assert_eq!(lag.now(), Duration::from_millis(40));
    assert!(lag.0.looks.load(Relaxed));

    tokio::time::sleep(PAUSE * 50).await;
    assert!(!lag.0.looks.load(Relaxed), "nobody asked");
    assert_eq!(lag.now(), Duration::ZERO, "what was seen then says nothing of now");
}
