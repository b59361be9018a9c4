//! Tables for eyes: they fit the line, so that a row is one line; what is shortened is whole in `--json`.

use super::room::{one_line, shortened, width};

const BETWEEN: usize = 2;
/// A column is not made narrower than this.
const CELL_COLUMNS_MIN: usize = 6;

/// A heading and rows of as many cells.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
    /// How wide columns were when the table was last printed.
    widths: Vec<usize>,
}

impl Table {
    /// A table with these column names.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&name| name.to_owned()).collect()], widths: Vec::new() }
    }

    /// Whether there is nothing to print.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells.iter().map(|cell| one_line(cell)).collect());
    }

    /// The table as text of at most so many columns: each as wide as its widest cell where there is room, two spaces
    /// between, no trailing spaces. What is added then goes on below, in columns that are no narrower.
    pub(crate) fn render(&mut self, room: usize) -> String {
        let rows = std::mem::take(&mut self.rows);
        let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
        let widest = |column: usize| {
            let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| width(cell));
            cells.chain(self.widths.get(column).copied()).max().unwrap_or(0)
        };
        let mut widths: Vec<usize> = (0..columns).map(widest).collect();
        fit(&mut widths, room.saturating_sub(BETWEEN * columns.saturating_sub(1)));
        let lines = rows.iter().map(|row| line(row, &widths)).collect::<Vec<_>>().join("\n");
        self.widths = widths;
        lines
    }
}

fn line(row: &[String], widths: &[usize]) -> String {
    let mut line = String::new();
    for (cell, columns) in row.iter().zip(widths) {
        let cell = shortened(cell, *columns);
        line.push_str(&cell);
        line.extend(std::iter::repeat_n(' ', columns.saturating_sub(width(&cell)) + BETWEEN));
    }
    line.truncate(line.trim_end().len());
    line
}

/// Takes from the widest until all fit. The first column names what the row is about: it gives last.
fn fit(widths: &mut [usize], room: usize) {
    for kept in [1, 0] {
        loop {
            let sum: usize = widths.iter().sum();
            let Some(excess) = sum.checked_sub(room).filter(|excess| *excess > 0) else { return };
            let mut others: Vec<_> = widths.iter_mut().skip(kept).collect();
            others.sort_by_key(|width| std::cmp::Reverse(**width));
            let mut others = others.into_iter();
            let Some(widest) = others.next().filter(|widest| **widest > CELL_COLUMNS_MIN) else { break };
            let next = others.next().map_or(0, |next| *next).clamp(CELL_COLUMNS_MIN, *widest - 1);
            *widest -= excess.min(*widest - next);
        }
    }
}
