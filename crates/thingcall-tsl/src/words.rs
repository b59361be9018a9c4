//! Words for people: quotations, paths, lists, and the name that was probably meant.

use std::borrow::Cow;

use thingcall_core::Identifier;

use crate::limits::{NAMES_LISTED_MAX, QUOTED_CHARS_MAX};

/// What was found, in quotes, control characters escaped, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let cut = cut(text);
    if cut.len() == text.len() { format!("{text:?}") } else { format!("{cut:?}...") }
}

/// The first characters.
pub(crate) fn cut(text: &str) -> &str {
    text.char_indices().nth(QUOTED_CHARS_MAX).map_or(text, |(at, _)| text.get(..at).unwrap_or(text))
}

/// Puts a member before a path: `.from` in `window` is `.window.from`.
pub(crate) fn in_member(path: &mut String, name: &str) {
    let step: Cow<'_, str> = match Identifier::try_from(name) {
        Ok(_) => format!(".{name}").into(),
        Err(_) => format!("[{}]", quoted(name)).into(),
    };
    path.insert_str(0, &step);
}

/// Puts an array's item before a path.
pub(crate) fn in_item(path: &mut String, index: usize) {
    path.insert_str(0, &format!("[{index}]"));
}

/// The names, the one that was probably meant first, with a comma between; the others are counted.
pub(crate) fn list<'n>(names: impl Iterator<Item = Cow<'n, str>>, first: Option<&str>) -> String {
    let mut listed: Vec<Cow<'n, str>> = first.map(|name| name.to_owned().into()).into_iter().collect();
    let mut more = 0;
    for name in names.filter(|name| Some(&**name) != first) {
        if listed.len() < NAMES_LISTED_MAX {
            listed.push(name);
        } else {
            more += 1;
        }
    }
    let listed = listed.join(", ");
    if more == 0 { listed } else { format!("{listed} and {more} more") }
}

/// The name that was probably meant, where one is near enough.
pub(crate) fn nearest<'n>(meant: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let allowed = (meant.len() / 3).max(1);
    // Identifiers have at most 50 characters: what is longer by far is no slip of the pen.
    if meant.len() > 64 || meant.is_empty() {
        return None;
    }
    names
        .filter(|name| name.len().abs_diff(meant.len()) <= allowed)
        .map(|name| (distance(meant, name), name))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}

/// How many bytes must be put in, taken out, changed or swapped with their neighbour; capitals do not count.
fn distance(a: &str, b: &str) -> usize {
    let (a, b) = (a.to_ascii_lowercase(), b.to_ascii_lowercase());
    let (mut older, mut old): (Vec<usize>, Vec<usize>) = (Vec::new(), (0..=b.len()).collect());
    let mut before_a = None;
    for (i, byte_a) in a.bytes().enumerate() {
        let mut row = vec![i + 1];
        let mut before_b = None;
        for (j, byte_b) in b.bytes().enumerate() {
            let at = |row: &[usize], j: usize| row.get(j).copied().unwrap_or(usize::MAX - 1);
            let mut least = at(&old, j) + usize::from(byte_a != byte_b);
            least = least.min(at(&old, j + 1) + 1).min(at(&row, j) + 1);
            if before_a == Some(byte_b) && before_b == Some(byte_a) {
                least = least.min(at(&older, j.wrapping_sub(1)) + 1);
            }
            row.push(least);
            before_b = Some(byte_b);
        }
        older = std::mem::replace(&mut old, row);
        before_a = Some(byte_a);
    }
    old.last().copied().unwrap_or(0)
}
