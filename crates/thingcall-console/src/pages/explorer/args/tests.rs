//! Values that were typed, as a call has them.

use std::collections::BTreeMap;

use super::super::model::{Input, Kind, Range};
use super::{decimal, moment, object, plain};

fn input(id: &str, kind: Kind) -> Input {
    Input { id: id.to_owned(), name: String::new(), kind }
}

fn int() -> Kind {
    Kind::Int(Range::default())
}

fn point() -> Kind {
    Kind::Decimal(Range::default())
}

fn made(inputs: &[Input], fields: &[(&str, &str)]) -> String {
    let fields: BTreeMap<_, _> = fields.iter().copied().collect();
    object(inputs, "in", &|name| fields.get(name).copied().unwrap_or_default())
}

#[test]
fn a_decimal_is_written_with_its_point_however_it_was_typed() {
    for (typed, right) in [
        ("1", "1.0"),
        ("-1", "-1.0"),
        ("+10", "10.0"),
        ("1.50", "1.50"),
        (".5", "0.5"),
        ("5.", "5.0"),
        ("007.25", "7.25"),
        ("0", "0.0"),
        ("1e3", "1000.0"),
        ("25e-1", "2.5"),
        (" 3 ", "3.0"),
        ("123456789012345678901234567890", "123456789012345678901234567890.0"),
    ] {
        assert_eq!(decimal(typed).as_deref(), Some(right), "{typed}");
    }
    for none in ["", ".", "-", "1.2.3", "NaN", "inf", "1,5", "0x1", "1e999"] {
        assert_eq!(decimal(none), None, "{none}");
    }
}

#[test]
fn what_is_not_of_its_kind_is_sent_as_the_text_it_is() {
    assert_eq!(plain(&int(), "007"), "7");
    assert_eq!(plain(&int(), "9223372036854775808"), "9223372036854775808");
    assert_eq!(plain(&int(), "1.5"), "\"1.5\"");
    assert_eq!(plain(&point(), "warm"), "\"warm\"");
    assert_eq!(plain(&Kind::Text { length: String::new() }, " a\"b\\\n"), r#"" a\"b\\\n""#);
    assert_eq!(plain(&Kind::Json(String::new()), "{\"a\": 10.0}"), "{\"a\": 10.0}");
    assert_eq!(plain(&Kind::Json(String::new()), "{\"a\""), r#""{\"a\"""#);
}

#[test]
fn a_date_is_its_milliseconds_as_a_text() {
    assert_eq!(moment("1970-01-01T00:00").as_deref(), Some("0"));
    assert_eq!(moment("2026-01-02T03:04:05.678").as_deref(), Some("1767323045678"));
    assert_eq!(moment("2024-02-29T12:00:00.5").as_deref(), Some("1709208000500"));
    assert_eq!(moment("2026-13-01T00:00"), None);
    assert_eq!(plain(&Kind::Date, "1767323045678"), "\"1767323045678\"");
}

#[test]
fn structures_and_lists_are_made_of_what_was_filled_in() {
    let point_of = Kind::Struct(vec![input("x", point()), input("y", int())]);
    let inputs = [
        input("level", int()),
        input("at", point_of.clone()),
        input("steps", Kind::Array { size: "8".to_owned(), of: Box::new(point()) }),
        input("path", Kind::Array { size: "8".to_owned(), of: Box::new(point_of) }),
    ];
    assert_eq!(made(&inputs, &[]), "{}");
    let fields = [
        ("in.level", "3"),
        ("in.at.x", "1"),
        ("in.steps", "1\r\n2.5\r\n\r\n"),
        ("in.path.0.x", "1"),
        ("in.path.1.y", "2"),
    ];
    let right = r#"{"level":3,"at":{"x":1.0},"steps":[1.0,2.5],"path":[{"x":1.0},{"y":2}]}"#;
    assert_eq!(made(&inputs, &fields), right);
    let json = [("in.steps", "1"), ("in.steps.json", " [7.0, 8.0] ")];
    assert_eq!(made(&inputs, &json), r#"{"steps":[7.0, 8.0]}"#);
}
