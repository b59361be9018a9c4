//! Who is locked out, and for how long.

use std::time::Duration;

use tokio::time::advance;

use super::Lockout;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn so_many_failures_lock_out_a_key_and_an_address_for_a_while() {
    let lockout = Lockout::new(3, MINUTE);
    for _ in 0..2 {
        lockout.failed(&["key", "10.0.0.1"]);
    }
    assert_eq!(lockout.waits(&["key", "10.0.0.1"]), None);
    lockout.failed(&["key", "10.0.0.2"]);
    assert_eq!(lockout.waits(&["key", "10.0.0.9"]), Some(MINUTE));
    assert_eq!(lockout.waits(&["another", "10.0.0.2"]), None);
    advance(MINUTE).await;
    assert_eq!(lockout.waits(&["key", "10.0.0.1"]), None);
    lockout.failed(&["key", "10.0.0.1"]);
    assert_eq!(lockout.waits(&["key"]), None, "it begins to count anew");
}

#[tokio::test(start_paused = true)]
async fn who_logs_in_is_not_locked_out() {
    let lockout = Lockout::new(2, MINUTE);
    lockout.failed(&["key"]);
    lockout.succeeded(&["key"]);
    lockout.failed(&["key"]);
    assert_eq!(lockout.waits(&["key"]), None);
}

#[tokio::test(start_paused = true)]
async fn what_is_remembered_is_bounded() {
    let lockout = Lockout::new(1, MINUTE);
    for name in 0..super::REMEMBERED_MAX + 5 {
        lockout.failed(&[&format!("{name}")]);
    }
    lockout.failed(&[&"ä".repeat(super::NAME_BYTES_MAX)]);
    assert_eq!(lockout.of.lock().unwrap().len(), super::REMEMBERED_MAX);
    assert_eq!(lockout.waits(&["0"]), None);
    assert_eq!(lockout.waits(&[&format!("{}", super::REMEMBERED_MAX)]), Some(MINUTE));
}
