//! Where log lines go: the last net for what is too long or would be two lines.
//!
//! **Invariant:** what is logged at once is one line of at most the configured bytes, and if it was JSON it stays so.

use std::io::{self, Stderr, Write, stderr};

use serde_json::Value;
use thingcall_core::PeerText;
use tracing_subscriber::fmt::MakeWriter;

/// The text that a cut line ends with, at its longest.
const CUT_BYTES_MAX: usize = 40;

/// Writes lines to standard error.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lines {
    /// Longer ones are cut.
    pub bytes_max: usize,
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line;

    fn make_writer(&'a self) -> Line {
        Line { bytes_max: self.bytes_max, to: stderr() }
    }
}

/// Writes one line: the formatter hands it over whole.
#[derive(Debug)]
pub(super) struct Line {
    bytes_max: usize,
    to: Stderr,
}

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match mended(line, self.bytes_max) {
            Some(mended) => self.to.write_all(mended.as_bytes())?,
            None => self.to.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

/// The line as it may be written; `None` if it may as it is.
fn mended(line: &[u8], bytes_max: usize) -> Option<String> {
    let inner = line.strip_suffix(b"\n").unwrap_or(line);
    let long = line.len() > bytes_max;
    // Escape begins a colour: those are the formatter's own.
    let broken = inner.iter().any(|byte| byte.is_ascii_control() && !matches!(byte, 0x1b | b'\t'));
    if !long && !broken {
        return None;
    }
    if let (true, Ok(mut object @ Value::Object(_))) = (long, serde_json::from_slice::<Value>(inner)) {
        cut_texts(&mut object);
        let text = object.to_string();
        if text.len() < bytes_max {
            return Some(text + "\n");
        }
        let object = serde_json::json!({ "message": PeerText::of_bytes(inner).to_string() });
        return Some(format!("{object}\n"));
    }
    let mut text = String::new();
    for character in String::from_utf8_lossy(inner).chars() {
        if text.len() + CUT_BYTES_MAX > bytes_max {
            text.push_str(&format!("... ({} bytes)", inner.len()));
            break;
        }
        match character {
            '\u{1b}' | '\t' => text.push(character),
            other if other.is_control() => text.extend(other.escape_default()),
            other => text.push(other),
        }
    }
    Some(text + "\n")
}

/// Cuts all texts within a value as those of peers are cut.
fn cut_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = PeerText::new(text).to_string(),
        Value::Array(items) => items.iter_mut().for_each(cut_texts),
        Value::Object(members) => members.values_mut().for_each(cut_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
