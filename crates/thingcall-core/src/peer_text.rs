//! Text that a peer chose, on its way into a log line: a client id, a user name, a topic, a broker's reason.
//!
//! **Invariant:** what a peer sends makes neither a long line nor a second one, whatever it holds. Every listener and
//! every transport writes such text through here.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

/// The most characters of a peer's text that a line shows.
pub const PEER_TEXT_CHARS_MAX: usize = 80;

/// A peer's text as a log line shows it: at most [`PEER_TEXT_CHARS_MAX`] characters, control characters escaped, and
/// where something was left out, how long the whole was.
///
/// Writing it costs no more than what is shown, however long the text is.
#[derive(Debug, Clone)]
pub struct PeerText<'a> {
    text: Cow<'a, str>,
    bytes: usize,
    chars_max: usize,
}

impl<'a> PeerText<'a> {
    /// Shows this text.
    pub fn new(text: &'a str) -> Self {
        Self::at_most(text, PEER_TEXT_CHARS_MAX)
    }

    /// Shows this text, up to so many characters: for what is told to one who asked, not for log lines.
    pub fn at_most(text: &'a str, chars_max: usize) -> Self {
        Self { text: Cow::Borrowed(text), bytes: text.len(), chars_max }
    }

    /// Shows bytes that may be no text.
    pub fn of_bytes(bytes: &'a [u8]) -> Self {
        // A character has four bytes at most: what is shown is decided by these.
        let start = bytes.get(..PEER_TEXT_CHARS_MAX * 4 + 4).unwrap_or(bytes);
        Self { text: String::from_utf8_lossy(start), bytes: bytes.len(), chars_max: PEER_TEXT_CHARS_MAX }
    }
}

impl fmt::Display for PeerText<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.text.chars();
        for character in rest.by_ref().take(self.chars_max) {
            if breaks_lines(character) {
                write!(f, "{}", character.escape_default())?;
            } else {
                f.write_char(character)?;
            }
        }
        if rest.next().is_some() { write!(f, "... ({} bytes)", self.bytes) } else { Ok(()) }
    }
}

/// Control characters, and those that end a line or turn its direction in some viewers.
fn breaks_lines(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests;
