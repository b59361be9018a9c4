//! Mistakes made on purpose, until one leads to the signature that was given.
//!
//! **Invariant:** bounded work: each mistake alone, then two at once as long as all that is hashed stays below a limit.

use super::mistakes::Mistake;
use crate::auth;

/// So many bytes are hashed at most to find two mistakes at once.
const PAIRS_BYTES_MAX: usize = 24 * 1024 * 1024;

/// A way to sign a request.
pub(super) trait Way: Clone {
    /// What is signed, as people compare it.
    fn text(&self) -> String;

    /// The signature of this text.
    fn signature(&self, text: &str) -> String;
}

/// Mistakes of one group exclude each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// The method.
    Method,
    /// The path.
    Path,
    /// Which parameters there are.
    Source,
    /// Something that was not signed. There may be many, so they are looked for alone.
    Omitted,
    /// Their order.
    Order,
    /// How they are encoded.
    Spelling,
    /// How they are joined.
    Join,
    /// The lines of headers.
    Headers,
    /// The hash of the body.
    Hash,
    /// What is hashed to the string to sign, and its end.
    String,
    /// The secret.
    Secret,
    /// The hash function.
    Mac,
    /// How the signature is written.
    Written,
}

/// A mistake and what it changes.
pub(super) struct Change<W> {
    pub(super) group: Group,
    pub(super) mistake: Mistake,
    pub(super) apply: Box<dyn Fn(&mut W)>,
}

/// Shortens lists of changes.
pub(super) fn change<W>(group: Group, mistake: impl Into<Mistake>, apply: impl Fn(&mut W) + 'static) -> Change<W> {
    Change { group, mistake: mistake.into(), apply: Box::new(apply) }
}

/// Mistakes that lead to what was given, and what was signed with them.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) mistakes: Vec<Mistake>,
    pub(super) text: String,
}

/// The fewest mistakes that lead to this signature: one or two.
pub(super) fn search<W: Way>(right: &W, changes: &[Change<W>], given: &str) -> Option<Proof> {
    find(right, changes, |way, text| auth::same(&way.signature(text), given))
}

/// The fewest mistakes that lead to this text.
pub(super) fn named<W: Way>(right: &W, changes: &[Change<W>], signed: &str) -> Option<Proof> {
    find(right, changes, |_, text| text == signed)
}

fn find<W: Way>(right: &W, changes: &[Change<W>], is_it: impl Fn(&W, &str) -> bool) -> Option<Proof> {
    let made = |mistakes: &[&Change<W>]| {
        let mut way = right.clone();
        mistakes.iter().for_each(|change| (change.apply)(&mut way));
        let text = way.text();
        is_it(&way, &text).then(|| Proof { mistakes: mistakes.iter().map(|one| one.mistake.clone()).collect(), text })
    };
    if let Some(proof) = changes.iter().find_map(|one| made(&[one])) {
        return Some(proof);
    }
    let whole = right.text();
    let tells = |one: &&Change<W>| {
        let mut way = right.clone();
        (one.apply)(&mut way);
        let beside_the_text = matches!(one.group, Group::String | Group::Secret | Group::Mac | Group::Written);
        one.group != Group::Omitted && (beside_the_text || way.text() != whole)
    };
    let changes: Vec<_> = changes.iter().filter(tells).collect();
    if changes.len().saturating_mul(changes.len()).saturating_mul(whole.len()) / 2 > PAIRS_BYTES_MAX {
        return None;
    }
    changes.iter().enumerate().find_map(|(i, one)| {
        let others = changes.iter().skip(i + 1).filter(|other| other.group != one.group);
        others.into_iter().find_map(|other| made(&[one, other]))
    })
}
