//! How long writes wait for others.

use tokio::sync::oneshot;

use super::*;

fn waiting(writes: usize) -> (mpsc::Sender<Write>, mpsc::Receiver<Write>) {
    let (sender, queue) = mpsc::channel(1024);
    for _ in 0..writes {
        add(&sender);
    }
    (sender, queue)
}

fn add(sender: &mpsc::Sender<Write>) {
    sender.try_send(Write::Flush(oneshot::channel().0)).unwrap();
}

#[tokio::test(start_paused = true)]
async fn few_writes_wait_for_nobody() {
    let (_sender, queue) = waiting(CROWD_WRITES_MIN - 1);
    let began = Instant::now();
    gather(|| queue.len()).await;
    assert_eq!(began.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_does_not_grow_waits_no_longer_than_the_limit() {
    let (_sender, queue) = waiting(CROWD_WRITES_MIN);
    let began = Instant::now();
    gather(|| queue.len()).await;
    assert_eq!(began.elapsed(), CROWD_TIME_MAX);
}

#[tokio::test(start_paused = true)]
async fn a_crowd_that_is_large_enough_is_written_at_once() {
    let (sender, queue) = waiting(CROWD_WRITES_MIN);
    let began = Instant::now();
    let grows = async {
        for _ in 0..4 {
            sleep(CROWD_LOOK).await;
            (0..CROWD_WRITES_MAX / 4).for_each(|_| add(&sender));
        }
    };
    tokio::join!(gather(|| queue.len()), grows);
    assert!(began.elapsed() <= 5 * CROWD_LOOK, "{:?}", began.elapsed());
}
