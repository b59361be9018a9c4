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
    assert_eq!(told(check), ["nonces_max is 0; right is 1 or more", "clock_skew is 0ns; right is more than 0s"]);
}

#[test]
fn problems_of_an_inner_section_name_it() {
    let mut check = Check::default();
    check.section("tls", &Inner);
    assert_eq!(told(check), ["tls.cert_file is a.pem; right is a file", "tls is empty; right is a value"]);
}

#[test]
fn a_file_that_is_not_there_or_is_a_folder_is_a_problem() {
    let mut check = Check::default();
    check.readable("a", Path::new("/nowhere/a.pem"));
    check.readable("b", Path::new("/"));
    check.readable("c", Path::new("/proc/self/exe"));
    let told = told(check);
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].starts_with("a is /nowhere/a.pem (") && told[1].starts_with("b is / ("), "{told:?}");
}
