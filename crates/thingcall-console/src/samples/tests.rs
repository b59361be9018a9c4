//! Values are themselves in the code of each language, whatever is in them.

use super::literal::{c, csharp, go, java, javascript, percent, php, python};
use super::{Ask, DeviceSide, all, of_device};
use crate::given::{Given, Value};

const NASTY: &str = "a\"b'c\\d\n$HOME`x`${y}?>??/%中\u{1F600}\u{202e}\u{2028}\u{7}";

#[test]
fn each_language_writes_a_text_in_its_own_way() {
    assert_eq!(python(NASTY), "\"a\\\"b'c\\\\d\\n$HOME`x`${y}?>??/%中\u{1F600}\\u202e\\u2028\\u0007\"");
    assert_eq!(python("\u{e0001}"), "\"\u{e0001}\"");
    assert_eq!(javascript("\u{2028}\u{1F600}"), "\"\\u2028\u{1F600}\"");
    assert_eq!(csharp("\u{85}"), "\"\\u0085\"");
    assert_eq!(java("\n\u{7}\\u000a\u{2028}"), "\"\\n\\007\\\\u000a\\u2028\"");
    assert_eq!(go("\u{feff}$\t"), "\"\\ufeff$\\t\"");
    assert_eq!(c("??/\u{7}8\u{2028}"), "\"\\?\\?/\\0078\\342\\200\\250\"");
    assert_eq!(php("$a 'b' \\'\n"), "'$a \\'b\\' \\\\\\'\n'");
    assert_eq!(percent("a b*~中'$`\"\n"), "a%20b%2A~%E4%B8%AD%27%24%60%22%0A");
}

fn given() -> Vec<Given> {
    vec![
        Given { name: "Args", value: Value::Text(NASTY.to_owned()) },
        Given { name: "DeviceName", value: Value::Texts(vec!["one".to_owned(), "two".to_owned()]) },
        Given { name: "Qos", value: Value::Number("1".to_owned()) },
        Given { name: "Fuzzy", value: Value::Flag(true) },
    ]
}

#[test]
fn no_sample_holds_a_key_and_each_takes_it_from_the_environment() {
    let params = given();
    for action in ["InvokeThingsService", "CreateFleetCall", "AsyncRRpc"] {
        let samples = all(&Ask { endpoint: "127.0.0.1:8080", action, params: &params });
        assert_eq!(samples.len(), 10);
        for sample in samples {
            let (id, code) = (sample.id, sample.code);
            for needed in ["ALIBABA_CLOUD_ACCESS_KEY_ID", "ALIBABA_CLOUD_ACCESS_KEY_SECRET", "12", action] {
                assert!(code.contains(needed), "{id} lacks {needed}: {code}");
            }
            assert!(code.contains("127.0.0.1") && code.contains("8080"), "{id}: {code}");
            // No line of a value begins a line of code, and nothing turns the direction of writing.
            assert!(!code.contains('\u{202e}') || id == "php", "{id}: {code}");
            assert!(code.ends_with('\n'), "{id}");
        }
    }
}

#[test]
fn the_shell_reads_nothing_but_its_own_words() {
    let params = given();
    let samples = all(&Ask { endpoint: "h';rm:1", action: "Pub", params: &params });
    let curl = samples.iter().find(|sample| sample.id == "curl").expect("it is there");
    let query = curl.code.split_once("query=\"").and_then(|(_, rest)| rest.split_once("\"\n")).expect("a query").0;
    let words: Vec<_> = query.match_indices('$').map(|(at, _)| &query[at..at + 2]).collect();
    assert_eq!(words, ["$A", "$n", "$t"], "{query}");
    assert!(query.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.~%&=$\\\n".contains(&byte)), "{query}");
    assert!(curl.code.contains("'http://hrm:1/'"), "{}", curl.code);
}

#[test]
fn the_device_takes_its_secret_from_the_environment() {
    let side =
        DeviceSide { broker: ("127.0.0.1", 1883), product: "p\"", device: "d", service: "m:s", answer: r#"{"a":"1"}"# };
    let code = of_device(&side).code;
    for needed in ["getenv(\"DEVICE_SECRET\")", "\"p\\\"\"", "1883", r#""{\"a\":\"1\"}""#, "\"m:s\""] {
        assert!(code.contains(needed), "{needed}: {code}");
    }
}
