//! What stands in a line.

use super::{NotClosed, lines};

fn read(text: &str) -> Vec<(usize, Result<Vec<String>, NotClosed>)> {
    lines(text).map(|line| (line.number, line.fields)).collect()
}

fn fields(all: &[&str]) -> Result<Vec<String>, NotClosed> {
    Ok(all.iter().map(|&field| field.to_owned()).collect())
}

#[test]
fn lines_are_numbered_as_they_stand_and_blank_ones_are_none() {
    let text = "\u{feff}lamp1\r\n\r\n  \nlamp2, hall ,secret\r\nlamp3,\r\n";
    let right = [(1, fields(&["lamp1"])), (4, fields(&["lamp2", "hall", "secret"])), (5, fields(&["lamp3", ""]))];
    assert_eq!(read(text), right);
    assert_eq!(read(""), []);
}

#[test]
fn a_quoted_field_may_hold_commas_and_quotes() {
    let text = "a,\"the \"\"big\"\" lamp, hall\" , s\n\"a\",\"\"\n";
    assert_eq!(read(text), [(1, fields(&["a", "the \"big\" lamp, hall", "s"])), (2, fields(&["a", ""]))]);
}

#[test]
fn a_quote_that_is_not_closed_spoils_its_own_line_alone() {
    let text = "a,\"x\nb\n\"c\"d,e\n\"\n";
    assert_eq!(read(text), [(1, Err(NotClosed)), (2, fields(&["b"])), (3, Err(NotClosed)), (4, Err(NotClosed))]);
}
