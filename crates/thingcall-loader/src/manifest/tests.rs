//! Facts about `manifest.rs`.

use super::*;

fn manifest(members: &str) -> Result<Manifest, String> {
    Manifest::parse(format!("{{{members}}}").as_bytes()).map_err(|error| error.to_string())
}

fn named(name: &str) -> Result<Manifest, String> {
    manifest(&format!(r#""abi":[1,0],"name":"{name}","version":"1""#))
}

#[test]
fn least_manifest_has_abi_name_and_version() {
    let found = manifest(r#""abi":[1,0],"name":"a","version":"1.0.0-rc.1+b""#).unwrap();
    assert_eq!((found.abi, found.name.as_str(), found.panic_aborts()), ((1, 0), "a", false));
    assert!(found.claims.is_empty() && found.codecs.is_empty() && found.sdk.is_none());
}

#[test]
fn newer_minor_version_and_unknown_members_are_no_hindrance() {
    let found = manifest(r#""abi":[1,99],"name":"a","version":"1","colour":"blue","panic":"abort""#).unwrap();
    assert_eq!((found.abi, found.panic_aborts()), ((1, 99), true));
}

#[test]
fn other_major_version_is_told_whatever_else_is_in_it() {
    let told = manifest(r#""abi":[2,0],"name":{"new":"form"}"#).unwrap_err();
    assert_eq!(told, "built for plugin ABI 2; this host speaks ABI 1");
}

#[test]
fn name_is_checked() {
    assert!(named(&"a".repeat(40)).is_ok() && named("a-1").is_ok());
    assert_eq!(named("Test").unwrap_err(), r#"the manifest's name "Test" is not 1 to 40 of a-z 0-9 -"#);
    for name in ["", "a_b", "a b", "a.b", "../a", "é"] {
        assert!(named(name).is_err(), "{name}");
    }
    assert!(named(&"a".repeat(41)).is_err());
}

#[test]
fn version_is_checked() {
    let version = |text: &str| manifest(&format!(r#""abi":[1,0],"name":"a","version":"{text}""#));
    let told = version("1 0").unwrap_err();
    assert_eq!(told, r#"the manifest's version "1 0" is not 1 to 64 visible ASCII characters"#);
    assert!(version("").is_err() && version(&"1".repeat(65)).is_err() && version(&"1".repeat(64)).is_ok());
}

#[test]
fn what_a_panic_does_is_one_of_three_words() {
    let told = manifest(r#""abi":[1,0],"name":"a","version":"1","panic":"explode""#).unwrap_err();
    assert_eq!(told, r#"the manifest's panic "explode" is not one of unwind, abort, none"#);
}

#[test]
fn text_that_is_no_manifest_is_told_with_its_place() {
    let told = Manifest::parse(b"{\"abi\":[1,0],").unwrap_err().to_string();
    assert_eq!(told, "the manifest cannot be read: EOF while parsing a value at line 1 column 13");
    for text in ["", "[]", "null", "{}", r#"{"abi":1}"#, r#"{"abi":[1,0],"name":"a"}"#, "\u{0}"] {
        assert!(Manifest::parse(text.as_bytes()).is_err(), "{text}");
    }
}

#[test]
fn claims_have_a_limit() {
    let claims = serde_json::to_string(&vec!["a"; CLAIMS_MAX + 1]).unwrap();
    let told = manifest(&format!(r#""abi":[1,0],"name":"a","version":"1","claims":{claims}"#)).unwrap_err();
    assert_eq!(told, "the manifest has 1001 claims; 1000 are allowed");
}
