//! Mistakes with the newer signature, each made as a client makes it.

use thingcall_core::{Secret, Temporary, UnixMillis};

use super::{SECRET, explained, explained_with, key, wrong};
use crate::encoded::base64_of;
use crate::sign;
use crate::signing::{Certainty, Verdict};

const QUERY: &str = "Args=a%20b%2A~&DeviceName=light1&Identifier=Set&ProductKey=a1BwAGVxxxx";

/// A client, with all that it may do wrong.
struct Client {
    method: &'static str,
    query: &'static str,
    headers: Vec<(&'static str, String)>,
    names: Option<&'static str>,
    body: &'static str,
    secret: &'static str,
}

impl Client {
    fn new() -> Self {
        let headers = [
            ("host", "127.0.0.1:8080"),
            ("x-acs-action", "InvokeThingService"),
            ("x-acs-content-sha256", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
            ("x-acs-date", "2026-01-02T03:04:05Z"),
            ("x-acs-signature-nonce", "d410180a5abf7fe2"),
            ("x-acs-version", "2018-01-20"),
        ];
        let headers = headers.into_iter().map(|(name, value)| (name, value.to_owned())).collect();
        Self { method: "POST", query: QUERY, headers, names: None, body: "", secret: SECRET }
    }

    fn set(mut self, name: &str, value: &str) -> Self {
        self.headers.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, old)| value.clone_into(old));
        self
    }

    fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(other, _)| *other != name);
        self
    }

    fn names(&self) -> String {
        let own = || self.headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        self.names.map_or_else(own, str::to_owned)
    }

    /// What it would sign if it were right.
    fn canonical(&self) -> String {
        let lines: String = self.headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let hash = self.headers.iter().find(|(name, _)| *name == "x-acs-content-sha256").map_or("", |(_, hash)| hash);
        format!("{}\n/\n{}\n{lines}\n{}\n{hash}", self.method, self.query, self.names())
    }

    /// The request with the signature of this text.
    fn signing(&self, canonical: &str) -> String {
        self.with(&sign::acs3_sign(&sign::acs3_string(canonical.as_bytes()), self.secret))
    }

    fn with(&self, signature: &str) -> String {
        let headers: String = self.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!(
            "{} /?{QUERY} HTTP/1.1\r\n{headers}Authorization: ACS3-HMAC-SHA256 Credential=testid,SignedHeaders={},Signature={signature}\r\n\r\n{}",
            self.method,
            self.names(),
            self.body
        )
    }

    fn request(&self) -> String {
        self.signing(&self.canonical())
    }
}

fn proved(request: &str) -> String {
    let finding = wrong(request);
    assert_eq!(finding.certainty, Certainty::Proved, "{finding:?}");
    finding.id
}

#[test]
fn the_right_one_is_right() {
    let explanation = explained(&Client::new().request());
    assert_eq!(explanation.verdict, Verdict::Right, "{explanation:?}");
    assert_eq!(explanation.signature, Some("ACS3-HMAC-SHA256"));
    assert_eq!(explanation.steps[0].text, Client::new().canonical());
}

#[test]
fn each_mistake_in_the_canonical_request_is_named() {
    let client = Client::new();
    let right = client.canonical();
    for (id, text) in [
        ("space_as_plus", right.replace("%20", "+")),
        ("star_not_encoded", right.replace("%2A", "*")),
        ("tilde_encoded", right.replace('~', "%7E")),
        ("encoded_twice", right.replace("a%20b%2A~", "a%2520b%252A~")),
        ("not_encoded", right.replace("a%20b%2A~", "a b*~")),
        ("method", right.replace("POST", "GET")),
        ("method_lower_case", right.replace("POST", "post")),
        ("path_empty", right.replace("\n/\n", "\n\n")),
        ("query_not_signed", right.replace(QUERY, "")),
        ("empty_line_missing", right.replace("\n\n", "\n")),
        ("empty_line_twice", right.replace("\n\n", "\n\n\n")),
        ("newline_behind_request", right.clone() + "\n"),
        ("header_line_missing", right.replace("x-acs-version:2018-01-20\n", "")),
        ("body_hash_missing", right.rsplit_once('\n').unwrap().0.to_owned() + "\n"),
        ("host", right.replace("host:127.0.0.1:8080", "host:127.0.0.1")),
        ("host", right.replace("host:127.0.0.1:8080", "host:iot.cn-shanghai.aliyuncs.com")),
        ("parameter_not_signed", right.replace("DeviceName=light1&", "")),
    ] {
        assert_eq!(proved(&client.signing(&text)), id, "{text}");
    }
    let mut unsorted = QUERY.split('&').collect::<Vec<_>>();
    unsorted.reverse();
    let sent = client.signing(&right.replace(QUERY, &unsorted.join("&"))).replace(QUERY, &unsorted.join("&"));
    assert_eq!(proved(&sent), "not_sorted");
}

