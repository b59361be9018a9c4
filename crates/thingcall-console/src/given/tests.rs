//! What a form gave, as a request has it.

use thingcall_core::{ParamKind, ParamSheet, both};

use super::{Given, Value, flat};

const WHOLE: ParamKind = ParamKind::Whole { min: 0, max: 9 };
const BIT: ParamKind = ParamKind::Choice(&[("0", both("no", "否")), ("1", both("yes", "是"))]);

fn one(kind: ParamKind, text: &str) -> Value {
    Given::one(&ParamSheet::optional("X", kind, both("x", "x"), ""), text).value
}

#[test]
fn what_is_no_number_stays_a_text_also_where_one_is_right() {
    assert_eq!(one(WHOLE, "5"), Value::Number("5".to_owned()));
    assert_eq!(one(BIT, "1"), Value::Number("1".to_owned()));
    assert_eq!(one(WHOLE, "5; drop"), Value::Text("5; drop".to_owned()));
    assert_eq!(one(ParamKind::Flag, "true"), Value::Flag(true));
    assert_eq!(one(ParamKind::Flag, "True"), Value::Text("True".to_owned()));
}

#[test]
fn lists_are_numbered_from_one() {
    let all = [
        Given { name: "A", value: Value::Texts(vec!["x".to_owned(), "y".to_owned()]) },
        Given { name: "B", value: Value::Structures(vec![vec![("Key", "k".to_owned()), ("Value", "v".to_owned())]]) },
        Given { name: "C", value: Value::Flag(false) },
    ];
    let told = flat(&all);
    let told: Vec<_> = told.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(told, [("A.1", "x"), ("A.2", "y"), ("B.1.Key", "k"), ("B.1.Value", "v"), ("C", "false")]);
}
