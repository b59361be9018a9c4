//! What is shown is what is signed, and what is signed is let in.

use thingcall_core::Secret;

use super::*;

fn signer() -> Signer {
    Signer { key_id: "testid".to_owned(), secret: Secret::new("testsecret"), security_token: None }
}

const PARAMS: [(&str, &str); 4] = [
    ("ProductKey", "a1BwAGVxxxx"),
    ("DeviceName", "light1"),
    ("Identifier", "testFb:testService"),
    ("Args", r#"{"param1":1,"s":"a b*~中"}"#),
];

fn signed(style: Style, verb: Verb) -> Signed {
    let at = clock::parse("2026-01-02T03:04:05Z").unwrap();
    let (endpoint, nonce) = ("127.0.0.1:8080", "d410180a5abf7fe235dd9b74aca91fc0");
    steps(&Ask { endpoint, action: "InvokeThingService", params: &PARAMS, style, verb, signer: &signer(), at, nonce })
        .unwrap()
}

fn step<'a>(signed: &'a Signed, name: &str) -> &'a str {
    &signed.steps.iter().find(|step| step.name == name).unwrap().text
}

#[test]
fn each_step_of_the_newer_signature_is_shown() {
    let signed = signed(Style::Acs3, Verb::Post);
    let query = "Args=%7B%22param1%22%3A1%2C%22s%22%3A%22a%20b%2A~%E4%B8%AD%22%7D&DeviceName=light1&\
                 Identifier=testFb%3AtestService&ProductKey=a1BwAGVxxxx";
    let empty = sign::sha256_hex(b"");
    let canonical = format!(
        "POST\n/\n{query}\nhost:127.0.0.1:8080\nx-acs-action:InvokeThingService\nx-acs-content-sha256:{empty}\n\
         x-acs-date:2026-01-02T03:04:05Z\nx-acs-signature-nonce:d410180a5abf7fe235dd9b74aca91fc0\nx-acs-version:2018-01-20\n\n\
         host;x-acs-action;x-acs-content-sha256;x-acs-date;x-acs-signature-nonce;x-acs-version\n{empty}"
    );
    assert_eq!(step(&signed, "canonical request"), canonical);
    let hash = sign::sha256_hex(canonical.as_bytes());
    assert_eq!(step(&signed, "hash of the canonical request"), hash);
    assert_eq!(step(&signed, "string to sign"), format!("ACS3-HMAC-SHA256\n{hash}"));
    assert!(step(&signed, "authorization").ends_with(&format!("Signature={}", step(&signed, "signature"))));
    assert_eq!(signed.url, format!("http://127.0.0.1:8080/?{query}"));
    assert_eq!((&*signed.method, &*signed.body), ("POST", ""));
}

#[test]
fn each_step_of_the_older_signature_is_shown() {
    let signed = signed(Style::V1, Verb::Get);
    assert!(step(&signed, "canonical query").starts_with("AccessKeyId=testid&Action=InvokeThingService&Args="));
    assert!(step(&signed, "string to sign").starts_with("GET&%2F&AccessKeyId%3Dtestid%26Action%3D"));
    let query = signed.url.split_once("/?").unwrap().1;
    let read: Vec<_> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    let signature = &read.iter().find(|(name, _)| name == "Signature").unwrap().1;
    assert_eq!(signature, step(&signed, "signature"));
    assert_eq!(*signature, sign::v1_signature("GET", &read, "testsecret"));
    assert_eq!(sign::v1_string_to_sign("GET", &read), step(&signed, "string to sign"));
}

#[test]
fn no_part_of_it_holds_the_secret() {
    for style in [Style::V1, Style::Acs3] {
        for verb in [Verb::Get, Verb::Post] {
            let shown = format!("{:?}", signed(style, verb));
            assert!(!shown.contains("testsecret"), "{shown}");
        }
    }
}

#[test]
fn an_endpoint_that_is_none_is_refused() {
    let signer = signer();
    for endpoint in ["", "http://", "h/x", "ftp://h", "http://u:p@h", "h h", "http://h?a"] {
        let (at, style, verb) = (UnixMillis(0), Style::V1, Verb::Get);
        let ask = Ask { endpoint, action: "A", params: &[], style, verb, signer: &signer, at, nonce: "n" };
        assert!(steps(&ask).is_err(), "{endpoint:?}");
    }
}
