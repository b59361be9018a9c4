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
    probe.came(&first, began + SECOND);
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
    probe.came(&second, began + 9 * SECOND);
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
    probe.came(&other, began);
    assert_eq!(probe.verdict(began), Verdict::Begun);
    probe.begin();
    probe.due(began).unwrap();
    probe.came(&first, began);
    assert_eq!(probe.verdict(began), Verdict::Begun, "of an earlier connection");
}

#[test]
fn how_long_probes_take_is_told_beyond_the_way_itself_and_watched_closely() {
    const MS: Duration = Duration::from_millis(1);
    let (probe, began) = probe();
    assert_eq!(probe.delay(began), Duration::ZERO, "nothing is known yet");
    let first = probe.due(began).unwrap();
    probe.came(&first, began + 40 * MS);
    assert_eq!(probe.delay(began + 50 * MS), Duration::ZERO, "it is far away");

    let second = probe.due(began + 60 * MS).expect("they follow each other quickly");
    assert_eq!(probe.delay(began + 70 * MS), Duration::ZERO);
    assert_eq!(probe.delay(began + 160 * MS), 60 * MS, "it is under way for so long already");
    probe.came(&second, began + 180 * MS);
    probe.came(&second, began + 900 * MS);
    assert_eq!(probe.delay(began + 181 * MS), 80 * MS);

    assert_eq!(probe.due(began + 1300 * MS), None, "nobody asked for a second");
    assert!(probe.due(began + 60 * MS + 5 * SECOND).is_some());
}

#[test]
fn the_way_itself_is_what_probes_took_lately() {
    let (mut least, (_, began)) = (Least::default(), probe());
    for (at, took, is) in [(0, 1, 1), (599, 9, 1), (600, 5, 1), (1201, 7, 5), (1900, 8, 7)] {
        least.took(Duration::from_millis(took), began + at * SECOND);
        assert_eq!(least.get(), Duration::from_millis(is), "{at}");
    }
}
