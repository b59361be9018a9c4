//! How a text is written out, and where paths lead in it.

use super::{Place, find, over_lines};

#[test]
fn a_text_on_one_line_is_written_over_several_and_its_values_stay() {
    let text = r#"{"a":[1.0,{"b":"x, {y}: \"z\""}],"c":{},"d":[ ],"e":1e3}"#;
    let out = over_lines(text);
    assert_eq!(
        out,
        "{\n  \"a\": [\n    1.0,\n    {\n      \"b\": \"x, {y}: \\\"z\\\"\"\n    }\n  ],\n  \"c\": {},\n  \"d\": [],\n  \"e\": 1e3\n}"
    );
    assert_eq!(over_lines(&out), out);
    for other in ["", "no JSON", "{\"a\":1", "{\n\"a\":1}"] {
        assert_eq!(over_lines(other), other, "{other}");
    }
}

#[test]
fn a_path_leads_to_its_value_or_as_far_as_it_can() {
    let text =
        "{\n  \"s\": [\n    {\"x\": 1},\n    {\"ü\": \"a\\\"]\", \"name\": {\"min\": 7}}\n  ],\n  \"odd key\": null\n}";
    for (words, line, column) in [
        ("$", 1, 1),
        ("$.s", 2, 8),
        ("$.s[0]", 3, 5),
        ("$.s[1].name.min", 4, 35),
        ("$.s[1][\"ü\"]", 4, 11),
        ("$[\"odd key\"]", 6, 14),
        ("$.s[2]", 2, 8),
        ("$.s[1].gone", 4, 5),
        ("$.s[0].x.deeper", 3, 11),
        ("line 5, column 4", 5, 4),
    ] {
        assert_eq!(find(text, words), Some(Place { line, column }), "{words}");
    }
    assert_eq!(find(text, "somewhere"), None);
}

#[test]
fn no_text_and_no_path_makes_it_fall() {
    for text in ["", "{", "{\"a\":", "[[[", "\"\\", "{\"a\" 1}", "é"] {
        for words in ["$", "$.a", "$[0][0]", "$[\"", "$[x]", "$.", "line 1", "line a, column b"] {
            let _ = find(text, words);
        }
    }
}
