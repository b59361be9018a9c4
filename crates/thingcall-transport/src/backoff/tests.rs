//! Pauses grow, are never waited whole by all, and begin anew.

use super::*;

#[test]
fn pauses_double_up_to_the_maximum_and_half_to_all_is_waited() {
    let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_millis(350));
    for pause in [100, 200, 350, 350].map(Duration::from_millis) {
        assert_eq!(backoff.pause(), pause);
        let wait = backoff.next_wait();
        assert!(wait >= pause / 2 && wait <= pause, "{wait:?} of {pause:?}");
    }
    backoff.begin_anew();
    assert_eq!(backoff.pause(), Duration::from_millis(100));
}

#[test]
fn waits_are_spread() {
    let waits: Vec<_> = (0..1000).map(|_| Backoff::new(Duration::from_secs(1), Duration::MAX).next_wait()).collect();
    let of = Duration::from_secs(1);
    assert!(waits.iter().any(|wait| *wait < of * 6 / 10) && waits.iter().any(|wait| *wait > of * 9 / 10));
}
