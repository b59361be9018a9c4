//! What a server said, what a client signed, and both.

use super::{SECRET, explained, wrong};
use crate::sign;
use crate::signing::{Certainty, Verdict};

const SERVER: &str =
    "POST&%2F&AccessKeyId%3Dtestid%26Action%3DPub%26Args%3Da%2520b%252A%26Timestamp%3D2026-01-02T03%253A04%253A05Z";
const SAYS: &str = "Specified signature is not matched with our calculation. server string to sign is:";

fn answer() -> String {
    format!(
        "{{\"RequestId\":\"A\",\"HostId\":\"h\",\"Code\":\"SignatureDoesNotMatch\",\"Message\":\"{SAYS}{SERVER}\",\"Recommend\":\"\"}}"
    )
}

#[test]
fn an_answer_alone_shows_what_was_signed_and_decides_nothing() {
    let explanation = explained(&answer());
    assert_eq!((explanation.verdict, explanation.key_id.as_deref()), (Verdict::Unknown, Some("testid")));
    assert_eq!(explanation.findings[0].id, "no_signature");
    assert_eq!(explanation.steps[0].text, SERVER);
    let unknown = explained(&answer().replace("testid", "nobody"));
    assert!(unknown.findings.iter().any(|finding| finding.id == "key_unknown"), "{unknown:?}");
}

#[test]
fn the_clients_string_below_it_is_held_against_it() {
    for (id, signed) in [
        ("space_as_plus", SERVER.replace("%2520", "%2B")),
        ("star_not_encoded", SERVER.replace("%252A", "*")),
        ("method", SERVER.replace("POST", "GET")),
        ("path_not_encoded", SERVER.replace("&%2F&", "&/&")),
        ("lower_case_hex", SERVER.replace("%252A", "%252a").replace("%253A", "%253a").replace("%3D", "%3d")),
        ("text", SERVER.replace("Pub", "RRpc")),
    ] {
        let finding = wrong(&format!("{}\n\n{signed}\n", answer()));
        assert_eq!((&*finding.id, finding.certainty), (id, Certainty::Seen), "{signed}");
        assert!(finding.mark.is_some(), "{finding:?}");
    }
    let unsorted = SERVER.replace("AccessKeyId%3Dtestid%26Action%3DPub", "Action%3DPub%26AccessKeyId%3Dtestid");
    assert_eq!(wrong(&format!("{}\n{unsorted}", answer())).id, "not_sorted");
    assert_eq!(wrong(&unsorted).id, "not_sorted", "by itself");
    let same =
        format!("{}\nmine:\n{SERVER}", answer().replace("server string to sign is:", "server string to sign is: "));
    assert_eq!(explained(&same).verdict, Verdict::Unknown, "it is the same text");
}

#[test]
fn below_a_request_it_tells_the_secret_from_the_text() {
    let params = [
        ("AccessKeyId", "testid"),
        ("Action", "GetDeviceStatus"),
        ("IotId", "a b"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "n"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2026-01-02T03:04:05Z"),
        ("Version", "2018-01-20"),
    ];
    let string = sign::v1_string_to_sign("POST", &params);
    let signed = |secret: &str| {
        let signature = crate::encoded::base64_of(&sign::hmac_sha1(secret.as_bytes(), &string));
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(params)
            .append_pair("Signature", &signature)
            .finish();
        format!("curl -X POST 'http://h/?{query}'\n")
    };
    assert_eq!(explained(&signed(&format!("{SECRET}&"))).verdict, Verdict::Right);
    let finding = wrong(&format!("{}\n{string}\n", signed("quite another&")));
    assert_eq!((&*finding.id, finding.certainty), ("secret", Certainty::Proved));
    let finding = wrong(&format!("{}\n{}\n", signed("quite another&"), string.replace("%2520", "%2B")));
    assert_eq!((&*finding.id, finding.certainty), ("space_as_plus", Certainty::Seen));
}

#[test]
fn codes_that_errors_name_are_explained() {
    for code in ["SignatureNonceUsed", "InvalidTimeStamp.Expired", "InvalidAccessKeyId.NotFound"] {
        let finding = wrong(&format!("HTTP Status: 400 Error:{code} Specified something"));
        assert_eq!(finding.id, code);
    }
    let newer = format!("Error: SignatureDoesNotMatch code: 400, {SAYS}ACS3-HMAC-SHA256\\n{}", "a".repeat(64));
    let explanation = explained(&newer);
    assert_eq!((explanation.verdict, explanation.signature), (Verdict::Unknown, Some("ACS3-HMAC-SHA256")));
}

#[test]
fn the_error_of_an_sdk_that_tells_its_url_is_a_request() {
    let params = [
        ("AccessKeyId", "testid"),
        ("Action", "GetDeviceStatus"),
        ("SignatureMethod", "HMAC-SHA1"),
        ("SignatureNonce", "n"),
        ("SignatureVersion", "1.0"),
        ("Timestamp", "2026-01-02T03:04:05Z"),
        ("Version", "2018-01-20"),
    ];
    let string = sign::v1_string_to_sign("GET", &params);
    let signature = crate::encoded::base64_of(&sign::hmac_sha1(b"testsecret \x26", &string));
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(params)
        .append_pair("Signature", &signature)
        .finish();
    let error =
        format!("SignatureDoesNotMatchError: {SAYS}{string}, URL: http://127.0.0.1:8080/?{query}\n    at client.js");
    assert_eq!(wrong(&error).id, "secret_with_space");
}
