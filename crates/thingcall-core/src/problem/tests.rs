//! How problems are told, and which files are one.

use super::*;

struct Inner;

impl Section for Inner {
    fn problems(&self) -> Vec<Problem> {
        vec![Problem::new("cert_file", "a.pem", "a file"), Problem::new("", "empty", "a value")]
    }
}

fn told(check: Check) -> Vec<String> {
    check.into_problems().iter().map(ToString::to_string).collect()
}

#[test]
fn a_problem_says_key_value_and_what_is_right() {
    let mut check = Check::default();
    check.at_least("nonces_max", 0, 1);
    check.at_least("connections_max", 1, 1);
    check.more_than_zero("clock_skew", Duration::ZERO);
    assert_eq!(told(check), ["nonces_max is 0; right is 1 or more", "clock_skew is 0s; right is more than 0s"]);
}

#[test]
fn times_have_a_least_and_a_most() {
    let mut check = Check::default();
    let (least, most) = (Duration::from_secs(5), Duration::from_secs(60));
    check.between("keep_alive", Duration::from_secs(61), least, most);
    check.between("pause", Duration::from_millis(1), least, Duration::MAX);
    check.between("right", Duration::from_secs(5), least, most);
    assert_eq!(told(check), ["keep_alive is 61s; right is 5s to 60s", "pause is 1ms; right is 5s or more"]);
}

#[test]
fn problems_of_an_inner_section_name_it() {
    let mut check = Check::default();
    check.section("tls", &Inner);
    assert_eq!(told(check), ["tls.cert_file is a.pem; right is a file", "tls is empty; right is a value"]);
}
