//! What probes say of a broker.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

#[expect(clippy::disallowed_methods, reason = "no runtime here, and only differences count")]
fn probe() -> (Probe, Instant) {
    (Probe::new(5 * SECOND, 3 * SECOND, 7), Instant::now())
}

#[test]
fn a_probe_that_comes_back_says_that_messages_are_carried() {
    let (probe, began) = probe();
    let first = probe.due(began).unwrap();
    assert_eq!((probe.verdict(began), probe.due(began + SECOND)), (Verdict::Begun, None));
    probe.came(&first);
    assert_eq!(probe.verdict(began + 4 * SECOND), Verdict::Carries);
    assert_eq!(probe.due(began + 4 * SECOND), None);
    assert_ne!(probe.due(began + 5 * SECOND), Some(first));
}

#[test]
fn silence_is_told_from_a_refusal() {
    let (probe, began) = probe();
    probe.due(began).unwrap();
    assert_eq!(probe.verdict(began + 3 * SECOND), Verdict::Silent);
    let second = probe.due(began + 5 * SECOND).unwrap();
    probe.accepted();
    assert_eq!(probe.verdict(began + 7 * SECOND), Verdict::Silent, "until the second is lost too");
    assert_eq!(probe.verdict(began + 8 * SECOND), Verdict::Forbids);
    probe.came(&second);
    assert_eq!(probe.verdict(began + 9 * SECOND), Verdict::Carries, "late, but it came");
}

#[test]
fn a_refused_probe_is_no_silent_one_when_its_time_is_over() {
    let (probe, began) = probe();
    probe.due(began).unwrap();
    probe.refused();
    assert_eq!(probe.verdict(began), Verdict::Forbids);
    assert_eq!(probe.verdict(began + 5 * SECOND), Verdict::Forbids);
}

#[test]
fn only_its_own_bytes_bring_a_probe_back() {
    let (probe, began) = probe();
    let other = Probe::new(SECOND, SECOND, 8).due(began).unwrap();
    let first = probe.due(began).unwrap();
    probe.came(&other);
    assert_eq!(probe.verdict(began), Verdict::Begun);
    probe.begin();
    probe.due(began).unwrap();
    probe.came(&first);
    assert_eq!(probe.verdict(began), Verdict::Begun, "of an earlier connection");
}
