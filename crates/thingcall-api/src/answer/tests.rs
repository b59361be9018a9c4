//! Both forms of a tree.

use proptest::prelude::*;

use super::*;

fn tree() -> Fields {
    vec![
        ("A", text("<&>\"'\r\n\u{1}é")),
        ("B", Node::Flag(true)),
        ("C", Node::Object(vec![("D", Node::List(vec![Node::Number(-1), Node::Number(2)])), ("E", text(""))])),
    ]
}

#[test]
fn json_keeps_the_order_and_escapes() {
    let expected = r#"{"A":"<&>\"'\r\n\u0001é","B":true,"C":{"D":[-1,2],"E":""}}"#;
    assert_eq!(String::from_utf8(json::document(&tree())).unwrap(), expected);
}

#[test]
fn xml_repeats_the_name_of_a_list_and_escapes() {
    let expected = "<?xml version='1.0' encoding='UTF-8'?><R><A>&lt;&amp;&gt;&quot;&apos;&#13;\n\u{fffd}é</A><B>true</B>\
                    <C><D>-1</D><D>2</D><E></E></C></R>";
    assert_eq!(String::from_utf8(xml::document("R", &tree())).unwrap(), expected);
}

proptest! {
    #[test]
    fn both_forms_say_the_same(value in "\\PC{0,32}") {
        let fields = vec![("A", text(value.clone()))];
        let json: serde_json::Value = serde_json::from_slice(&json::document(&fields)).unwrap();
        prop_assert_eq!(json["A"].as_str(), Some(&*value));
        let xml = String::from_utf8(xml::document("R", &fields)).unwrap();
        let inside = xml.split_once("<A>").unwrap().1.split_once("</A>").unwrap().0;
        prop_assert_eq!(quick_xml::escape::unescape(inside).unwrap(), value);
    }
}
