//! What is found is what serde_json finds.

use proptest::prelude::*;

use super::super::{Members, parsed};
use super::*;

fn of<'a>(members: &Members<'a>) -> [Option<&'a str>; 6] {
    let Members { id, code, data, message, method, params } = *members;
    [id, code, data, message, method, params]
}

/// Says whether it was read here.
fn same(payload: &[u8]) -> bool {
    let Some(found) = members(payload) else { return false };
    let parsed = parsed(payload).unwrap_or_else(|e| panic!("{:?}: {e:?}", String::from_utf8_lossy(payload)));
    assert_eq!(of(&found), of(&parsed), "{:?}", String::from_utf8_lossy(payload));
    true
}

#[test]
fn what_devices_write_is_read_here() {
    for payload in [
        r#"{"id":"7","code":200,"data":{"a":[1,{"b":"c\n\"}"}],"d":{}},"message":"success"}"#,
        "{ \"code\" : 200 ,\r\n\t\"id\": 7, \"data\": { \"a\" : [ ] , \"b\" : [ 1 , 2 ] } , \"version\" : \"1.0\" } \n",
        r#"{"id":"7","version":"1.0","params":{},"method":"thing.service.property.set"}"#,
        r#"{"id":"7","code":200.0,"data":"{\"a\":1}","localizedMsg":null}"#,
        r#"{"id":"7","code":-1e2,"data":[true,false,null,-0.5E+3,"",[[]]]}"#,
        r#"{"id":"7","code":200,"data":{"a":"温度"}}"#,
        "{}",
        " {} ",
    ] {
        assert!(same(payload.as_bytes()), "{payload}");
    }
}

#[test]
fn what_is_no_json_is_not() {
    for payload in [
        "",
        "{",
        "[]",
        "null",
        "{}x",
        "{,}",
        r#"{"id"}"#,
        r#"{"id":}"#,
        r#"{"id":"7",}"#,
        r#"{"id":"7"}}"#,
        r#"{"id":07}"#,
        r#"{"id":1.}"#,
        r#"{"id":.5}"#,
        r#"{"id":+5}"#,
        r#"{"id":1e}"#,
        r#"{"id":-}"#,
        r#"{"id":"\x"}"#,
        r#"{"id":tru}"#,
        r#"{"data":{"a":1,}}"#,
        r#"{"data":{"a" 1}}"#,
        r#"{"data":{"a":1]}"#,
        r#"{"data":[1,]}"#,
        r#"{"data":[1}}"#,
        r#"{"data":{1:2}}"#,
        r#"{"data":[1 2]}"#,
        r#"{"data":{]}"#,
        r#"{"data":[}]}"#,
        "{\"id\":\"\u{1}\"}",
        r#"{'id':7}"#,
    ] {
        assert!(members(payload.as_bytes()).is_none() && parsed(payload.as_bytes()).is_err(), "{payload}");
    }
}

#[test]
fn what_is_rare_is_left_to_serde_json() {
    let deep = format!(r#"{{"data":{}{}}}"#, "[".repeat(65), "]".repeat(65));
    for payload in [r#"{"i\u0064":"7"}"#, r#"{"id":"7","id":"8"}"#, r#"{"id":null}"#, r#"{"data":null}"#, &deep] {
        assert!(!same(payload.as_bytes()), "{payload}");
    }
    let deepest = format!(r#"{{"data":{}{}}}"#, "[".repeat(64), "]".repeat(64));
    assert!(same(deepest.as_bytes()));
}

proptest! {
    #[test]
    fn nothing_is_read_otherwise(payload in r#"\{("(id|code|data|method|x)" ?: ?[-0-9.eE{}\[\]",: a\\nu]{0,12},? ?){0,4}\}?"#) {
        same(payload.as_bytes());
    }

    #[test]
    fn nothing_makes_it_panic(payload in proptest::collection::vec(any::<u8>(), 0..64)) {
        same(&payload);
    }
}
