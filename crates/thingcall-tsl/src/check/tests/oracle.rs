//! A second judge, slow and plain, over the general reader's values.

use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};

use crate::check::{self, Writer};
use crate::json::Json;
use crate::limits::ARGS_DEPTH_MAX;
use crate::{ArgsCheck, DataType, Field};

/// Whether a caller may write this value.
fn fits(data_type: &DataType, value: &Value) -> bool {
    let number = if value.is_number() { value.to_string() } else { String::new() };
    let whole = number.parse::<i128>().ok();
    match data_type {
        DataType::Int { min, max } => whole.is_some_and(|n| i128::from(*min) <= n && n <= i128::from(*max)),
        DataType::Float(bounds) | DataType::Double(bounds) => {
            number.contains('.') && number.parse::<f64>().is_ok_and(|n| n >= bounds.min && n <= bounds.max)
        }
        DataType::Text { bytes_max } => value.as_str().is_some_and(|text| text.len() <= *bytes_max),
        DataType::Date => value.as_str().is_some_and(|text| text.parse::<u64>().is_ok_and(|n| n <= i64::MAX as u64)),
        DataType::Bool { .. } => [Some(0), Some(1)].contains(&whole),
        DataType::Enum(keys) => keys.iter().any(|(key, _)| Some(i128::from(*key)) == whole),
        DataType::Array { items_max, item } => value
            .as_array()
            .is_some_and(|items| items.len() <= *items_max && items.iter().all(|value| fits(item, value))),
        DataType::Any => true,
        DataType::Struct(fields) if fields.is_empty() => value.is_object(),
        DataType::Struct(fields) => all_fit(fields, value),
    }
}

/// Whether these are the fields, all of them and no others.
fn all_fit(fields: &[Field], value: &Value) -> bool {
    let Some(members) = value.as_object() else { return false };
    let known = |name: &String| fields.iter().any(|field| field.id.as_str() == name);
    let fits = |field: &Field| match members.get(field.id.as_str()) {
        Some(value) => fits(&field.data_type, value),
        None => !field.required,
    };
    members.keys().all(known) && fields.iter().all(fits)
}

/// Changes the value at a place that `at` picks: to another, or its members or items.
fn change(value: &mut Value, at: &[Index], to: &Value) {
    let Some((pick, deeper)) = at.split_first() else {
        *value = to.clone();
        return;
    };
    match value {
        Value::Object(members) if !members.is_empty() => {
            let key = members.keys().nth(pick.index(members.len())).cloned().unwrap();
            match (deeper, to) {
                ([], Value::Null) => drop(members.remove(&key)),
                ([], Value::Bool(_)) => drop(members.insert("x9".to_owned(), to.clone())),
                _ => change(members.get_mut(&key).unwrap(), deeper, to),
            }
        }
        Value::Array(items) if !items.is_empty() => {
            let index = pick.index(items.len());
            change(&mut items[index], deeper, to);
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) | Value::Object(_) => {
            *value = to.clone();
        }
    }
}

fn literal() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!(0),
        json!(1),
        json!(-7),
        json!(3),
        json!(2),
        json!(1.0),
        json!(0.5),
        json!(-1e300),
        json!(4294967296u64),
        json!(9007199254740993u64),
        json!(""),
        json!("0"),
        json!("text"),
        json!("a text of many bytes"),
        json!(null),
        json!(true),
        json!([]),
        json!([1]),
        json!([1.5, 2.5]),
        json!({}),
        json!({"x0": 1}),
        json!("12345678901234567890"),
    ])
}

proptest! {
    #[test]
    fn a_slow_judge_agrees(
        model in crate::sample::tests::model(),
        changes in prop::collection::vec((prop::collection::vec(any::<Index>(), 1..5), literal()), 0..3),
    ) {
        let service = crate::sample::tests::only(&model);
        let mut args: Value = serde_json::from_str(&service.sample_args()).unwrap();
        for (at, to) in &changes {
            change(&mut args, at, to);
        }
        let args = args.to_string();
        let again: Value = serde_json::from_str(&args).unwrap();
        let taken = service.check_args(&args, ArgsCheck::Strict).map(drop);
        prop_assert_eq!(taken.is_ok(), all_fit(service.inputs(), &again), "{}: {:?}", args, taken);

        // What is judged without a tree is judged as with one, also where the text is none.
        let members = args.trim_start_matches('{').trim_end_matches('}');
        let twice = format!("{{{members},{members}}}");
        let texts = [args.replacen('}', ",}", 1), args.replacen(':', "::", 1), format!(" {args} "), format!("{args}x"), twice];
        for text in texts.iter().chain([&args]) {
            let tree = crate::service::object(text, "Args", Json::read);
            let fit = tree.is_ok_and(|members| check::fields(service.inputs(), &members, Writer::Caller).is_ok());
            prop_assert_eq!(check::fits(service.inputs(), text, ARGS_DEPTH_MAX, Writer::Caller), fit, "{}", text);
        }
    }
}
