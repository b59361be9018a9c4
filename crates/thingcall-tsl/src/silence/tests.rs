//! What is told, and what is not.

use super::*;

const SECOND: Duration = Duration::from_secs(1);

/// A product's calls on a clock of their own.
struct Bench {
    silence: Silence,
    now: Instant,
}

impl Bench {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "nothing waits here")]
        Self { silence: Silence::default(), now: Instant::now() }
    }

    /// A call that is not answered, 8 s after the one before.
    fn miss(&mut self, device: &str) -> Option<Unanswered> {
        self.now += 8 * SECOND;
        self.silence.unanswered(&device.parse().unwrap(), self.now)
    }
}

#[test]
fn a_product_that_never_answered_is_told_once() {
    let mut bench = Bench::new();
    assert_eq!((bench.miss("d1"), bench.miss("d1")), (None, None));
    assert_eq!(bench.miss("d1"), Some(Unanswered { calls: 3, since: 16 * SECOND }));
    assert!((0..1000).all(|_| bench.miss("d2").is_none()));
}

#[test]
fn it_is_told_again_only_after_an_answer_and_not_at_once() {
    let mut bench = Bench::new();
    let told = |bench: &mut Bench, calls: u32| {
        (0..calls).filter(|at| bench.miss(if at % 2 == 0 { "d1" } else { "d2" }).is_some()).count()
    };
    assert_eq!(told(&mut bench, 200), 1, "in 1,600 s");
    assert!(bench.silence.answered(), "it was told");
    assert!(!bench.silence.answered());
    assert_eq!(told(&mut bench, 10), 1);
    bench.silence.answered();
    assert_eq!(told(&mut bench, 10), 0, "80 s later");
    assert_eq!(told(&mut bench, 100), 1, "and when 600 s were over");
}

#[test]
fn one_dead_device_in_a_product_that_lives_is_not_told() {
    let mut bench = Bench::new();
    bench.silence.answered();
    assert!((0..100).all(|_| bench.miss("dead").is_none()));
    assert!(bench.miss("other").is_some());
}

#[test]
fn an_answer_between_ends_the_row() {
    let mut bench = Bench::new();
    for _ in 0..100 {
        assert_eq!((bench.miss("d1"), bench.miss("d2")), (None, None));
        assert!(!bench.silence.answered());
    }
}

#[test]
fn a_burst_of_calls_at_one_moment_is_no_silence() {
    let bench = Bench::new();
    let burst = |after: Duration| {
        (0..100).any(|_| bench.silence.unanswered(&"d1".parse().unwrap(), bench.now + after).is_some())
    };
    assert!(!burst(SECOND));
    assert!(burst(12 * SECOND));
}

#[test]
fn answers_in_a_row_look_at_the_flag_alone() {
    let silence = Silence::default();
    silence.answered();
    let held = silence.state.lock().unwrap();
    assert!(!silence.answered(), "without the lock");
    drop(held);
}
