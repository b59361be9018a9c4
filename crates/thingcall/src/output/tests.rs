//! How tables, lines and times look.

use thingcall_core::UnixMillis;

use super::room::{columns_of, folded, prose, shortened, width};
use super::{Table, day, moment, second};

fn table(heading: &[&str], rows: &[&[&str]]) -> Table {
    let mut table = Table::new(heading);
    rows.iter().for_each(|row| table.row(row.iter().map(|&cell| cell.to_owned()).collect()));
    table
}

#[test]
fn columns_are_as_wide_as_their_widest_cell() {
    let mut table = table(&["product", "n"], &[&["p", "12"], &["größer als", ""]]);
    assert_eq!(table.render(80), "product     n\np           12\ngrößer als");
}

#[test]
fn chinese_takes_two_columns() {
    let mut table = table(&["device", "nickname", "state"], &[&["d1", "客厅灯", "on"], &["d2", "lamp", "off"]]);
    assert_eq!(table.render(80), "device  nickname  state\nd1      客厅灯    on\nd2      lamp      off");
    assert_eq!(shortened("客厅的灯", 6), "客...");
    assert_eq!(width(&shortened("客厅的灯", 6)), 5, "half a character is none");
}

#[test]
fn table_fits_its_room_and_its_first_column_gives_last() {
    let long = "x".repeat(70);
    let row: &[&str] = &["a1BwAGVxxxx/lamp-in-the-hall", &long, "ONLINE", "2026-01-02T03:04:05Z", &long];
    let long_table = || table(&["DEVICE", "IOTID", "STATE", "LAST SEEN", "NICKNAME"], &[row, row]);

    for room in [40, 60, 80, 132] {
        let text = long_table().render(room);
        assert!(text.lines().all(|line| width(line) <= room), "{room}\n{text}");
        assert_eq!(text.contains(row[0]), room >= 60, "{room}\n{text}");
    }
    assert_eq!(long_table().render(250).matches(&long).count(), 4);
    // What is narrow stays whole while wider ones can give.
    assert!(long_table().render(80).contains("ONLINE  20"));
}

#[test]
fn table_is_as_wide_as_its_content_where_there_is_room_without_end() {
    let long = "x".repeat(500);
    assert_eq!(table(&["a", "b"], &[&[&long, "1"]]).render(usize::MAX), format!("a{}b\n{long}  1", " ".repeat(501)));
}

#[test]
fn table_goes_on_where_it_was_printed() {
    let mut table = table(&["device", "state"], &[&["d1", "on"]]);
    assert_eq!(table.render(80), "device  state\nd1      on");
    table.row(vec!["d2".to_owned(), "off".to_owned()]);
    assert_eq!(table.render(80), "d2      off");
    table.row(vec!["d2-in-the-hall".to_owned(), "on".to_owned()]);
    assert_eq!(table.render(80), "d2-in-the-hall  on");
}

#[test]
fn cell_is_one_line_whatever_it_holds() {
    let mut table = table(&["name"], &[&["a\n\u{1b}[2Jb"]]);
    assert_eq!(table.render(80), "name\na\\n\\u{1b}[2Jb");
}

#[test]
fn lines_are_folded_between_words_and_words_stay_whole() {
    assert_eq!(folded(["aa", "bb", "cc"], "  ", 8, 2), "aa  bb\n  cc");
    assert_eq!(folded(["aaa", &"b".repeat(30)], " ", 20, 2), format!("aaa\n  {}", "b".repeat(30)));
    assert_eq!(prose("  one two three\nfour", 11), "  one two\n      three\nfour");
    assert_eq!(prose("  one   two", 20), "  one   two");
}

#[test]
fn room_is_what_is_set_else_the_terminals() {
    assert_eq!(columns_of(Some("132"), || Some(100)), Some(132));
    assert_eq!(columns_of(Some("wide"), || Some(100)), Some(100));
    assert_eq!(columns_of(None, || None), None);
}

#[test]
fn moments_are_utc_with_milliseconds() {
    assert_eq!(moment(UnixMillis(1_767_323_045_007)), "2026-01-02T03:04:05.007Z");
    assert_eq!(second(UnixMillis(1_767_323_045_907)), "2026-01-02T03:04:05Z");
    assert_eq!(day(UnixMillis(1_767_323_045_907)), "2026-01-02");
}
