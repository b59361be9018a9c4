//! What is shown around a place.

use crate::json_text::Place;

use super::excerpt;

#[test]
fn the_line_is_marked_between_its_neighbours_with_its_column_below() {
    let file = "one\ntwo\nthree\nfour\nfive\nsix";
    let shown = excerpt(file, Place { line: 4, column: 2 }).into_string();
    let text = "2  two\n3  three\n<mark>4  four</mark>\n    ^\n5  five\n6  six\n";
    assert_eq!(shown, format!("<pre class=\"excerpt\" tabindex=\"0\">{text}</pre>"));
}

#[test]
fn of_a_long_line_the_part_with_the_column_is_shown() {
    let file = format!("{}!{}", "a".repeat(500), "b".repeat(500));
    let shown = excerpt(&file, Place { line: 1, column: 501 }).into_string();
    assert!(shown.contains('!') && shown.len() < 400, "{shown}");
    let line = shown.split("<mark>1  ").nth(1).expect("the line");
    let caret = shown.split("</mark>\n").nth(1).expect("the caret").find('^').expect("it is there");
    assert_eq!(line.find('!'), Some(caret - 3));
}

#[test]
fn a_place_beyond_the_text_shows_no_line() {
    assert!(!excerpt("one", Place { line: 9, column: 9 }).into_string().contains("one"));
}
