//! How much room a line has, and how text is made to fit it. Widths are those of a terminal: a Chinese character takes two
//! columns, a combining mark none.

use std::io::{IsTerminal, stdout};

use terminal_size::{Width, terminal_size};
use thingcall_core::PeerText;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Where nothing says how wide lines may be.
const COLUMNS: usize = 80;
/// Below this nothing can be shown.
const COLUMNS_MIN: usize = 20;
/// What stands for the part of a text that was left out. Plain, so that it is as wide on every terminal.
const CUT: &str = "...";

/// How wide lines on stdout may be: `COLUMNS` where it is set, else as the terminal is, else 80.
pub(crate) fn columns() -> usize {
    set_or_there().unwrap_or(COLUMNS).max(COLUMNS_MIN)
}

/// The same of a table, from which nothing is cut where it goes to a file or another program.
pub(super) fn table_columns() -> usize {
    set_or_there().unwrap_or(usize::MAX).max(COLUMNS_MIN)
}

fn set_or_there() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok();
    let terminal = || terminal_size().filter(|_| stdout().is_terminal()).map(|(Width(columns), _)| columns.into());
    columns_of(set.as_deref(), terminal)
}

pub(super) fn columns_of(set: Option<&str>, terminal: impl FnOnce() -> Option<usize>) -> Option<usize> {
    let set = set.and_then(|set| set.trim().parse().ok());
    set.or_else(terminal)
}

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// The text in one line, whatever it holds.
pub(super) fn one_line(text: &str) -> String {
    PeerText::at_most(text, usize::MAX).to_string()
}

/// The text, shortened to at most so many columns.
pub(super) fn shortened(text: &str, columns: usize) -> String {
    if width(text) <= columns {
        return text.to_owned();
    }
    let mut left = columns.saturating_sub(CUT.len());
    let fits = |character: &char| match left.checked_sub(character.width().unwrap_or(0)) {
        Some(rest) => {
            left = rest;
            true
        }
        None => false,
    };
    let kept: String = text.chars().take_while(fits).collect();
    kept + CUT.get(..columns.min(CUT.len())).unwrap_or_default()
}

/// Parts beside each other with two spaces between, over as many lines as they need; those after the first begin with
/// `indent` spaces. A part that is wider than a line stays whole, so that it can be copied.
pub(crate) fn folded<'a>(
    parts: impl IntoIterator<Item = &'a str>,
    between: &str,
    columns: usize,
    indent: usize,
) -> String {
    let (mut text, mut used) = (String::new(), 0);
    for (number, part) in parts.into_iter().enumerate() {
        let wanted = width(part) + if number == 0 { 0 } else { width(between) };
        if number > 0 && used > indent && used + wanted > columns {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        } else if number > 0 {
            text.push_str(between);
            used += width(between);
        }
        text.push_str(part);
        used += width(part);
    }
    text
}

/// Prose, each of its lines folded between words and going on a little to the right of where it began.
pub(crate) fn prose(text: &str, columns: usize) -> String {
    let fold = |line: &str| folded(line.split(' '), " ", columns, line.len() - line.trim_start().len() + 4);
    text.lines().map(fold).collect::<Vec<_>>().join("\n")
}
