//! How tables and times look.

use thingcall_core::UnixMillis;

use super::{Table, moment};

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let mut table = Table::new(&["product", "n"]);
    table.row(vec!["p".to_owned(), "12".to_owned()]);
    table.row(vec!["größer als".to_owned(), String::new()]);
    assert_eq!(table.render(), "product     n\np           12\ngrößer als");
}

#[test]
fn moments_are_utc_with_milliseconds() {
    assert_eq!(moment(UnixMillis(1_767_323_045_007)), "2026-01-02T03:04:05.007Z");
}
