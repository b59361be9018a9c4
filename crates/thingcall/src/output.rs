//! What a command prints on stdout: tables for eyes, one JSON object a line for scripts.
//!
//! **Invariants:** stdout holds results and nothing else; everything said beside them goes to stderr. A result that could not be
//! written fails the command.

use std::ffi::OsStr;
use std::io::{self, ErrorKind, IsTerminal, Write, stderr, stdout};
use std::sync::OnceLock;

use serde_json::{Value, json};

mod room;
mod table;

use room::table_columns;
pub(crate) use room::{columns, folded, prose};
pub(crate) use table::Table;

/// How a command shows its result.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub(crate) struct Output {
    /// Print JSON, errors too: one object, or one per line
    #[arg(long)]
    pub json: bool,
}

/// Why something could not be printed, the first time.
static LOST: OnceLock<String> = OnceLock::new();

/// Prints one line. What cannot be printed fails the command in the end; a closed stdout (`| head`) is not an error.
pub(crate) fn line(text: impl std::fmt::Display) {
    drop(try_line(text));
}

/// Whether something could not be printed, other than because nobody reads it. Says so.
pub(crate) fn is_lost() -> bool {
    let lost = LOST.get();
    lost.inspect(|why| note(format_args!("thingcall: what was to be printed could not be written: {why}"))).is_some()
}

/// Notes why something could not be printed.
pub(crate) fn printed(printed: io::Result<()>) -> io::Result<()> {
    printed.inspect_err(|why| {
        if why.kind() != ErrorKind::BrokenPipe {
            LOST.get_or_init(|| why.to_string());
        }
    })
}

/// Prints one JSON object, without those of its members that are null.
pub(crate) fn object(value: Value) {
    line(present(value));
}

fn present(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members.retain(|_, value| !value.is_null());
    }
    value
}

/// Says that the command failed, and why: on stderr, or with `--json` as an object on stdout, where its reader looks.
pub(crate) fn failure(why: &str) {
    let is_json = json_is_wanted(std::env::args_os());
    if is_json {
        object(json!({ "error": { "message": why } }));
    }
    if !is_json || LOST.get().is_some() {
        note(format_args!("thingcall: {why}"));
    }
}

/// Whether `--json` is among the arguments, also of a command line that cannot be read.
pub(crate) fn json_is_wanted(arguments: impl IntoIterator<Item: AsRef<OsStr>>) -> bool {
    arguments.into_iter().take_while(|argument| argument.as_ref() != "--").any(|argument| argument.as_ref() == "--json")
}

/// Prints prose, folded to the width there is.
pub(crate) fn text(text: &str) {
    line(prose(text, columns()));
}

/// Prints what must be seen.
///
/// # Errors
/// If nobody can have seen it.
pub(crate) fn try_line(text: impl std::fmt::Display) -> io::Result<()> {
    let mut out = stdout().lock();
    printed(writeln!(out, "{text}").and_then(|()| out.flush()))
}

/// Says something beside the result, on stderr.
pub(crate) fn note(text: impl std::fmt::Display) {
    drop(writeln!(stderr().lock(), "{text}"));
}

/// Prints many things: their JSON, one a line, or a table of them.
pub(crate) fn list<T>(
    output: Output,
    things: &[T],
    json: impl Fn(&T) -> Value,
    heading: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) {
    Listing::new(output, heading).page(things, json, row);
}

/// A list that is printed page by page, since it may be longer than memory.
pub(crate) struct Listing {
    output: Output,
    table: Table,
}

impl Listing {
    /// With these column names.
    pub(crate) fn new(output: Output, heading: &[&str]) -> Self {
        Self { output, table: Table::new(heading) }
    }

    /// Prints some more; says whether anybody reads on.
    pub(crate) fn page<T>(
        &mut self,
        things: &[T],
        json: impl Fn(&T) -> Value,
        row: impl Fn(&T) -> Vec<String>,
    ) -> bool {
        if self.output.json {
            return things.iter().all(|thing| try_line(present(json(thing))).is_ok());
        }
        things.iter().for_each(|thing| self.table.row(row(thing)));
        if self.table.is_empty() {
            return true;
        }
        try_line(self.table.render(table_columns())).is_ok()
    }
}

/// Prints one thing: its JSON, or its members one below the other. Members that are `null` are left out of both.
pub(crate) fn one(output: Output, members: &[(&str, Value)]) {
    if output.json {
        return object(members.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect());
    }
    let present = || members.iter().filter(|(_, value)| !value.is_null());
    let width = present().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in present() {
        let value = room::one_line(value.as_str().map_or_else(|| value.to_string(), str::to_owned).as_str());
        let words = std::iter::once(format!("{name:width$} ")).chain(value.split(' ').map(str::to_owned));
        let words: Vec<_> = words.collect();
        line(folded(words.iter().map(String::as_str), " ", columns(), width + 2));
    }
}

/// A moment, as people and programs read it: ISO 8601 in UTC, with milliseconds.
pub(crate) fn moment(at: thingcall_core::UnixMillis) -> String {
    jiff::Timestamp::from_millisecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("{at:.3}"))
}

/// The same, to the second: for tables.
pub(crate) fn second(at: thingcall_core::UnixMillis) -> String {
    let second = jiff::Timestamp::from_second(at.0.div_euclid(1000));
    second.map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

/// The day alone.
pub(crate) fn day(at: thingcall_core::UnixMillis) -> String {
    let second = second(at);
    second.split_once('T').map_or(second.clone(), |(day, _)| day.to_owned())
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
