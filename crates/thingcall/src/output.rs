//! What a command prints on stdout: tables for eyes, one JSON object a line for scripts.
//!
//! **Invariant:** stdout holds results and nothing else; everything said beside them goes to stderr.

use std::io::{IsTerminal, Write, stderr, stdout};

use serde_json::Value;

/// How a command shows its result.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Output {
    /// Print JSON: one object, or one per line
    #[arg(long)]
    pub json: bool,
}

/// Prints one line. A closed stdout (`| head`) is not an error.
pub(crate) fn line(text: impl std::fmt::Display) {
    drop(try_line(text));
}

/// Prints what must be seen.
///
/// # Errors
/// If nobody can have seen it.
pub(crate) fn try_line(text: impl std::fmt::Display) -> std::io::Result<()> {
    let mut out = stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush())
}

/// Says something beside the result, on stderr.
pub(crate) fn note(text: impl std::fmt::Display) {
    drop(writeln!(stderr().lock(), "{text}"));
}

/// A table: a heading and rows of as many cells.
#[derive(Debug, Default)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these column names.
    pub(crate) fn new(heading: &[&str]) -> Self {
        Self { rows: vec![heading.iter().map(|&name| name.to_owned()).collect()] }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: Vec<String>) {
        self.rows.push(cells);
    }

    /// The table as text; columns as wide as their widest cell, two spaces between, no trailing spaces.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let lines = self.rows.iter().map(|row| {
            let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}"));
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// Prints many things: their JSON, one a line, or a table of them.
pub(crate) fn list<T>(
    output: Output,
    things: &[T],
    json: impl Fn(&T) -> Value,
    heading: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) {
    if output.json {
        things.iter().for_each(|thing| line(json(thing)));
        return;
    }
    let mut table = Table::new(heading);
    things.iter().for_each(|thing| table.row(row(thing)));
    line(table.render());
}

/// Prints one thing: its JSON, or its members one below the other. Members that are `null` are left out of both.
pub(crate) fn one(output: Output, members: &[(&str, Value)]) {
    let present = || members.iter().filter(|(_, value)| !value.is_null());
    if output.json {
        let object = present().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        return line(Value::Object(object));
    }
    let width = present().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in present() {
        let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        line(format_args!("{name:width$}  {value}"));
    }
}

/// A moment, as people and programs read it: ISO 8601 in UTC, with milliseconds.
pub(crate) fn moment(at: thingcall_core::UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}

/// Colours for a terminal, and nothing elsewhere.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Paint {
    on: bool,
}

impl Paint {
    /// Paints if stdout is a terminal and `NO_COLOR` is not set.
    pub(crate) fn for_stdout() -> Self {
        Self { on: stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none() }
    }

    /// Bold.
    pub(crate) fn bold(self, text: &str) -> String {
        self.paint("1", text)
    }

    /// Green.
    pub(crate) fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// Red.
    pub(crate) fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// Faint.
    pub(crate) fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.on { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }
}

#[cfg(test)]
mod tests;
