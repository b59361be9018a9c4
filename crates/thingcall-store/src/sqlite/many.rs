//! Statements about many rows at once.
//!
//! **Invariant:** a statement has few texts, whatever the number of rows, so that SQLite reads each once and sqlx keeps it
//! prepared: reading one anew takes longer than running it. Rows beyond those asked for hold nothing but NULL and must do
//! nothing: each statement is a message to SQLite's thread and back, and waiting for that takes longer than skipping rows.

use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::SqliteArguments;

/// A text and what is bound to it.
pub(crate) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// The most rows that one statement is about: 3,072 values are a tenth of what SQLite takes.
pub(crate) const ROWS_MAX: usize = 256;
const SIZES: [usize; 13] = [1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, ROWS_MAX];

/// A statement with a list of rows in it.
#[derive(Debug)]
pub(crate) struct Many {
    texts: [String; SIZES.len()],
    columns: usize,
}

impl Many {
    /// The text before the rows, how many values each has, and the text after them.
    pub(crate) fn new(before: &str, columns: usize, after: &str) -> Self {
        let row = format!("({})", vec!["?"; columns].join(", "));
        let texts = SIZES.map(|rows| [before, &vec![row.as_str(); rows].join(", "), after].concat());
        Self { texts, columns }
    }

    /// All rows in their order, as few statements and with the rows of each.
    pub(crate) fn statements<'r, T>(
        &'static self,
        rows: &'r [T],
        bind: impl Fn(Statement, &'r T) -> Statement,
    ) -> impl Iterator<Item = (Statement, &'r [T])> {
        rows.chunks(ROWS_MAX).filter_map(move |rows| {
            let (text, size) = self.texts.iter().zip(SIZES).find(|(_, size)| *size >= rows.len())?;
            let statement = rows.iter().fold(sqlx::query(text.as_str()), &bind);
            let missing = (size - rows.len()) * self.columns;
            Some(((0..missing).fold(statement, |statement, _| statement.bind(None::<i64>)), rows))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use sqlx::{Connection, Execute, SqliteConnection};

    use super::*;

    static PAIRS: LazyLock<Many> =
        LazyLock::new(|| Many::new("INSERT INTO pairs SELECT * FROM (VALUES ", 2, ") WHERE column1 IS NOT NULL"));

    fn pair(statement: Statement, row: &i64) -> Statement {
        statement.bind(*row).bind(-row)
    }

    #[tokio::test]
    async fn every_row_is_written_once_and_in_its_order() {
        let mut conn = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        sqlx::query("CREATE TABLE pairs (a, b)").execute(&mut conn).await.unwrap();
        for count in [0, 1, 3, 4, 31, 33, 255, 256, 257, 1_000] {
            let rows: Vec<i64> = (1..=count).collect();
            for (statement, _) in PAIRS.statements(&rows, pair) {
                statement.execute(&mut conn).await.unwrap();
            }
            let select = "DELETE FROM pairs RETURNING a, b";
            let written: Vec<(i64, i64)> = sqlx::query_as(select).fetch_all(&mut conn).await.unwrap();
            assert_eq!(written, rows.iter().map(|row| (*row, -row)).collect::<Vec<_>>());
        }
    }

    #[test]
    fn statements_are_few_and_their_texts_too() {
        let mut texts = std::collections::BTreeSet::new();
        for count in 1..=1_000 {
            let rows = vec![0; count];
            let statements: Vec<_> = PAIRS.statements(&rows, pair).collect();
            assert_eq!(statements.len(), count.div_ceil(256));
            texts.extend(statements.into_iter().map(|(statement, _)| statement.sql().as_str().len()));
        }
        assert_eq!(texts.len(), SIZES.len());
    }
}
