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
fn what_is_not_utf_8_is_replaced() {
    let params = Params::read("A=1", b"B=\xff%41&C=%00");
    assert_eq!(params.get("B"), Some("\u{fffd}A"));
    assert_eq!(Params::read("", b"A=\xc3%A9").get("A"), Some("\u{e9}"), "half of it encoded");
    assert!(params.check().is_err(), "a NUL is found there, too");
    let many = "p=1&".repeat(Params::COUNT_MAX);
    assert_eq!(Params::read(&many, b"B=\xff").check(), Err(GatewayError::TooManyParameters { max: Params::COUNT_MAX }));
}

#[test]
fn a_query_is_canonical_if_it_is_written_and_sorted_as_it_is_signed() {
    for (query, canonical) in [
        ("", true),
        ("A=1&B=%20%2A", true),
        ("A=&B=", true),
        ("B=1&A=1", false),
        ("A=1&B=+", false),
        ("A=1&B=%2a", false),
        ("A=1&B=%41", false),
        ("A=1&B=*", false),
        ("A=1&B", false),
        ("A=1&&B=1", false),
        ("&A=1", false),
        ("A=1&", false),
        ("A=1=2", false),
    ] {
        let params = Params::read(query, b"");
        assert_eq!(params.query_is_canonical(), canonical, "{query}");
        assert_eq!(crate::canonical::query(params.all()) == query, canonical, "{query}");
        assert_eq!(Params::read(query, b"0=+").query_is_canonical(), canonical, "{query}, whatever the body is");
    }
}

#[test]
fn a_name_given_twice_is_refused() {
    let params = Params::read("B=1&A=1", b"B=1");
    assert_eq!(params.check(), Err(GatewayError::Duplicate("B".to_owned())));
}

#[test]
fn lists_count_from_one_and_are_read_whole() {
    let many: String = (1..=12).rev().map(|nth| format!("D.{nth}={nth}&")).collect();
    let right: Vec<_> = (1..=12).map(|nth| nth.to_string()).collect();
    assert_eq!(Params::read(&many, b"Device=1&D2.1=a").list("D").unwrap(), right);
    assert_eq!(Params::read("Device=1", b"DE.1=a").list("D"), Ok(Vec::new()));
    let fields = Params::read("L.1.Name=a&L.2.Name=b&L.2.Nick=", b"");
    assert_eq!(fields.count("L", &[".Name", ".Nick"]), Ok(2));
}

/// They once ended at a gap: what stood behind it was not acted on, and where nothing stood before it, everything was.
#[test]
fn what_a_list_would_not_read_is_refused() {
    for (query, said) in [
        ("D.1=a&D.3=c", "number 3 and no number 2"),
        ("D.2=b", "number 2 and no number 1"),
        ("D.0=a", "\"D.0\" is none of them"),
        ("D.01=a", "\"D.01\" is none of them"),
        ("D.1=a&D.x=b", "\"D.x\" is none of them"),
        ("D.=a", "\"D.\" is none of them"),
        ("D.1.Name=a", "\"D.1.Name\" is none of them"),
        ("D.99999999999999999999=a", "is none of them"),
        ("D=a", "\"D\" is none of them"),
        ("D=a&D.1=b", "\"D\" is none of them"),
        ("D.1=a&D.2=&D.3=c", "blank"),
    ] {
        let params = Params::read(query, b"");
        let why = params.list("D").unwrap_err().to_string();
        assert!(why.contains(said) && why.contains("right are D.1, D.2"), "{query}: {why}");
    }
    // Who takes none for all asks, too, whether there is any.
    let blank = Params::read("D.1=&D.2=", b"");
    assert_eq!(blank.list("D"), Ok(Vec::new()));
    assert!(blank.has_none("D", "it is blank").is_err() && blank.has_none("E", "it is blank").is_ok());
    let fields = Params::read("L.1.Name=a&L.2=b", b"");
    assert!(fields.count("L", &[".Name"]).is_err());
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
