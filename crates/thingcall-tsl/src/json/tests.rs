//! Facts about the JSON reader.

use expect_test::{Expect, expect};
use proptest::prelude::*;

use super::{FaultKind, Json};

fn faults(texts: &[&str], expected: Expect) {
    let fault = |text: &&str| {
        let fault = Json::read(text, 4).unwrap_err();
        let at = format!(" at {}", fault.place(text));
        format!("{text:?}\n  ${} {}; {}", fault.path, fault.wrong(text, &at), fault.right(text))
    };
    expected.assert_eq(&texts.iter().map(fault).collect::<Vec<_>>().join("\n"));
}

#[test]
fn numbers_keep_their_text() {
    for number in ["0", "-0", "10.0", "1.0e1", "1E+9", "9007199254740993", "0.1000000000000000055"] {
        assert_eq!(Json::read(number, 1), Ok(Json::Number(number)));
    }
}

#[test]
fn numbers_that_are_not_json_are_refused() {
    for text in ["007", "+1", ".5", "1.", "-", "1e", "0x10", "NaN", "Infinity", "1_000", "--1", "1.e5"] {
        assert!(Json::read(text, 1).is_err(), "{text}");
    }
}

#[test]
fn escapes_are_decoded() {
    let json = Json::read(r#""a\"\\\/\b\f\n\r\t\u00e9\ud83d\ude00 ü""#, 1).unwrap();
    assert_eq!(json, Json::Text("a\"\\/\u{8}\u{c}\n\r\té😀 ü".into()));
}

#[test]
fn key_that_stands_twice_is_found() {
    let large: Vec<String> = (0..40).map(|i| format!("\"k{}\":0", if i == 39 { 7 } else { i })).collect();
    let large = format!("{{{}}}", large.join(","));
    let twice = Json::read(&large, 4).unwrap_err();
    assert_eq!(twice.kind, FaultKind::Twice { key: "k7".to_owned() });
    // Keys are compared decoded.
    faults(
        &[r#"{"a":1,"a":1}"#, r#"{"a":{"b":1,"\u0062":2}}"#],
        expect![[r#"
        "{\"a\":1,\"a\":1}"
          $ has the key "a" twice; write each key once
        "{\"a\":{\"b\":1,\"\\u0062\":2}}"
          $.a has the key "b" twice; write each key once"#]],
    );
}

#[test]
fn faults_of_grammar_say_where_and_what_is_right() {
    let texts = [
        "",
        " \n",
        "{a:1}",
        "{\"a\":1,}",
        "{\"a\":True}",
        "{\"a\" 1}",
        "{\n \"a\": [1 2]}",
        "{\"a\":[1,",
        "{\"a\":\"x",
        "007",
        "{} {}",
    ];
    faults(
        &texts,
        expect![[r#"
            ""
              $ is empty; write {} for nothing
            " \n"
              $ is empty; write {} for nothing
            "{a:1}"
              $ is not JSON at line 1, column 2: "a:1}" cannot stand there; write a key in double quotes there
            "{\"a\":1,}"
              $ is not JSON at line 1, column 8: a comma stands before "}" (a trailing comma); take the comma before it out
            "{\"a\":True}"
              $.a is not JSON at line 1, column 6: "True}" cannot stand there; write a value there
            "{\"a\" 1}"
              $ is not JSON at line 1, column 6: "1}" cannot stand there; write a colon there
            "{\n \"a\": [1 2]}"
              $.a is not JSON at line 2, column 10: "2]}" cannot stand there; write a comma or ] there
            "{\"a\":[1,"
              $.a[1] is not JSON at line 1, column 9: it ends too early; write a value there
            "{\"a\":\"x"
              $.a is not JSON at line 1, column 8: it ends too early; write a closing quote there
            "007"
              $ is not JSON at line 1, column 2: "07" cannot stand there; write a number that does not begin with 0 there
            "{} {}"
              $ goes on after its end at line 1, column 4: "{}"; write one value and nothing after it"#]],
    );
}

#[test]
fn single_quotes_are_shown_as_double_quotes() {
    faults(
        &["{'a':1}", "{\"a\":'it's'}", "{'a':\n1}"],
        expect![[r#"
        "{'a':1}"
          $ is not JSON at line 1, column 2: it has single quotes; write double quotes: {"a":1}
        "{\"a\":'it's'}"
          $.a is not JSON at line 1, column 6: it has single quotes; write double quotes: {"name": "text"}
        "{'a':\n1}"
          $ is not JSON at line 1, column 2: it has single quotes; write double quotes: {"name": "text"}"#]],
    );
}

#[test]
fn faults_of_texts_say_what_is_right() {
    let texts = [r#"["\x"]"#, r#"["\u+123"]"#, r#"["\ud800 "]"#, r#"["\udc00\ud800"]"#, "[\"a\nb\"]"];
    faults(
        &texts,
        expect![[r#"
        "[\"\\x\"]"
          $[0] is not JSON at line 1, column 3: "\\x\"]" begins with no known escape; write \" \\ \/ \b \f \n \r \t or \u and four hexadecimal digits
        "[\"\\u+123\"]"
          $[0] is not JSON at line 1, column 3: "\\u+123\"]" begins with no known escape; write \" \\ \/ \b \f \n \r \t or \u and four hexadecimal digits
        "[\"\\ud800 \"]"
          $[0] is not JSON at line 1, column 3: the escape is half a character; write both halves, such as \ud83d\ude00
        "[\"\\udc00\\ud800\"]"
          $[0] is not JSON at line 1, column 3: the escape is half a character; write both halves, such as \ud83d\ude00
        "[\"a\nb\"]"
          $[0] is not JSON at line 1, column 4: a text has a bare control character; write it escaped, such as \n"#]],
    );
}

#[test]
fn no_depth_uses_up_the_stack() {
    faults(
        &["[[[[[1]]]]]"],
        expect![[r#"
        "[[[[[1]]]]]"
          $ nests deeper than 4 levels at line 1, column 5; write at most 4 levels"#]],
    );
    for open in ["[", "{\"a\":"] {
        assert!(Json::read(&open.repeat(1_000_000), 32).is_err());
    }
}

fn same(ours: &Json<'_>, general: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (ours, general) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(a), Value::Bool(b)) => a == b,
        // The general reader writes an exponent its own way.
        (Json::Number(a), Value::Number(b)) => a.parse::<f64>().ok() == b.to_string().parse().ok(),
        (Json::Text(a), Value::String(b)) => a == b,
        (Json::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Json::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(key, value)| b.get(&**key).is_some_and(|b| same(value, b)))
        }
        _ => false,
    }
}

/// Texts that are nearly JSON.
fn nearly_json() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\"a\"",
        "\"b\":",
        "1",
        "-",
        "0",
        ".5",
        "e9",
        "true",
        "null",
        " ",
        "\n",
        "\\u00",
        "\\ud83d",
        "\\ude00",
        "\\n",
        "'",
        "é",
        "\u{1}",
        "{\"k\":1}",
        "[1.0,2]",
    ]);
    prop::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #[test]
    fn it_agrees_with_the_general_reader(text in prop_oneof![nearly_json(), "\\PC{0,12}"]) {
        let general = serde_json::from_str::<serde_json::Value>(&text);
        match (Json::read(&text, 64), general) {
            (Ok(ours), Ok(general)) => prop_assert!(same(&ours, &general), "{text}"),
            (Ok(_), Err(_)) => prop_assert!(false, "takes {text}"),
            (Err(_), Err(_)) => {}
            (Err(fault), Ok(_)) => {
                let twice = matches!(fault.kind, FaultKind::Twice { .. });
                prop_assert!(twice, "refuses {text}: {fault:?}");
            }
        }
    }

    #[test]
    fn every_fault_can_be_put_in_words(text in prop_oneof![nearly_json(), ".{0,40}"]) {
        if let Err(fault) = Json::read(&text, 3) {
            let words = [fault.place(&text), fault.wrong(&text, " here"), fault.right(&text)];
            prop_assert!(words.iter().all(|words| !words.is_empty() && !words.contains('\n')), "{words:?}");
        }
    }
}
