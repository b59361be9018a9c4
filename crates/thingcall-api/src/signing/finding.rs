//! What was found, and where.

use serde::Serialize;

use super::said::Said;

/// How sure it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Certainty {
    /// The given signature is the one that this mistake leads to, and no other text was found that does.
    Proved,
    /// It stands in what was pasted, and the server refuses it.
    Seen,
    /// Worth to know; it alone makes no signature wrong.
    Note,
}

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Its name, for programs.
    pub id: String,
    /// How sure it is.
    pub certainty: Certainty,
    /// What it is.
    pub what: Said,
    /// What would be right.
    pub right: Said,
    /// Where it is.
    pub mark: Option<Mark>,
}

/// The first place where two texts differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mark {
    /// Of which text: `string to sign` or `canonical request`.
    pub of: &'static str,
    /// Its line, from 1 on.
    pub line: usize,
    /// The character in this line, from 1 on.
    pub column: usize,
    /// What was signed, around that place.
    pub yours: String,
    /// What this server has there.
    pub ours: String,
    /// How many characters stand before the difference in both.
    pub caret: usize,
}

/// Whether a signature is the right one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is; but for its age or its nonce, which may be used, it would be let in.
    Right,
    /// It is not, or the request is refused for something else.
    Wrong,
    /// What was pasted has no signature, so nothing can be compared.
    Unknown,
}

/// One step of the computation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// Its name, such as `string to sign`.
    pub name: &'static str,
    /// What it leads to.
    pub text: String,
}

/// Why a signature is right or is not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Explanation {
    /// The name of the signature: `HMAC-SHA1` or `ACS3-HMAC-SHA256`.
    pub signature: Option<&'static str>,
    /// The key that it says it is of.
    pub key_id: Option<String>,
    /// Whether it is right.
    pub verdict: Verdict,
    /// What was found, the most decisive first.
    pub findings: Vec<Finding>,
    /// What this server computes of the same request; its signature is not among it.
    pub steps: Vec<Step>,
}

impl Finding {
    /// Something that the server refuses.
    pub(super) fn seen(id: impl Into<String>, what: Said, right: Said) -> Self {
        Self { id: id.into(), certainty: Certainty::Seen, what, right, mark: None }
    }

    /// Something beside.
    pub(super) fn note(id: impl Into<String>, what: Said, right: Said) -> Self {
        Self { id: id.into(), certainty: Certainty::Note, what, right, mark: None }
    }

    /// The same with its place.
    pub(super) fn at(mut self, mark: Option<Mark>) -> Self {
        self.mark = mark;
        self
    }
}

/// How much of a text is shown before a difference and after it.
const AROUND_CHARS: usize = 32;

/// The first difference between what was signed and what is right.
pub(super) fn mark(of: &'static str, yours: &str, ours: &str) -> Option<Mark> {
    if yours == ours {
        return None;
    }
    let same = yours.chars().zip(ours.chars()).take_while(|(a, b)| a == b);
    let (mut line, mut column, mut count) = (1_usize, 1_usize, 0_usize);
    for (char, _) in same {
        count += 1;
        (line, column) = if char == '\n' { (line + 1, 1) } else { (line, column + 1) };
    }
    // A cut in the middle of `%2A` tells little: the whole sign is shown, the caret stays where they differ.
    let from = count.saturating_sub(AROUND_CHARS.min(column - 1));
    let around = |text: &str| {
        let cut: String = text.chars().skip(from).take(count - from + AROUND_CHARS).collect();
        visible(&cut)
    };
    let before: String = yours.chars().skip(from).take(count - from).collect();
    Some(Mark { of, line, column, yours: around(yours), ours: around(ours), caret: visible(&before).chars().count() })
}

/// With line ends and other characters that are not seen written as they are in Rust and C.
fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    //! A difference is shown where it begins.

    use super::*;

    #[test]
    fn the_caret_stands_below_the_first_difference() {
        let found = mark("string to sign", "POST\n/\na=b+c", "POST\n/\na=b%20c").unwrap();
        assert_eq!((found.line, found.column, found.caret), (3, 4, 3));
        assert_eq!((&*found.yours, &*found.ours), ("a=b+c", "a=b%20c"));
        assert_eq!(mark("x", "same", "same"), None);
        let longer = mark("x", "same\n", "same").unwrap();
        assert_eq!((longer.column, longer.caret, &*longer.yours, &*longer.ours), (5, 4, "same\\n", "same"));
    }

    #[test]
    fn no_text_is_too_long_or_too_odd() {
        let long = "é".repeat(1000);
        let found = mark("x", &format!("{long}\u{7}a"), &format!("{long}b")).unwrap();
        assert_eq!(found.column, 1001);
        assert!(found.yours.chars().count() < 80 && !found.yours.contains('\u{7}'), "{found:?}");
    }
}
