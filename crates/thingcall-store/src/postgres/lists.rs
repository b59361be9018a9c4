//! Rows as PostgreSQL takes many of them: a list for each column.

use crate::database::Slots;

/// The rows.
#[derive(Debug)]
pub(super) struct Lists<'r, T>(pub(super) &'r [T]);

impl<'r, T> Lists<'r, T> {
    /// A column of them.
    pub(super) fn list<V>(&self, value: impl Fn(&'r T) -> V) -> Vec<V> {
        self.0.iter().map(value).collect()
    }
}

/// A count as the database gives it.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

/// Slots as a list.
pub(super) fn numbers(slots: Slots<'_>) -> Option<Vec<i16>> {
    slots.map(|slots| slots.iter().map(|slot| i16::from(*slot)).collect())
}

/// PostgreSQL keeps no NUL in a text, and people and devices may say what they like.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}
