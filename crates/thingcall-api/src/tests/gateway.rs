//! What a request is told that is not let in.

use expect_test::expect;
use thingcall_core::{Temporary, UnixMillis};

use super::bench::{Setup, acs3, capture_time, post, signer, testid};
use crate::sign;

const DEVICE: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];

fn status_query() -> String {
    sign::v1_request("POST", "GetDeviceStatus", &DEVICE, &signer(), capture_time())
}

async fn refused(bytes: String, status: u16, code: &str) {
    let received = Setup::default().start().await.send(&bytes).await;
    assert_eq!((received.status, &*received.code()), (status, code), "{bytes}\n{received:?}");
}

#[tokio::test]
async fn an_error_in_json() {
    let server = Setup { keys: Vec::new(), ..Setup::default() }.start().await;
    let received = server.send(post(&status_query())).await;
    assert_eq!((received.status, received.header("content-type")), (404, Some("application/json;charset=utf-8")));
    expect![[r#"{"RequestId":"[id]","HostId":"here","Code":"InvalidAccessKeyId.NotFound","Message":"Specified access key is not found.","Recommend":""}"#]]
        .assert_eq(&received.golden());
}

#[tokio::test]
async fn an_error_in_xml() {
    let server = Setup::default().start().await;
    let received = server.send("GET / HTTP/1.1\r\nHost: a<b\r\n\r\n").await;
    assert_eq!((received.status, received.header("content-type")), (400, Some("text/xml;charset=utf-8")));
    expect!["<?xml version='1.0' encoding='UTF-8'?><Error><RequestId>[id]</RequestId><HostId>a&lt;b</HostId><Code>MissingAccessKeyId</Code><Message>AccessKeyId is mandatory for this action.</Message><Recommend></Recommend></Error>"]
        .assert_eq(&received.golden());
}

#[tokio::test]
async fn what_v1_lacks_is_named() {
    for name in ["AccessKeyId", "Signature", "SignatureMethod", "SignatureVersion", "SignatureNonce", "Timestamp"] {
        let query = status_query();
        let left: Vec<_> = query.split('&').filter(|pair| !pair.starts_with(&format!("{name}="))).collect();
        refused(post(&left.join("&")), 400, &format!("Missing{name}")).await;
    }
}

#[tokio::test]
async fn other_ways_to_sign_are_named() {
    let query = status_query();
    refused(post(&query.replace("HMAC-SHA1", "HMAC-SHA256")), 400, "InvalidParameter").await;
    refused(post(&query.replace("SignatureVersion=1.0", "SignatureVersion=2.0")), 400, "InvalidParameter").await;
    refused(post("SignatureType=BEARERTOKEN&BearerToken=x"), 400, "InvalidParameter").await;
    let request = acs3("GetDeviceStatus", &DEVICE, &signer());
    for other in ["ACS3-HMAC-SM3", "ACS3-RSA-SHA256"] {
        refused(request.replace(sign::ACS3, other), 400, "InvalidParameter").await;
    }
}

#[tokio::test]
async fn an_incomplete_header_signature_is_told_apart_from_a_wrong_one() {
    let request = acs3("GetDeviceStatus", &DEVICE, &signer());
    refused(request.replace(",Signature=", ",Nothing="), 400, "IncompleteSignature").await;
    refused(request.replace("x-acs-date: ", "x-other: "), 400, "IncompleteSignature").await;
    refused(request.replace("x-acs-action;", ""), 400, "IncompleteSignature").await;
    refused(request.replace("SignedHeaders=host;", "SignedHeaders="), 400, "IncompleteSignature").await;
    refused(request.replace("x-acs-content-sha256: e3", "x-acs-content-sha256: e4"), 400, "InvalidParameter").await;
    refused(
        request.replace("Host: here", "Host: there").replace("host: here", "host: there"),
        400,
        "SignatureDoesNotMatch",
    )
    .await;
}

#[tokio::test]
async fn the_servers_string_to_sign_is_in_the_answer() {
    let query =
        sign::v1_request("POST", "GetDeviceStatus", &DEVICE, &signer(), capture_time()).replace("light1", "light2");
    let received = Setup::default().start().await.send(post(&query)).await;
    let mut params: Vec<(String, String)> = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
    params.sort();
    let expected = sign::v1_string_to_sign("POST", &params);
    let message = received.json()["Message"].as_str().unwrap().to_owned();
    assert_eq!(message.split_once("server string to sign is:").unwrap().1, expected);
}

#[tokio::test]
async fn keys_times_versions_and_actions() {
    let inactive = Setup { keys: vec![thingcall_core::AccessKey { enabled: false, ..testid() }], ..Setup::default() };
    assert_eq!(inactive.start().await.v1("GetDeviceStatus", &DEVICE).await.code(), "InvalidAccessKeyId.Inactive");
    for (ends_at, code) in [(0, "InvalidSecurityToken.Expired"), (1, "")] {
        let temporary = Some(Temporary { of: "other".to_owned(), ends_at: UnixMillis(capture_time().0 + ends_at) });
        let keys = vec![thingcall_core::AccessKey { temporary, ..testid() }];
        let server = Setup { keys, ..Setup::default() }.start().await;
        assert_eq!(server.v1("GetDeviceStatus", &DEVICE).await.code(), code);
    }
    let late = Setup { now: || UnixMillis(capture_time().0 + 901_000), ..Setup::default() };
    assert_eq!(late.start().await.acs3("GetDeviceStatus", &DEVICE).await.code(), "InvalidTimeStamp.Expired");
    refused(post(&status_query().replace("Timestamp=2026", "Timestamp=x026")), 400, "InvalidTimeStamp.Format").await;
    let server = Setup::default().start().await;
    let received = server.acs3("ListRule", &DEVICE).await;
    assert_eq!((received.status, &*received.code()), (404, "InvalidAction.NotFound"));
    assert!(server.metrics().contains(r#"thingcall_http_requests_total{code="404",route="other"} 1"#));
}

#[tokio::test]
async fn another_version_and_a_missing_one() {
    let sign = |version: &[(&str, &str)]| {
        let mut all = vec![
            ("AccessKeyId", "testid"),
            ("Action", "GetDeviceStatus"),
            ("SignatureMethod", "HMAC-SHA1"),
            ("SignatureNonce", "n"),
            ("SignatureVersion", "1.0"),
            // So it is spelled in one published example.
            ("TimeStamp", "2026-11-22T22:27:00Z"),
        ];
        all.extend_from_slice(version);
        let signature = sign::v1_signature("POST", &all, "testsecret");
        all.push(("Signature", &signature));
        post(&crate::canonical::query(all))
    };
    refused(sign(&[("Version", "2014-05-26")]), 400, "InvalidVersion").await;
    refused(sign(&[]), 400, "MissingVersion").await;
}

#[tokio::test]
async fn a_parameter_given_twice_is_refused() {
    refused(post(&format!("{}&DeviceName=light2", status_query())), 400, "InvalidParameter").await;
}

#[tokio::test]
async fn an_unknown_format_is_refused() {
    refused(post(&status_query().replace("Format=JSON", "Format=YAML")), 400, "InvalidParameter").await;
}

#[tokio::test]
async fn a_key_that_used_up_its_nonces_is_throttled() {
    let config = crate::Config { nonces_max: std::num::NonZeroUsize::MIN, ..crate::Config::default() };
    let server = Setup { config, ..Setup::default() }.start().await;
    assert_eq!(server.acs3("GetDeviceStatus", &DEVICE).await.status, 200);
    let received = server.acs3("GetDeviceStatus", &DEVICE).await;
    assert_eq!((received.status, &*received.code()), (400, "Throttling"));
    assert!(received.header("x-acs-retry-after").unwrap().parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn an_action_that_is_not_there_is_told_from_one_that_never_was() {
    let server = Setup::default().start().await;
    let yet = server.acs3("CreateDeviceGroup", &DEVICE).await;
    assert_eq!((yet.status, &*yet.code()), (404, "InvalidAction.NotFound"));
    assert!(
        yet.body.contains("CreateDeviceGroup is an action of Alibaba's API which this server does not have"),
        "{yet:?}"
    );
    let never = server.acs3("createDeviceGroup", &DEVICE).await;
    assert_eq!((never.status, &*never.code()), (404, "InvalidAction.NotFound"));
    assert!(never.body.contains("neither in Alibaba's API of this version nor here"), "{never:?}");
    for told in [yet, never] {
        assert!(told.body.contains("The actions") && told.body.contains("InvokeThingService, "), "{told:?}");
    }
}
