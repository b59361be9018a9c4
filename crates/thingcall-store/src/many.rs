//! Statements about many rows at once.
//!
//! **Invariant:** a statement has few texts, whatever the number of rows, so that SQLite reads each once and sqlx keeps it
//! prepared. Reading one anew takes longer than running it.

/// Rows of one statement. Any number of rows is made of few of these; 3,072 values are a tenth of what SQLite takes.
const SIZES: [usize; 9] = [256, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement with a list of rows in it.
#[derive(Debug)]
pub(crate) struct Many([String; SIZES.len()]);

impl Many {
    /// The text before the rows, how many values each has, and the text after them.
    pub(crate) fn new(before: &str, columns: usize, after: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(", "));
        Self(SIZES.map(|rows| [before, &vec![row.as_str(); rows].join(", "), after].concat()))
    }

    /// All rows in their order, some at a time, each time with the text for so many.
    pub(crate) fn pieces<'r, T>(&'static self, mut rows: &'r [T]) -> impl Iterator<Item = (&'static str, &'r [T])> {
        std::iter::from_fn(move || {
            let (text, size) = self.0.iter().zip(SIZES).find(|(_, size)| *size <= rows.len())?;
            let (piece, rest) = rows.split_at(size);
            rows = rest;
            Some((text.as_str(), piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;

    static PAIRS: LazyLock<Many> = LazyLock::new(|| Many::new("VALUES ", 2, ";"));

    #[test]
    fn every_row_is_in_one_piece_and_the_text_has_a_place_for_it() {
        for count in [0, 1, 3, 4, 31, 32, 255, 256, 1_000] {
            let rows: Vec<usize> = (0..count).collect();
            let pieces: Vec<_> = PAIRS.pieces(&rows).collect();
            assert_eq!(pieces.iter().flat_map(|(_, rows)| *rows).copied().collect::<Vec<_>>(), rows);
            assert!(pieces.iter().all(|(text, rows)| text.matches('?').count() == rows.len() * 2));
        }
    }

    #[test]
    fn the_text_is_what_sqlite_expects() {
        let texts: Vec<_> = PAIRS.pieces(&[(); 3]).map(|(text, _)| text).collect();
        assert_eq!(texts, ["VALUES (?, ?), (?, ?);", "VALUES (?, ?);"]);
    }
}
