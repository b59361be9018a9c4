//! What a request's parameters say.

use super::*;

#[test]
fn query_and_body_are_one() {
    let params = Params::read("Action=A&B=1+2", b"C=%2B&D=");
    assert_eq!(params.get("B"), Some("1 2"));
    assert_eq!(params.get("C"), Some("+"));
    assert_eq!(params.all().last(), Some(("D", "")));
    assert_eq!(params.get("D"), None, "blank is as good as absent, but signed");
}

#[test]
fn a_name_given_twice_is_refused() {
    let params = Params::read("B=1&A=1", b"B=1");
    assert_eq!(params.check(), Err(GatewayError::Duplicate("B".to_owned())));
}

#[test]
fn lists_count_from_one_and_end_at_a_gap() {
    let params = Params::read("D.2=b&D.1=a&D.4=d", b"");
    assert_eq!(params.list("D", 50), ["a", "b"]);
    assert_eq!(Params::read("D.1=a&D.2=b&D.3=c", b"").list("D", 1).len(), 2, "one more than allowed, to be told");
}

#[test]
fn more_parameters_than_are_read_are_refused() {
    let many: String = (0..=Params::COUNT_MAX).map(|i| format!("p{i}=1&")).collect();
    let params = Params::read(&many, b"");
    assert_eq!(params.check(), Err(GatewayError::TooManyParameters { max: Params::COUNT_MAX }));
}

/// PostgreSQL keeps no such text, and the caller was told that the server had failed.
#[test]
fn a_nul_is_refused_wherever_it_stands() {
    for query in ["a=b%00c&d=e", "a%00=b", "a=%00"] {
        let refused = Params::read(query, b"").check().unwrap_err();
        assert_eq!(refused.to_string(), "Specified parameter a holds a NUL character (%00); leave it out.", "{query}");
    }
    assert_eq!(Params::read("a=%5Cu0000", b"").check(), Ok(()));
}
