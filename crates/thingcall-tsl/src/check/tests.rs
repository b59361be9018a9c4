//! Facts about each data type.

use expect_test::{Expect, expect};
use thingcall_core::Identifier;

mod oracle;

use super::{Writer, fields};
use crate::data_type::Bounds;
use crate::json::Json;
use crate::{DataType, Field};

fn field(id: &str, data_type: DataType) -> Field {
    Field { id: Identifier::try_from(id).unwrap(), name: String::new(), data_type, required: true }
}

/// Checks `{"x": value}` against one field x.
fn check(data_type: &DataType, value: &str, writer: Writer) -> Result<(), String> {
    let text = format!("{{\"x\":{value}}}");
    let Json::Object(members) = Json::read(&text, 32).unwrap() else { panic!("no object") };
    fields(&[field("x", data_type.clone())], &members, writer)
        .map_err(|v| format!("{}: {} {}", v.kind.as_str(), v.path, v.text))
}

fn takes(data_type: &DataType, values: &[&str]) {
    for value in values {
        assert_eq!(check(data_type, value, Writer::Caller), Ok(()), "{value}");
    }
}

fn refuses(data_type: &DataType, values: &[&str], expected: Expect) {
    let refused = |value: &&str| format!("{value} -> {}", check(data_type, value, Writer::Caller).unwrap_err());
    expected.assert_eq(&values.iter().map(refused).collect::<Vec<_>>().join("\n"));
}

