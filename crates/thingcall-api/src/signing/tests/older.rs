//! Mistakes with the older signature, each made as a client makes it.

use form_urlencoded::Serializer;

use super::{SECRET, explained, explained_with, key, wrong};
use crate::encoded::base64_of;
use crate::sign;
use crate::signing::{Certainty, Verdict};

const ARGS: &str = r#"{"s":"a b*~中/"}"#;

/// The parameters of a call, as a client has them.
fn params() -> Vec<(&'static str, &'static str)> {
    vec![
        ("Version", "2018-01-20"),
        ("Action", "InvokeThingService"),
        ("Format", "JSON"),
        ("Timestamp", "2026-01-02T03:04:05Z"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureVersion", "1.0"),
        ("SignatureNonce", "9e030f6b"),
        ("AccessKeyId", "testid"),
        ("ProductKey", "a1BwAGVxxxx"),
        ("DeviceName", "light1"),
        ("Identifier", "Set"),
        ("Args", ARGS),
    ]
}

/// A function that is taken for the right one.
type Encode<'a> = &'a dyn Fn(&str) -> String;

/// A client that encodes with this function, and then does the rest right.
fn string(params: &[(&str, &str)], encode: Encode<'_>) -> String {
    let mut sorted = params.to_vec();
    sorted.sort_unstable();
    let query: Vec<_> = sorted.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    format!("GET&%2F&{}", encode(&query.join("&")))
}

fn right(text: &str) -> String {
    crate::canonical::query([(text, "")]).trim_end_matches('=').to_owned()
}

fn url(params: &[(&str, &str)], signature: &str) -> String {
    let query = Serializer::new(String::new()).extend_pairs(params).append_pair("Signature", signature).finish();
    format!("http://127.0.0.1:8080/?{query}")
}

fn signed(string: &str, secret: &str) -> String {
    base64_of(&sign::hmac_sha1(secret.as_bytes(), string))
}

/// What is found of a client that signs this string.
fn found(string: &str) -> (String, Certainty) {
    let finding = wrong(&url(&params(), &signed(string, "testsecret&")));
    (finding.id, finding.certainty)
}

#[test]
fn the_right_one_is_right() {
    let explanation = explained(&url(&params(), &signed(&string(&params(), &right), "testsecret&")));
    assert_eq!(explanation.verdict, Verdict::Right, "{explanation:?}");
    assert_eq!((explanation.signature, explanation.key_id.as_deref()), (Some("HMAC-SHA1"), Some("testid")));
}

#[test]
fn each_wrong_encoding_is_named() {
    let then = |from: &'static str, to: &'static str| move |text: &str| right(text).replace(from, to);
    let lower = |text: &str| {
        let mut out = String::new();
        let mut rest = right(text);
        while let Some(at) = rest.find('%') {
            let behind = rest.split_off(at);
            out += &rest;
            out += &behind[..3].to_lowercase();
            rest = behind[3..].to_owned();
        }
        out + &rest
    };
    let cases: [(&str, Encode<'_>); 7] = [
        ("space_as_plus", &then("%20", "+")),
        ("star_not_encoded", &then("%2A", "*")),
        ("tilde_encoded", &then("~", "%7E")),
        ("slash_not_encoded", &then("%2F", "/")),
        ("lower_case_hex", &lower),
        ("encoded_as_form", &|text| right(text).replace("%20", "+").replace("%2A", "*").replace('~', "%7E")),
        ("encoded_as_url_search_params", &|text| right(text).replace("%20", "+").replace("%2A", "*")),
    ];
    for (id, encode) in cases {
        assert_eq!(found(&string(&params(), encode)), (id.to_owned(), Certainty::Proved), "{id}");
    }
    let query = crate::canonical::query(sign::sorted(&params()));
    let twice = format!("GET&%2F&{}", right(&query.replace('%', "%25")));
    assert_eq!(found(&twice).0, "encoded_twice");
    assert_eq!(found(&format!("GET&%2F&{query}")).0, "query_not_encoded");
    let plain: Vec<_> = sign::sorted(&params()).iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(found(&format!("GET&%2F&{}", right(&plain.join("&")))).0, "not_encoded");
}

#[test]
fn the_place_of_a_wrong_encoding_is_shown() {
    let encode = |text: &str| right(text).replace("%20", "+");
    let finding = wrong(&url(&params(), &signed(&string(&params(), &encode), "testsecret&")));
    let mark = finding.mark.unwrap();
    assert_eq!((mark.of, mark.line), ("string to sign", 1));
    let at = |text: &str| text.chars().skip(mark.caret).take(5).collect::<String>();
    assert_eq!((&*at(&mark.yours), &*at(&mark.ours)), ("Bb%25", "520b%"), "{mark:?}");
}

#[test]
fn wrong_order_method_and_joints_are_named() {
    let text = |pairs: &[(&str, &str)]| crate::canonical::query(pairs.iter().copied());
    let whole = |method: &str, query: &str| format!("{method}&%2F&{}", right(query));
    let sorted = text(&sign::sorted(&params()));
    assert_eq!(found(&whole("GET", &text(&params()))).0, "not_sorted");
    assert_eq!(found(&whole("get", &sorted)).0, "method_lower_case");
    assert_eq!(found(&format!("GET&/&{}", right(&sorted))).0, "path_not_encoded");
    assert_eq!(found(&whole("GET", &format!("&{sorted}"))).0, "ampersand_before");
    assert_eq!(found(&whole("GET", &format!("{sorted}&"))).0, "ampersand_behind");
    assert_eq!(found(&(whole("GET", &sorted) + "\n")).0, "newline_behind");
    let mut fewer = params();
    fewer.retain(|(name, _)| *name != "Format");
    let finding = wrong(&url(&params(), &signed(&whole("GET", &text(&sign::sorted(&fewer))), "testsecret&")));
    assert!(finding.id == "parameter_not_signed" && finding.what.english.contains("Format"), "{finding:?}");
}

#[test]
fn a_list_that_is_sorted_with_its_values_is_named() {
    let mut params = params();
    let names: Vec<_> = (1..=10).map(|nth| format!("IotId.{nth}")).collect();
    params.extend(names.iter().map(|name| (name.as_str(), "x")));
    let mut pairs: Vec<_> = params.iter().map(|(name, value)| format!("{}={}", right(name), right(value))).collect();
    pairs.sort();
    let string = format!("GET&%2F&{}", right(&pairs.join("&")));
    assert_eq!(wrong(&url(&params, &signed(&string, "testsecret&"))).id, "sorted_with_values");
}

#[test]
fn each_wrong_secret_is_named_and_none_is_told() {
    let string = string(&params(), &right);
    for (id, secret) in [
        ("secret_without_ampersand", "testsecret"),
        ("secret_with_newline", "testsecret\n&"),
        ("secret_with_space", "testsecret &"),
        ("secret_with_crlf", "testsecret\r\n&"),
        ("secret_with_space_before", " testsecret&"),
        ("secret_quoted", "\"testsecret\"&"),
        ("secret_is_key_id", "testid&"),
        ("secret_empty", "&"),
        ("secret_of_another_key", "other-secret&"),
    ] {
        let finding = wrong(&url(&params(), &signed(&string, secret)));
        assert_eq!((&*finding.id, finding.certainty, finding.mark), (id, Certainty::Proved, None), "{id}");
    }
    let finding = wrong(&url(&params(), &signed(&string, "quite another&")));
    assert_eq!((&*finding.id, finding.certainty), ("secret_or_text", Certainty::Seen));
}

#[test]
fn two_mistakes_at_once_are_named_both() {
    let encode = |text: &str| right(text).replace("%20", "+");
    let finding = wrong(&url(&params(), &signed(&string(&params(), &encode), "testsecret")));
    assert_eq!(finding.certainty, Certainty::Proved);
    let said = finding.what.english;
    assert!(said.contains("encoded as +") && said.contains("without the &"), "{said}");
}

#[test]
fn how_the_signature_is_written_is_looked_at() {
    let string = string(&params(), &right);
    let bytes = sign::hmac_sha1(b"testsecret&", &string);
    assert_eq!(wrong(&url(&params(), &sign::hex_of(&bytes))).id, "signature_in_hex");
    assert_eq!(wrong(&url(&params(), base64_of(&bytes).trim_end_matches('='))).id, "signature_without_padding");
    let sha256 = base64_of(&sign::hmac_sha256(b"testsecret&", &string));
    assert_eq!(wrong(&url(&params(), &sha256)).id, "hmac_sha256");
    // One that has a plus, which is written as it is.
    let mut params = params();
    let found = (0..200).find_map(|nth| {
        let nonce = format!("nonce{nth}");
        params.retain(|(name, _)| *name != "SignatureNonce");
        let all: Vec<_> = params.iter().copied().chain([("SignatureNonce", nonce.as_str())]).collect();
        let signature = signed(&super::older::string(&all, &right), "testsecret&");
        signature.contains('+').then(|| url(&all, &signature).replace("%2B", "+"))
    });
    assert_eq!(wrong(&found.unwrap()).id, "signature_plus_not_encoded");
}

#[test]
fn a_plus_that_means_itself_and_a_form_that_is_not_signed_are_named() {
    let mut params = params();
    params.push(("Extra", "1+1"));
    let signature = signed(&string(&params, &right), "testsecret&");
    let sent = url(&params, &signature).replace('+', "%20").replace("1%2B1", "1+1");
    assert_eq!(wrong(&sent).id, "plus_not_encoded_in_url");
    let string = string(&super::older::params(), &right).replacen("GET", "POST", 1);
    let url = url(&super::older::params(), &signed(&string, "testsecret&"));
    assert_eq!(explained(&format!("curl -X POST '{url}'")).verdict, Verdict::Right);
    assert_eq!(wrong(&format!("curl -d Extra=1 '{url}'")).id, "body_not_signed");
    assert_eq!(wrong(&format!("curl '{url}'")).id, "method");
    let only_url = explained(&url);
    assert!(only_url.verdict == Verdict::Right && only_url.findings[0].id == "method", "{only_url:?}");
}

#[test]
fn what_is_missing_or_other_is_told_before_any_signature_is() {
    let with = |name: &str, value: Option<&'static str>| {
        let mut params = params();
        params.retain(|(other, _)| *other != name);
        let name = super::older::params().iter().find(|(other, _)| *other == name).unwrap().0;
        params.extend(value.map(|value| (name, value)));
        let signature = signed(&string(&params, &right), "testsecret&");
        wrong(&url(&params, &signature))
    };
    for name in
        ["Timestamp", "SignatureNonce", "SignatureMethod", "SignatureVersion", "AccessKeyId", "Version", "Action"]
    {
        let finding = with(name, None);
        assert!(finding.id == "parameter_missing" && finding.what.english.contains(name), "{name}: {finding:?}");
    }
    assert!(with("SignatureMethod", Some("HMAC-SHA256")).what.english.contains("HMAC-SHA1"));
    assert_eq!(with("SignatureVersion", Some("2.0")).id, "InvalidParameter");
    assert_eq!(with("Version", Some("2017-04-20")).id, "InvalidVersion");
    assert!(with("Format", Some("YAML")).what.english.contains("JSON or XML"));
    assert_eq!(with("AccessKeyId", Some("nobody")).id, "key_unknown");
    let finding = with("AccessKeyId", Some("TestId"));
    assert!(finding.id == "key_unknown" && finding.right.english.contains("testid"), "{finding:?}");
    let finding = with("Action", Some("invokethingservice"));
    assert!(finding.id == "action_unknown" && finding.right.english.contains("InvokeThingService"), "{finding:?}");
    assert_eq!(with("Timestamp", Some("2026-01-02 03:04:05")).id, "time_format");
    let finding = with("Timestamp", Some("2026-01-02T11:04:05Z"));
    assert!(finding.id == "clock" && finding.what.english.contains("28799 s ahead"), "{finding:?}");
    assert!(finding.what.english.contains("UTC+8") && finding.right.english.contains("900 s"), "{finding:?}");
    assert_eq!(wrong("curl http://h/?a=b").id, "not_signed");
}

#[test]
fn a_request_that_is_only_old_is_right_and_its_age_told() {
    let url = url(&params(), &signed(&string(&params(), &right), "testsecret&"));
    let explanation = explained_with(&url, vec![key("testid", SECRET)], "2026-01-02T04:04:05Z");
    assert_eq!(explanation.verdict, Verdict::Right);
    let clock = explanation.findings.iter().find(|finding| finding.id == "clock").unwrap();
    assert!(clock.what.english.contains("3600 s behind"), "{clock:?}");
    assert!(explanation.findings.iter().any(|finding| finding.id == "nonce"));
}