#[test]
fn the_line_of_the_difference_is_shown() {
    let client = Client::new();
    let finding = wrong(&client.signing(&client.canonical().replace("host:127.0.0.1:8080", "host:127.0.0.1")));
    let mark = finding.mark.unwrap();
    assert_eq!((mark.of, mark.line, mark.column), ("canonical request", 4, 15), "{mark:?}");
    assert!(mark.ours.starts_with("host:127.0.0.1:8080\\n"), "{mark:?}");
    assert!(finding.what.english.contains("127.0.0.1,"), "{:?}", finding.what);
}

#[test]
fn each_mistake_behind_the_canonical_request_is_named() {
    let client = Client::new();
    let right = client.canonical();
    let string = sign::acs3_string(right.as_bytes());
    let upper = format!("{}\n{}", sign::ACS3, sign::sha256_hex(right.as_bytes()).to_uppercase());
    for (id, string) in [
        ("request_not_hashed", format!("{}\n{right}", sign::ACS3)),
        ("hash_upper_case", upper),
        ("algorithm_missing", sign::sha256_hex(right.as_bytes())),
        ("newline_behind", string.clone() + "\n"),
    ] {
        assert_eq!(proved(&client.with(&sign::acs3_sign(&string, SECRET))), id);
    }
    for (id, secret) in [
        ("secret_with_ampersand", "testsecret&"),
        ("secret_with_newline", "testsecret\n"),
        ("secret_of_another_key", "other-secret"),
    ] {
        assert_eq!(proved(&client.with(&sign::acs3_sign(&string, secret))), id);
    }
    let bytes = sign::hmac_sha256(SECRET.as_bytes(), &string);
    assert_eq!(proved(&client.with(&sign::hex_of(&bytes).to_uppercase())), "signature_upper_case");
    assert_eq!(proved(&client.with(&base64_of(&bytes))), "signature_in_base64");
}

#[test]
fn headers_that_are_missing_or_not_signed_are_all_told() {
    for name in ["x-acs-date", "x-acs-signature-nonce", "x-acs-content-sha256", "host", "x-acs-version", "x-acs-action"]
    {
        let finding = wrong(&Client::new().without(name).request());
        assert!(finding.id == "header_missing" && finding.what.english.contains(name), "{finding:?}");
        let mut client = Client::new();
        let names: Vec<_> = client.headers.iter().map(|(other, _)| *other).filter(|other| *other != name).collect();
        client.names = Some(Box::leak(names.join(";").into_boxed_str()));
        let finding = wrong(&client.request());
        assert!(finding.id == "header_not_signed" && finding.what.english.contains(name), "{finding:?}");
    }
    let mut client = Client::new();
    client.names =
        Some("host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-odd;x-acs-signature-nonce;x-acs-version");
    let finding = wrong(&client.request());
    assert!(finding.id == "signed_header_not_sent" && finding.what.english.contains("x-acs-odd"), "{finding:?}");
}

