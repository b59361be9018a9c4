//! How much is owed, and for how long.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn the_oldest_message_that_is_not_confirmed_counts() {
    let owed = Owed::new();
    let [one, other, idle] = [owed.mark(), owed.mark(), owed.mark()];
    assert_eq!(owed.now(Instant::now()), (0, Duration::ZERO));
    one.sent(Instant::now());
    tokio::time::advance(SECOND).await;
    other.sent(Instant::now());
    tokio::time::advance(SECOND).await;
    assert_eq!(owed.now(Instant::now()), (2, 2 * SECOND));
    one.settled();
    assert_eq!(owed.now(Instant::now()), (1, SECOND));
    idle.settled();
    other.settled();
    assert_eq!(owed.now(Instant::now()), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_gone_owes_nothing_and_leaves_nothing() {
    let owed = Owed::new();
    let gone = owed.mark();
    gone.sent(Instant::now());
    tokio::time::advance(SECOND).await;
    drop(gone);
    assert_eq!(owed.now(Instant::now()), (0, Duration::ZERO));
    let _next = owed.mark();
    assert_eq!(owed.marks.lock().unwrap().len(), 1);
}
