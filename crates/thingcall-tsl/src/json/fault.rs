//! Why a text is not the JSON it should be, in words for whoever wrote it.

use crate::words::{in_item, in_member, quoted};

use super::Json;

/// What is wrong with a text, and where.
#[derive(Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    /// The byte of the text.
    pub(crate) at: usize,
    /// The value the reader was in, from the outermost one on: `.window[3]`.
    pub(crate) path: String,
}

/// The kinds of faults.
#[derive(Debug, PartialEq)]
pub(crate) enum FaultKind {
    /// Nothing but space.
    Empty,
    /// Something else than expected.
    Unexpected { expected: &'static str },
    /// The text ends too early.
    Unfinished { expected: &'static str },
    /// `{'a': 1}`, as Python prints it.
    SingleQuotes,
    /// A comma and nothing after it: `[1,]`.
    TrailingComma,
    /// `// such` or `/* such */`.
    Comment,
    /// More text after the value.
    Trailing,
    /// Too many levels of objects and arrays.
    TooDeep { max: usize },
    /// A key that stands twice in an object.
    Twice { key: String },
    /// A backslash and something that means nothing.
    Escape,
    /// `\ud800` to `\udfff` without its other half.
    HalfCharacter,
    /// A line feed or such, not escaped.
    ControlCharacter,
}

impl Fault {
    pub(super) fn in_member(mut self: Box<Self>, key: &str) -> Box<Self> {
        if self.has_path() {
            in_member(&mut self.path, key);
        }
        self
    }

    pub(super) fn in_item(mut self: Box<Self>, index: usize) -> Box<Self> {
        if self.has_path() {
            in_item(&mut self.path, index);
        }
        self
    }

    /// Thirty steps to where a text nests too deep would tell nobody anything.
    fn has_path(&self) -> bool {
        !matches!(self.kind, FaultKind::TooDeep { .. })
    }

    /// Where it is, as editors count.
    pub(crate) fn place(&self, text: &str) -> String {
        let before = text.get(..self.at).unwrap_or(text);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        format!("line {line}, column {column}")
    }

    /// What is wrong, to stand after a name; `at` is put where a place belongs.
    pub(crate) fn wrong(&self, text: &str, at: &str) -> String {
        let rest = text.get(self.at..).unwrap_or_default();
        let found = quoted(rest.split_whitespace().next().unwrap_or(rest));
        match &self.kind {
            FaultKind::Empty => "is empty".to_owned(),
            FaultKind::Unexpected { .. } => format!("is not JSON{at}: {found} cannot stand there"),
            FaultKind::Unfinished { .. } => format!("is not JSON{at}: it ends too early"),
            FaultKind::SingleQuotes => format!("is not JSON{at}: it has single quotes"),
            FaultKind::TrailingComma => format!("is not JSON{at}: a comma stands before {found} (a trailing comma)"),
            FaultKind::Comment => format!("is not JSON{at}: it has a comment"),
            FaultKind::Trailing => format!("goes on after its end{at}: {found}"),
            FaultKind::TooDeep { max } => format!("nests deeper than {max} levels{at}"),
            FaultKind::Twice { key } => format!("has the key {} twice", quoted(key)),
            FaultKind::Escape => format!("is not JSON{at}: {found} begins with no known escape"),
            FaultKind::HalfCharacter => format!("is not JSON{at}: the escape is half a character"),
            FaultKind::ControlCharacter => format!("is not JSON{at}: a text has a bare control character"),
        }
    }

    /// What would be right.
    pub(crate) fn right(&self, text: &str) -> String {
        match &self.kind {
            FaultKind::Empty => "write {} for nothing".to_owned(),
            FaultKind::Unexpected { expected } | FaultKind::Unfinished { expected } => {
                format!("write {expected} there")
            }
            FaultKind::SingleQuotes => format!("write double quotes: {}", double_quoted(text)),
            FaultKind::TrailingComma => "take the comma before it out".to_owned(),
            FaultKind::Comment => "take it out: JSON has no comments".to_owned(),
            FaultKind::Trailing => "write one value and nothing after it".to_owned(),
            FaultKind::TooDeep { max } => format!("write at most {max} levels"),
            FaultKind::Twice { .. } => "write each key once".to_owned(),
            FaultKind::Escape => r#"write \" \\ \/ \b \f \n \r \t or \u and four hexadecimal digits"#.to_owned(),
            FaultKind::HalfCharacter => r"write both halves, such as \ud83d\ude00".to_owned(),
            FaultKind::ControlCharacter => r"write it escaped, such as \n".to_owned(),
        }
    }
}

/// Longest text that is shown to its writer in its corrected form, in bytes.
const CORRECTED_BYTES_MAX: usize = 160;

/// The text with double quotes, where that cures it; an example elsewhere.
fn double_quoted(text: &str) -> String {
    let cured = text.replace('\'', "\"");
    let one_line = !text.contains(char::is_control);
    if one_line && text.len() <= CORRECTED_BYTES_MAX && Json::read(&cured, CORRECTED_BYTES_MAX).is_ok() {
        cured
    } else {
        r#"{"name": "text"}"#.to_owned()
    }
}
