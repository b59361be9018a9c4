//! What becomes of lines that are too long or broken.

use serde_json::{Value, json};

use super::mended;

#[test]
fn short_line_is_written_as_it_is() {
    assert_eq!(mended(b"a line\twith \x1b[31mcolour\n", 512), None);
}

#[test]
fn long_text_is_cut_and_says_how_long_it_was() {
    let line = "x".repeat(60_000);
    let cut = mended(line.as_bytes(), 512).expect("too long");
    assert!(cut.len() <= 512 && cut.ends_with("... (60000 bytes)\n"), "{cut}");
}

#[test]
fn long_object_stays_an_object() {
    let line = json!({ "level": "WARN", "username": "x".repeat(60_000), "port": 7 }).to_string();
    let cut = mended(line.as_bytes(), 512).expect("too long");
    let read: Value = serde_json::from_str(&cut).expect("JSON");
    assert_eq!((&read["level"], &read["port"]), (&json!("WARN"), &json!(7)));
    assert!(cut.len() < 512 && read["username"].as_str().expect("text").ends_with("... (60000 bytes)"), "{cut}");
}

#[test]
fn object_of_too_many_members_is_one_line_too() {
    let members: serde_json::Map<_, _> = (0..1000).map(|number| (format!("member{number}"), json!(number))).collect();
    let cut = mended(Value::Object(members).to_string().as_bytes(), 512).expect("too long");
    assert!(cut.len() < 512 && serde_json::from_str::<Value>(&cut).is_ok(), "{cut}");
}

#[test]
fn a_line_is_one_line() {
    assert_eq!(mended(b"one\nERROR two\r\n", 512).as_deref(), Some("one\\nERROR two\\r\n"));
}
