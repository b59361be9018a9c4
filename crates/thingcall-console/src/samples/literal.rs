//! A text as each language writes it.
//!
//! **Invariant:** the literal means the text, whatever is in it. What nobody sees, such as controls and marks that turn the direction of
//! writing, is written by its number where the language can, so that no sample looks like something it is not.

use std::fmt::Write as _;

/// What must not stand in code as it is.
fn is_unseen(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// Between double quotes, with these ways to write what must be written otherwise.
fn quoted(text: &str, escape: impl Fn(char, &mut String) -> bool) -> String {
    let mut all = String::from("\"");
    for character in text.chars() {
        let named = match character {
            '"' => Some("\\\""),
            '\\' => Some("\\\\"),
            '\n' => Some("\\n"),
            '\r' => Some("\\r"),
            '\t' => Some("\\t"),
            _ => None,
        };
        match named {
            Some(named) => all.push_str(named),
            None if escape(character, &mut all) => {}
            None => all.push(character),
        }
    }
    all.push('"');
    all
}

/// Writes into a text, which does not fail.
fn put(all: &mut String, what: std::fmt::Arguments<'_>) -> bool {
    all.write_fmt(what).is_ok()
}

/// Each half of a character in UTF-16, as `\uXXXX`.
fn by_halves(character: char, all: &mut String) -> bool {
    let mut halves = [0; 2];
    character.encode_utf16(&mut halves).iter().all(|half| put(all, format_args!("\\u{half:04x}")))
}

/// Each byte of a character in UTF-8, in octal, which always has three digits and so never runs into what follows.
fn by_bytes(character: char, all: &mut String) -> bool {
    let mut bytes = [0; 4];
    character.encode_utf8(&mut bytes).bytes().all(|byte| put(all, format_args!("\\{byte:03o}")))
}

/// Python: the numbers of a character have four or eight digits.
pub(super) fn python(text: &str) -> String {
    quoted(text, |character, all| match u32::from(character) {
        number if is_unseen(character) && number > 0xffff => put(all, format_args!("\\U{number:08x}")),
        number if is_unseen(character) => put(all, format_args!("\\u{number:04x}")),
        _ => false,
    })
}

/// JavaScript.
pub(super) fn javascript(text: &str) -> String {
    quoted(text, |character, all| is_unseen(character) && by_halves(character, all))
}

/// C#, which takes more characters than others for the end of a line; those are all among the unseen.
pub(super) fn csharp(text: &str) -> String {
    javascript(text)
}

/// Java reads `\uXXXX` before it looks for literals, so controls are written in octal; what has no octal form ends no line.
pub(super) fn java(text: &str) -> String {
    quoted(text, |character, all| match u32::from(character) {
        number if is_unseen(character) && number < 0x100 => put(all, format_args!("\\{number:03o}")),
        _ => is_unseen(character) && by_halves(character, all),
    })
}

/// Go.
pub(super) fn go(text: &str) -> String {
    quoted(text, |character, all| match u32::from(character) {
        number if is_unseen(character) && number > 0xffff => put(all, format_args!("\\U{number:08x}")),
        number if is_unseen(character) => put(all, format_args!("\\u{number:04x}")),
        _ => false,
    })
}

/// C and C++: by bytes; a question mark is written as one, or two of them might be taken for another sign.
pub(super) fn c(text: &str) -> String {
    quoted(text, |character, all| match character {
        '?' => put(all, format_args!("\\?")),
        _ => is_unseen(character) && by_bytes(character, all),
    })
}

/// PHP between single quotes, where nothing but these two means anything else.
pub(super) fn php(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// Percent-encoded as signatures need it: no shell, and nobody else, reads anything else in it.
pub(super) fn percent(text: &str) -> String {
    let mut all = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            all.push(char::from(byte));
        } else {
            put(&mut all, format_args!("%{byte:02X}"));
        }
    }
    all
}
