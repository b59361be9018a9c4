//! Types of a thing model, as forms need them.

use serde_json::json;

use super::{Input, Kind, ROWS, Range, fields, read};

#[test]
fn each_type_is_read_with_its_specs() {
    let range = |min: &str, max: &str| Range { min: min.to_owned(), max: max.to_owned(), unit: String::new() };
    let int = json!({ "type": "int", "specs": { "min": "0", "max": "9" } });
    assert_eq!(read(&int, 0), Kind::Int(range("0", "9")));
    let named = json!({ "type": "enum", "specs": { "10": "ten", "2": "two" } });
    let named_in_order = vec![("2".to_owned(), "two".to_owned()), ("10".to_owned(), "ten".to_owned())];
    assert_eq!(read(&named, 0), Kind::Named(named_in_order));
    assert_eq!(read(&json!({ "type": "text", "specs": { "length": "5" } }), 0), Kind::Text { length: "5".to_owned() });
    assert_eq!(read(&json!({ "type": "unheard" }), 0), Kind::Json("unheard".to_owned()));
    let member = json!({ "identifier": "a", "name": "A", "dataType": int });
    let of = json!({ "type": "array", "specs": { "size": "3", "item": { "type": "struct", "specs": [member] } } });
    let inner = Input { id: "a".to_owned(), name: "A".to_owned(), kind: Kind::Int(range("0", "9")) };
    let array = Kind::Array { size: "3".to_owned(), of: Box::new(Kind::Struct(vec![inner])) };
    assert_eq!(read(&of, 0), array);
    assert_eq!(fields(&[Input { id: "l".to_owned(), name: String::new(), kind: array }]), ROWS);
}

#[test]
fn what_is_too_deep_is_written_as_json() {
    let mut deep = json!({ "type": "int", "specs": {} });
    for _ in 0..50 {
        deep = json!({ "type": "struct", "specs": [{ "identifier": "a", "dataType": deep }] });
    }
    let mut kind = read(&deep, 0);
    let mut depth = 0;
    while let Kind::Struct(mut members) = kind {
        kind = members.remove(0).kind;
        depth += 1;
    }
    assert_eq!((depth, kind), (4, Kind::Json("struct".to_owned())));
}