#[test]
fn signed_headers_that_are_not_sorted_are_told() {
    let mut client = Client::new();
    let sorted = client.canonical();
    client.headers.swap(0, 5);
    let explanation = explained(&client.request());
    assert_eq!(explanation.verdict, Verdict::Right, "as the server takes it");
    assert!(explanation.findings.iter().any(|finding| finding.id == "signed_headers_not_sorted"), "{explanation:?}");
    let names = Client::new().names();
    assert_eq!(proved(&client.signing(&sorted)), "signed_headers_not_sorted");
    assert_eq!(proved(&client.signing(&sorted.replace(&names, &client.names()))), "signed_headers_not_sorted");
}

#[test]
fn a_body_must_be_the_one_that_was_hashed() {
    let mut client = Client::new();
    client.body = "MessageContent=aGVsbG8%3D";
    let finding = wrong(&client.request());
    assert!(finding.id == "body_hash" && finding.what.english.contains("empty body"), "{finding:?}");
    assert!(finding.right.english.contains(&sign::sha256_hex(client.body.as_bytes())), "{finding:?}");
    let of_line = sign::sha256_hex(b"MessageContent=aGVsbG8%3D\n");
    let mut client = Client::new().set("x-acs-content-sha256", &of_line);
    client.body = "MessageContent=aGVsbG8%3D";
    assert!(wrong(&client.request()).what.english.contains("line feed"));
    let mut client = Client::new().set("x-acs-content-sha256", &sign::sha256_hex(b"MessageContent=aGVsbG8%3D"));
    client.body = "MessageContent=aGVsbG8%3D";
    assert_eq!(explained(&client.request()).verdict, Verdict::Right);
    let text = client.canonical();
    let with_form = text.replace("&ProductKey", "&MessageContent=aGVsbG8%3D&ProductKey");
    assert_eq!(proved(&client.signing(&with_form)), "form_in_query");
}

#[test]
fn the_host_is_another_behind_a_proxy() {
    let client = Client::new();
    let sent = client.request().replace("host: 127.0.0.1:8080", "host: internal:9000");
    assert_eq!(proved(&sent), "host");
    let curl = "curl -X POST 'https://api.example.com/?IotId=x' -H 'Host: internal' ";
    assert_eq!(wrong(curl).id, "not_signed");
}

#[test]
fn other_algorithms_paths_and_methods_are_told() {
    let other = Client::new().request().replace("ACS3-HMAC-SHA256 ", "ACS3-HMAC-SM3 ");
    assert!(wrong(&other).what.english.contains("ACS3-HMAC-SM3"));
    let roa = Client::new().request().replace("ACS3-HMAC-SHA256 Credential=testid", "acs testid:abc");
    assert_eq!(wrong(&roa).id, "signature_method");
    let mut client = Client::new();
    client.method = "PUT";
    assert_eq!(wrong(&client.request()).id, "UnsupportedHTTPMethod");
    let path = Client::new().request().replace("POST /?", "POST /iot?");
    assert!(explained(&path).findings.iter().any(|finding| finding.id == "InvalidAction.NotFound"));
}

#[test]
fn keys_and_tokens_are_looked_at() {
    let request = Client::new().request();
    let of = |change: &dyn Fn(&mut thingcall_core::AccessKey)| {
        let mut key = key("testid", SECRET);
        change(&mut key);
        let explanation = explained_with(&request, vec![key], super::NOW);
        assert_eq!(explanation.verdict, Verdict::Wrong);
        explanation.findings[0].id.clone()
    };
    assert_eq!(of(&|key| key.enabled = false), "key_disabled");
    assert_eq!(
        of(&|key| key.temporary = Some(Temporary { of: "x".to_owned(), ends_at: UnixMillis(1) })),
        "key_expired"
    );
    assert_eq!(of(&|key| key.security_token = Some(Secret::new("t"))), "token_missing");
    assert_eq!(of(&|key| key.id = "another".to_owned()), "key_unknown");
    let mut client = Client::new();
    client.headers.insert(4, ("x-acs-security-token", "t".to_owned()));
    assert_eq!(wrong(&client.request()).id, "token_not_wanted");
}