#[test]
fn int_is_a_whole_number_of_32_bits() {
    let all = DataType::Int { min: i32::MIN, max: i32::MAX };
    takes(&all, &["0", "-0", "-2147483648", "2147483647"]);
    refuses(
        &all,
        &["2147483648", "9007199254740993", "1.0", "1e2"],
        expect![[r#"
        2147483648 -> range: .x is 2147483648, out of range; the model wants an int from -2147483648 to 2147483647
        9007199254740993 -> range: .x is 9007199254740993, out of range; the model wants an int from -2147483648 to 2147483647
        1.0 -> type: .x is 1.0; write a whole number, without point and exponent: the model wants an int from -2147483648 to 2147483647
        1e2 -> type: .x is 1e2; write a whole number, without point and exponent: the model wants an int from -2147483648 to 2147483647"#]],
    );
    let channel = DataType::Int { min: 0, max: 7 };
    takes(&channel, &["0", "7"]);
    refuses(
        &channel,
        &["8", "-1", "\"5\"", "\"five\"", "null", "true", "[]"],
        expect![[r#"
        8 -> range: .x is 8, out of range; the model wants an int from 0 to 7
        -1 -> range: .x is -1, out of range; the model wants an int from 0 to 7
        "5" -> type: .x is the text "5"; write 5, without quotes: the model wants an int from 0 to 7
        "five" -> type: .x is the text "five"; the model wants an int from 0 to 7
        null -> type: .x is null; the model wants an int from 0 to 7
        true -> type: .x is true; the model wants an int from 0 to 7
        [] -> type: .x is an array; the model wants an int from 0 to 7"#]],
    );
}

#[test]
fn float_and_double_have_a_decimal_point() {
    let bounds = Bounds { min: -40.0, max: 120.5 };
    for data_type in [DataType::Float(bounds), DataType::Double(bounds)] {
        takes(&data_type, &["10.0", "1.0e1", "-40.0", "120.5", "-0.0", "1.0E-400"]);
    }
    refuses(
        &DataType::Float(bounds),
        &["10", "1e1", "120.6", "\"10\"", "\"NaN\""],
        expect![[r#"
        10 -> type: .x is 10, without a decimal point; write 10.0: the model wants a float from -40.0 to 120.5
        1e1 -> type: .x is 1e1, without a decimal point; write 1.0e1: the model wants a float from -40.0 to 120.5
        120.6 -> range: .x is 120.6, out of range; the model wants a float from -40.0 to 120.5
        "10" -> type: .x is the text "10"; write 10.0, without quotes: the model wants a float from -40.0 to 120.5
        "NaN" -> type: .x is the text "NaN"; the model wants a float from -40.0 to 120.5"#]],
    );
    refuses(
        &DataType::Float(Bounds::FLOAT),
        &["3.5e38"],
        expect!["3.5e38 -> range: .x is 3.5e38, out of range; the model wants a float"],
    );
    refuses(
        &DataType::Double(Bounds::DOUBLE),
        &["1.0e999"],
        expect!["1.0e999 -> range: .x is 1.0e999, out of range; the model wants a double"],
    );
    takes(&DataType::Double(Bounds::DOUBLE), &["3.5e38", "1.7976931348623157e308"]);
}

#[test]
fn text_is_counted_in_bytes() {
    let text = DataType::Text { bytes_max: 4 };
    takes(&text, &["\"\"", "\"abcd\"", "\"éé\"", r#""\u00e9\u00e9""#]);
    refuses(
        &text,
        &["\"ééé\"", "5", "null"],
        expect![[r#"
        "ééé" -> length: .x has 6 bytes; the model allows at most 4
        5 -> type: .x is the number 5; write "5", in quotes: the model wants a text of at most 4 bytes
        null -> type: .x is null; the model wants a text of at most 4 bytes"#]],
    );
}

#[test]
fn date_is_a_text_of_milliseconds() {
    takes(&DataType::Date, &["\"0\"", "\"1700000000000\""]);
    let values = ["1700000000000", "\"2026-01-02\"", "\"\"", "\"-5\"", "\"99999999999999999999\""];
    refuses(
        &DataType::Date,
        &values,
        expect![[r#"
        1700000000000 -> type: .x is the number 1700000000000; write "1700000000000": the model wants a date, which is a text of milliseconds since 1970 in UTC
        "2026-01-02" -> type: .x is the text "2026-01-02"; the model wants a date, which is a text of milliseconds since 1970 in UTC, such as "1700000000000"
        "" -> type: .x is the text ""; the model wants a date, which is a text of milliseconds since 1970 in UTC, such as "1700000000000"
        "-5" -> type: .x is the text "-5"; the model wants a date, which is a text of milliseconds since 1970 in UTC, such as "1700000000000"
        "99999999999999999999" -> type: .x is the text "99999999999999999999"; the model wants a date, which is a text of milliseconds since 1970 in UTC, such as "1700000000000""#]],
    );
}

#[test]
fn bool_is_0_or_1() {
    let switch = DataType::Bool { no: "off".into(), yes: "on".into() };
    takes(&switch, &["0", "1"]);
    refuses(
        &switch,
        &["true", "false", "2", "\"1\""],
        expect![[r#"
        true -> type: .x is true; write 1: the model wants a bool, which is 0 (off) or 1 (on)
        false -> type: .x is false; write 0: the model wants a bool, which is 0 (off) or 1 (on)
        2 -> range: .x is 2; the model wants a bool, which is 0 (off) or 1 (on)
        "1" -> type: .x is the text "1"; write 1, without quotes: the model wants a bool, which is 0 (off) or 1 (on)"#]],
    );
}

#[test]
fn enum_is_one_of_its_keys() {
    let scene = DataType::Enum(vec![(0, "day".into()), (1, "night\n".into()), (-5, String::new())]);
    takes(&scene, &["0", "1", "-5"]);
    refuses(
        &scene,
        &["2", "\"day\"", "\"1\"", "1.0"],
        expect![[r#"
        2 -> range: .x is 2; the model wants an enum, which is one of 0 (day), 1 (night\n), -5
        "day" -> type: .x is the text "day"; write 0: the model wants an enum, which is one of 0 (day), 1 (night\n), -5
        "1" -> type: .x is the text "1"; write 1, without quotes: the model wants an enum, which is one of 0 (day), 1 (night\n), -5
        1.0 -> type: .x is 1.0; write a whole number, without point and exponent: the model wants an enum, which is one of 0 (day), 1 (night\n), -5"#]],
    );
}

#[test]
fn array_has_at_most_its_size() {
    let array = DataType::Array { items_max: 2, item: Box::new(DataType::Int { min: 0, max: 9 }) };
    takes(&array, &["[]", "[1]", "[1,2]"]);
    refuses(
        &array,
        &["[1,2,3]", "[1,10]", "{}"],
        expect![[r#"
        [1,2,3] -> length: .x has 3 items; the model allows at most 2
        [1,10] -> range: .x[1] is 10, out of range; the model wants an int from 0 to 9
        {} -> type: .x is an object; the model wants an array of at most 2 items, each an int from 0 to 9"#]],
    );
}

#[test]
fn what_the_model_does_not_say_is_not_checked() {
    let array = DataType::Array { items_max: 2, item: Box::new(DataType::Any) };
    takes(&array, &["[]", r#"[1,"a"]"#, r#"[{"a":[]},null]"#]);
    takes(&DataType::Struct(Vec::new()), &["{}", r#"{"a":1,"b":{}}"#]);
    refuses(
        &DataType::Struct(Vec::new()),
        &["[]", "1"],
        expect![[r#"
        [] -> type: .x is an array; the model wants a struct, which is an object
        1 -> type: .x is the number 1; the model wants a struct, which is an object"#]],
    );
}

#[test]
fn struct_has_its_members_and_no_others() {
    let window = vec![
        field("from", DataType::Int { min: 0, max: 9 }),
        Field { required: false, ..field("to", DataType::Int { min: 0, max: 9 }) },
    ];
    let window = DataType::Struct(window);
    takes(&window, &[r#"{"from":1,"to":2}"#, r#"{"to":2,"from":1}"#, r#"{"from":1}"#]);
    let values = [r#"{"to":2}"#, r#"{"form":1}"#, r#"{"from":1,"a b":1}"#, "[1,2]", "null"];
    refuses(
        &window,
        &values,
        expect![[r#"
        {"to":2} -> missing: .x.from is missing; give it as an int from 0 to 9, or mark it "required": false in the thing model
        {"form":1} -> unknown: .x.form is not in the thing model; did you mean from? It has from, to
        {"from":1,"a b":1} -> unknown: .x["a b"] is not in the thing model, which has from, to
        [1,2] -> type: .x is an array; the model wants a struct of from, to
        null -> type: .x is null; the model wants a struct of from, to"#]],
    );
    let rows = DataType::Array { items_max: 2, item: Box::new(window) };
    refuses(
        &rows,
        &[r#"[{"from":1},{"from":10}]"#],
        expect![[
            r#"[{"from":1},{"from":10}] -> range: .x[1].from is 10, out of range; the model wants an int from 0 to 9"#
        ]],
    );
}

#[test]
fn device_may_write_as_javascript_does() {
    let bounds = Bounds { min: 0.0, max: 5.0 };
    for (data_type, value) in [
        (DataType::Float(bounds), "1"),
        (DataType::Double(bounds), "1e0"),
        (DataType::Bool { no: String::new(), yes: String::new() }, "true"),
    ] {
        assert_eq!(check(&data_type, value, Writer::Device), Ok(()), "{value}");
        assert!(check(&data_type, value, Writer::Caller).is_err(), "{value}");
    }
    assert!(check(&DataType::Float(bounds), "6", Writer::Device).is_err());
}
