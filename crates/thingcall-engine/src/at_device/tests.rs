//! Which moments count.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn commands_at_once_count_once() {
    let at_device = AtDevice::new(Instant::now());
    let first = at_device.ask(Instant::now());
    tokio::time::sleep(SECOND).await;
    let second = at_device.ask(Instant::now());
    tokio::time::sleep(SECOND).await;
    drop(second);
    tokio::time::sleep(SECOND).await;
    drop(first);
    assert_eq!(at_device.total(Instant::now()), 3 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn the_time_between_commands_does_not_count() {
    let at_device = AtDevice::new(Instant::now());
    for _ in 0..2 {
        let asked = at_device.ask(Instant::now());
        tokio::time::sleep(SECOND).await;
        drop(asked);
        tokio::time::sleep(5 * SECOND).await;
    }
    assert_eq!(at_device.total(Instant::now()), 2 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_command_under_way_counts_so_far() {
    let at_device = AtDevice::new(Instant::now());
    let _asked = at_device.ask(Instant::now());
    tokio::time::sleep(SECOND).await;
    assert_eq!(at_device.total(Instant::now()), SECOND);
}
