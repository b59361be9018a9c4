//! What is read of the last words. That they are written is a fact of the whole program: `tests/tests/plugin_ends.rs`.

use super::*;

const WORDS: &str = r#"{"plugin":"a","generation":2,"file":"/f.so","sha256":"00""#;

#[test]
fn words_are_read_also_where_they_break_off() {
    for (rest, signal, call) in [
        ("", None, None),
        (",\"signal\":11", Some(11), None),
        (",\"signal\":11,\"call\":7}\n\0\0\0", Some(11), Some(7)),
    ] {
        let note = read(format!("{WORDS}{rest}").as_bytes()).expect(rest);
        assert_eq!((note.plugin.as_str(), note.generation, note.signal, note.call), ("a", 2, signal, call));
    }
}

#[test]
fn an_empty_file_says_nothing() {
    for words in [&b""[..], &[0; 8192], b"something else", br#"{"plugin":"a","gene"#] {
        assert_eq!(read(words), None);
    }
}

#[test]
fn what_is_ready_is_the_beginning_of_a_note() {
    let note = read(WORDS.as_bytes()).unwrap();
    assert_eq!(note.words(), WORDS);
}
