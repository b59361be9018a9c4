//! How peers' texts are shown.

use super::*;

fn shown(text: &str) -> String {
    PeerText::new(text).to_string()
}

#[test]
fn short_text_stays_as_it_is() {
    assert_eq!(shown("light1&a1BwAGVxxxx 中"), "light1&a1BwAGVxxxx 中");
}

#[test]
fn long_text_is_cut_and_its_length_told() {
    assert_eq!(shown(&"x".repeat(60_000)), format!("{}... (60000 bytes)", "x".repeat(80)));
    assert_eq!(shown(&"中".repeat(81)), format!("{}... (243 bytes)", "中".repeat(80)));
    assert_eq!(shown(&"中".repeat(80)), "中".repeat(80));
}

#[test]
fn nothing_in_it_begins_a_line_or_speaks_to_a_terminal() {
    assert_eq!(shown("a\nWARN b\r\0\u{1b}[2J\u{2028}\u{202e}"), r"a\nWARN b\r\u{0}\u{1b}[2J\u{2028}\u{202e}");
}

#[test]
fn bytes_that_are_no_text_are_shown_too() {
    assert_eq!(PeerText::of_bytes(b"a\xff\n").to_string(), "a\u{fffd}\\n");
    let long = PeerText::of_bytes(&[b'y'; 70_000]).to_string();
    assert_eq!(long, format!("{}... (70000 bytes)", "y".repeat(80)));
}
