//! What official SDKs sent is right, and each mistake that is made on purpose is found and named.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use thingcall_core::{AccessKey, Keys, Secret, UnixMillis};

use super::*;
use crate::clock;

mod newer;
mod older;
mod told;

const SECRET: &str = "testsecret";
const NOW: &str = "2026-01-02T03:04:06Z";

/// Keys by their ids.
pub(super) struct Known(pub(super) Vec<Arc<AccessKey>>);

impl Keys for Known {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        self.0.iter().find(|key| key.id == id).cloned()
    }
}

fn key(id: &str, secret: &str) -> AccessKey {
    AccessKey {
        id: id.to_owned(),
        secret: Secret::new(secret),
        account: "default".to_owned(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    }
}

fn explained_with(text: &str, keys: Vec<AccessKey>, now: &str) -> Explanation {
    let keys = Known(keys.into_iter().map(Arc::new).collect());
    let now = clock::parse(now).unwrap();
    let hosts = ["127.0.0.1:8080".to_owned()];
    let with = With { keys: &keys, others: &keys.0, now, skew: Duration::from_secs(900), hosts: &hosts };
    let explanation = explain(text, &with).unwrap();
    let shown = serde_json::to_string(&explanation).unwrap();
    assert!(!shown.contains(SECRET) && !shown.contains("other-secret"), "{shown}");
    explanation
}

fn explained(text: &str) -> Explanation {
    explained_with(text, vec![key("testid", SECRET), key("other", "other-secret")], NOW)
}

/// The one thing that is wrong with it.
fn wrong(text: &str) -> Finding {
    let explanation = explained(text);
    assert_eq!(explanation.verdict, Verdict::Wrong, "{text}\n{explanation:?}");
    let first = explanation.findings.first().unwrap().clone();
    assert_ne!(first.certainty, Certainty::Note, "{text}\n{explanation:?}");
    first
}

#[test]
fn what_official_sdks_sent_is_right() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/http");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).unwrap();
        let mut key = key("testid", SECRET);
        key.security_token = name.contains("-sts-").then(|| Secret::new("CAIStoken/+="));
        let explanation = explained_with(&text, vec![key], "2026-11-22T22:27:00Z");
        // Two are of actions that are not here.
        let other = explanation.findings.iter().filter(|finding| finding.id != "action_unknown");
        assert!(other.clone().all(|finding| finding.certainty == Certainty::Note), "{name}: {explanation:?}");
        assert!(!explanation.steps.is_empty(), "{name}");
        seen += 1;
    }
    assert_eq!(seen, 34);
}

#[test]
fn what_is_made_step_by_step_is_right_as_a_command_and_as_http() {
    let signer = crate::sign::Signer { key_id: "testid".to_owned(), secret: Secret::new(SECRET), security_token: None };
    let params = [("IotId", "a b*~'/+中"), ("Blank", "")];
    for style in [Style::V1, Style::Acs3] {
        for verb in [Verb::Get, Verb::Post] {
            let at = clock::parse("2026-01-02T03:04:05Z").unwrap();
            let (endpoint, nonce) = ("http://127.0.0.1:8080", "n");
            let ask =
                Ask { endpoint, action: "GetDeviceStatus", params: &params, style, verb, signer: &signer, at, nonce };
            let signed = steps(&ask).unwrap();
            let right = explained(&signed.curl);
            assert_eq!(right.verdict, Verdict::Right, "{}\n{right:?}", signed.curl);
            assert_eq!(
                right.steps.last().unwrap(),
                signed.steps.iter().find(|step| step.name == "string to sign").unwrap()
            );
            let target = signed.url.trim_start_matches("http://127.0.0.1:8080");
            let headers: String = signed.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
            let raw = format!("{} {target} HTTP/1.1\n{headers}\n{}\n", signed.method, signed.body);
            assert_eq!(explained(&raw).verdict, Verdict::Right, "{raw}");
        }
    }
}

#[test]
fn what_is_no_request_says_what_can_be_pasted() {
    let none = Known(Vec::new());
    let with = With { keys: &none, others: &[], now: UnixMillis(0), skew: Duration::ZERO, hosts: &[] };
    assert!(explain("hello", &with).unwrap_err().english.contains("curl"));
}

proptest! {
    #[test]
    fn nothing_that_is_pasted_ends_the_program(
        text in "(curl |POST / HTTP/1.1\n|-H |'|Authorization: ACS3-HMAC-SHA256 Credential=testid,SignedHeaders=host,Signature=|http://h/\\?|Signature=|AccessKeyId=testid&|POST&%2F&|%|&|=|;|\n|\\PC){0,30}"
    ) {
        let keys = Known(vec![Arc::new(key("testid", SECRET))]);
        let with = With { keys: &keys, others: &keys.0, now: UnixMillis(0), skew: Duration::ZERO, hosts: &[] };
        explain(&text, &with).ok();
    }
}
