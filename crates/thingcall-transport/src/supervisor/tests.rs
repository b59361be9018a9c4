//! The pause between attempts.

use super::*;

#[test]
fn a_pause_is_half_to_all_of_what_it_may_be() {
    let pause = Duration::from_secs(1);
    let pauses: Vec<_> = (0..1000).map(|_| jittered(pause)).collect();
    assert!(pauses.iter().all(|p| (pause / 2..=pause).contains(p)));
    assert!(pauses.iter().any(|p| *p < pause * 6 / 10) && pauses.iter().any(|p| *p > pause * 9 / 10));
}
