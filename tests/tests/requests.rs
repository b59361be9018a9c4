//! What is refused at the door: signatures, nonces, parameters, the quota. HTTP 4xx, and the SDKs raise.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::json;
use thingcall_tests::{HttpCall, Key, PRODUCT, Sdk, Site, invocation};

use crate::sites::embedded;

fn nobody() -> serde_json::Value {
    json!({ "ProductKey": PRODUCT, "DeviceName": "nobody", "Identifier": "Measure", "Args": "{}" })
}

#[test]
fn signed_request_counts_once() {
    let site = embedded();
    let (device, connected) = site.linkkit("replayed");
    let signed =
        site.ask_by(Sdk::SignOnly, "InvokeThingService", &invocation(&device, "testFb:testService", r#"{"param1":1}"#));
    let send = || HttpCall::send(site.program.addresses.api, "POST", signed.text()).answer();

    let (first, again) = (send(), send());

    assert_eq!(first.status, 200, "{}", first.body);
    assert_eq!(again.status, 400, "{}", again.body);
    assert!(again.body.contains("SignatureNonceUsed"), "{}", again.body);
    site.invoke(&device, "testFb:testService", r#"{"param1":2}"#).ok();
    connected.called();
    assert_eq!(connected.called()["params"]["param1"], 2, "the replay did not reach the device");
}

#[test]
fn signed_request_counts_once_over_a_restart_within_its_second() {
    let mut site = Site::embedded(&[]);
    let device = site.device("replayed-later");
    let mut params = invocation(&device, "SetScene", r#"{"scene":1}"#);
    params["Qos"] = json!(1);
    // Time stamps have whole seconds: the restart is to fall into the one that the request tells. The SDK's clock may be
    // some milliseconds late.
    let due = |now: Duration| (20..150).contains(&now.subsec_millis());
    while !SystemTime::now().duration_since(UNIX_EPOCH).is_ok_and(due) {
        std::thread::sleep(Duration::from_millis(1));
    }
    let signed = site.ask_by(Sdk::SignOnly, "InvokeThingService", &params);
    let send = |site: &Site| HttpCall::send(site.program.addresses.api, "POST", signed.text()).answer();
    assert_eq!(send(&site).status, 200);
    site.program.kill();
    site.start_again();
    let again = send(&site);
    assert!(again.status == 400 && again.body.contains("InvalidTimeStamp.Expired"), "{}", again.body);
}

#[test]
fn wrong_secret_is_told_with_the_servers_string_to_sign() {
    let site = embedded();
    let wrong = Key { secret: "wrong".to_owned(), ..site.key.clone() };

    let tea = site.begin_as(&wrong, Sdk::Tea, "InvokeThingService", &nobody()).answer();
    let legacy = site.begin_as(&wrong, Sdk::Legacy, "InvokeThingService", &nobody()).answer();

    let (code, _, status) = tea.raised();
    assert_eq!((code, status), ("SignatureDoesNotMatch", 400), "{tea:?}");
    // This SDK compares the server's string with its own, and only if they are equal says that the secret is wrong.
    let (code, text, status) = legacy.raised();
    assert_eq!((code, status), ("InvalidAccessKeySecret", 400), "{legacy:?}");
    assert!(text.contains("Secret"), "{text}");
}

#[test]
fn unknown_and_disabled_keys_are_refused() {
    let site = Site::embedded(&[]);
    let unknown = Key { id: "unknown".to_owned(), ..site.key.clone() };
    let answer = site.begin_as(&unknown, Sdk::Tea, "InvokeThingService", &nobody()).answer();
    assert_eq!((answer.raised().0, answer.raised().2), ("InvalidAccessKeyId.NotFound", 404));

    site.command(&["key", "disable", &site.key.id]);

    let refused = thingcall_tests::eventually("the running server sees it", || {
        let answer = site.ask("InvokeThingService", &nobody());
        answer.has_raised().then_some(answer)
    });
    assert_eq!((refused.raised().0, refused.raised().2), ("InvalidAccessKeyId.Inactive", 403));
}

#[test]
fn missing_parameters_are_named() {
    let site = embedded();
    let answer =
        site.ask("InvokeThingService", &json!({ "ProductKey": PRODUCT, "DeviceName": "nobody", "Args": "{}" }));
    assert_eq!((answer.raised().0, answer.raised().2), ("MissingIdentifier", 400));

    let answer =
        site.ask("InvokeThingService", &json!({ "ProductKey": PRODUCT, "DeviceName": "x", "Identifier": "y" }));
    assert_eq!((answer.raised().0, answer.raised().2), ("MissingArgs", 400));
}

#[test]
fn unknown_action_is_refused() {
    let answer = embedded().ask("ListRule", &json!({ "CurrentPage": 1, "PageSize": 1 }));

    let (code, text, status) = answer.raised();
    assert_eq!((code, status), ("InvalidAction.NotFound", 404));
    assert!(text.contains("ListRule is an action of Alibaba's API which this server does not have"), "{text}");
    assert!(text.contains("\"The actions\"") && text.contains("QueryDeviceDetail"), "{text}");
}

#[test]
fn request_without_signature_is_refused() {
    let path = "/?Action=InvokeThingService&Version=2018-01-20";

    let answer = HttpCall::send(embedded().program.addresses.api, "POST", path).answer();

    assert_eq!(answer.status, 400, "{}", answer.body);
    assert!(answer.body.contains("Missing"), "{}", answer.body);
}

#[test]
fn quota_is_shared_by_the_keys_of_an_account() {
    let site = Site::embedded(&[("API__CALLS_PER_SECOND_MAX", "1")]);
    let other = Key { id: "other".to_owned(), secret: "other-secret".to_owned(), token: None };
    site.command(&["key", "add", "--id", &other.id, "--secret", &other.secret]);

    // Calls of both keys, until one is over the quota: ten in far less than ten seconds.
    let answers: Vec<_> = (0..20)
        .map(|number| {
            let key = if number % 2 == 0 { &site.key } else { &other };
            site.begin_as(key, Sdk::Tea, "InvokeThingService", &nobody())
        })
        .collect();
    let raised: Vec<_> = answers
        .into_iter()
        .map(|waiting| waiting.answer())
        .filter(|answer| answer.has_raised())
        .map(|answer| answer.raised().0.to_owned())
        .collect();

    assert!(raised.iter().any(|code| code == "Throttling.User"), "{raised:?}");
}
