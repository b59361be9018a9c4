//! Rows as PostgreSQL takes many of them: a list for each column.
//!
//! **Invariant:** a statement that is written with every batch goes out in one piece. The connection leaves Nagle's algorithm
//! on, and TLS hands the system one record at a time: the last of several would wait until the server acknowledges those
//! before, and a server that waits for the rest of a statement does that after 40 ms.

use crate::database::Slots;

/// How much the values of a statement may be, so that it fits into one record of TLS (16 KiB) with all that is around them.
const STATEMENT_BYTES_MAX: usize = 15_000;

/// The rows.
#[derive(Debug)]
pub(super) struct Lists<'r, T>(pub(super) &'r [T]);

impl<'r, T> Lists<'r, T> {
    /// A column of them.
    pub(super) fn list<V>(&self, value: impl Fn(&'r T) -> V) -> Vec<V> {
        self.0.iter().map(value).collect()
    }

    /// The rows in their order, as many at once as go out in one piece; at least one. `bytes`: of a row's values, with 4 for
    /// the length of each.
    pub(super) fn pieces(&self, bytes: impl Fn(&T) -> usize) -> Vec<&'r [T]> {
        let mut pieces = Vec::new();
        let mut left = self.0;
        while !left.is_empty() {
            let mut whole = 0;
            let fit = left.iter().take_while(|row| {
                whole += bytes(row);
                whole <= STATEMENT_BYTES_MAX
            });
            let (piece, rest) = left.split_at(fit.count().max(1));
            pieces.push(piece);
            left = rest;
        }
        pieces
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

#[cfg(test)]
mod tests;
