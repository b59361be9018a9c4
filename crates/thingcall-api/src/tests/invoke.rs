//! InvokeThingService as its callers see it.

use expect_test::expect;
use thingcall_core::{Answer, CallError, Outcome, Qos, ResultShape};
use tokio::time::Instant;

use super::bench::{Received, Script, Server, Setup, post, replied, testid};
use super::bench::{capture_time, signer};
use crate::Config;
use crate::sign;

const CALL: [(&str, &str); 4] =
    [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1"), ("Identifier", "testFb:testService"), ("Args", "{}")];

fn answers(result: Result<Answer, CallError>) -> Script {
    Box::new(move |_| Some(result.clone()))
}

async fn server(script: Script) -> Server {
    Setup { script, ..Setup::default() }.start().await
}

async fn xml(server: &Server) -> Received {
    // Without `Format`, as the reference documents the default of this signature.
    let query = sign::v1_request("POST", "InvokeThingService", &CALL, &signer(), capture_time());
    let params: Vec<_> = form_urlencoded::parse(query.as_bytes())
        .filter(|(name, _)| name != "Format" && name != "Signature")
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    let signature = sign::v1_signature("POST", &params, "testsecret");
    let all = params.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain([("Signature", &*signature)]);
    server.send(post(&crate::canonical::query(all))).await
}

/// The call with one parameter set to another value, or left out if that is empty.
async fn with(server: &Server, name: &str, value: &str) -> Received {
    let mut params: Vec<_> = CALL.into_iter().filter(|(other, _)| *other != name).collect();
    params.extend((!value.is_empty()).then_some((name, value)));
    server.acs3("InvokeThingService", &params).await
}

#[tokio::test]
async fn a_synchronous_call_answered() {
    let server = server(answers(Ok(replied(200, r#"{"result1":10.0}"#)))).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"MessageId":"100686","Result":"{\"code\":200,\"data\":{\"result1\":10.0},\"id\":\"100686\",\"message\":\"success\",\"version\":\"1.0\"}"}}"#]]
        .assert_eq(&server.acs3("InvokeThingService", &CALL).await.golden());
    expect!["<?xml version='1.0' encoding='UTF-8'?><InvokeThingServiceResponse><RequestId>[id]</RequestId><Success>true</Success><Data><MessageId>100686</MessageId><Result>{&quot;code&quot;:200,&quot;data&quot;:{&quot;result1&quot;:10.0},&quot;id&quot;:&quot;100686&quot;,&quot;message&quot;:&quot;success&quot;,&quot;version&quot;:&quot;1.0&quot;}</Result></Data></InvokeThingServiceResponse>"]
        .assert_eq(&xml(&server).await.golden());
}

#[tokio::test]
async fn an_asynchronous_call_accepted() {
    let server = server(answers(Ok(Answer::Accepted))).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"MessageId":"100686"}}"#]]
        .assert_eq(&server.acs3("InvokeThingService", &CALL).await.golden());
    expect!["<?xml version='1.0' encoding='UTF-8'?><InvokeThingServiceResponse><RequestId>[id]</RequestId><Success>true</Success><Data><MessageId>100686</MessageId></Data></InvokeThingServiceResponse>"]
        .assert_eq(&xml(&server).await.golden());
}

#[tokio::test]
async fn a_call_that_failed() {
    let server = server(answers(Err(CallError::Offline("a1BwAGVxxxx/light1".to_owned())))).await;
    let received = server.acs3("InvokeThingService", &CALL).await;
    assert_eq!(received.status, 200, "never 5xx: some SDKs would call the device again");
    expect![[r#"{"RequestId":"[id]","Success":false,"Code":"iot.messagebroker.OFFLINE","ErrorMessage":"device a1BwAGVxxxx/light1 is offline; the call was not sent","Message":"device a1BwAGVxxxx/light1 is offline; the call was not sent"}"#]]
        .assert_eq(&received.golden());
    expect!["<?xml version='1.0' encoding='UTF-8'?><InvokeThingServiceResponse><RequestId>[id]</RequestId><Success>false</Success><Code>iot.messagebroker.OFFLINE</Code><ErrorMessage>device a1BwAGVxxxx/light1 is offline; the call was not sent</ErrorMessage><Message>device a1BwAGVxxxx/light1 is offline; the call was not sent</Message></InvokeThingServiceResponse>"]
        .assert_eq(&xml(&server).await.golden());
}

#[tokio::test]
async fn a_devices_own_code_is_in_the_envelope_or_fails_the_call() {
    let script = || answers(Ok(replied(460, "{}")));
    let received = server(script()).await.acs3("InvokeThingService", &CALL).await;
    assert_eq!(received.json()["Success"], true, "{received:?}");
    let config = Config { result: ResultShape::Data, ..Config::default() };
    let bare = Setup { script: script(), config: config.clone(), ..Setup::default() }.start().await;
    assert_eq!(bare.acs3("InvokeThingService", &CALL).await.code(), "iot.device.InvokeThingServiceFailed");
    let mut key = testid();
    key.result = Some(ResultShape::Envelope);
    let own = Setup { script: script(), config, keys: vec![key], ..Setup::default() }.start().await;
    assert_eq!(own.acs3("InvokeThingService", &CALL).await.json()["Success"], true, "the key's shape wins");
}

#[tokio::test]
async fn what_is_missing_or_malformed_has_its_own_code() {
    let server = Setup::default().start().await;
    for (name, value, status, code) in [
        ("Identifier", "", 400, "MissingIdentifier"),
        ("Args", "", 400, "MissingArgs"),
        ("ProductKey", "", 200, "iot.prod.NullProductKey"),
        ("DeviceName", "", 200, "iot.device.NullDeviceName"),
        ("ProductKey", "a/b", 200, "iot.prod.InvalidFormattedProductkey"),
        ("DeviceName", "a+b", 200, "iot.device.InvalidFormattedDeviceName"),
        ("IotId", "#", 200, "iot.device.InvalidIoTId"),
        ("Identifier", "a:b:c", 200, "iot.device.InvokeThingServiceFailed"),
        ("Qos", "2", 200, "iot.system.IllegalRequest"),
    ] {
        let received = with(&server, name, value).await;
        assert_eq!((received.status, &*received.code()), (status, code), "{name}={value}: {received:?}");
        let (told, signed) = server.engine.told.lock().unwrap().pop().expect("it is told");
        assert_eq!((told.code.as_deref(), told.call_id, signed), (Some(code), None, true), "{told:?}");
        assert!(received.body.contains(&told.request_id), "{told:?}");
    }
    assert!(server.engine.requests.lock().unwrap().is_empty(), "none came to the engine");
    assert_eq!(server.engine.refused.lock().unwrap().len(), 9, "each is counted once");
}

#[tokio::test]
async fn parameters_become_a_request() {
    let server = Setup::default().start().await;
    let before = Instant::now();
    with(&server, "Qos", "1").await;
    with(&server, "IotId", "Q7uOhVRdZRRlDnTLv00100").await;
    let requests = server.engine.requests.lock().unwrap();
    assert_eq!((requests[0].qos, requests[0].service.to_string()), (Qos::AtLeastOnce, "testFb:testService".to_owned()));
    let left = requests[0].deadline.left(before.into_std());
    assert!(left.as_secs() >= 8 && left.as_secs() < 60, "{left:?}");
    assert_eq!(requests[1].target.to_string(), "Q7uOhVRdZRRlDnTLv00100", "IotId wins");
}

#[tokio::test]
async fn the_instance_id_must_be_the_servers_if_it_has_one() {
    let config = Config { instance_id: Some("iot-1".to_owned()), ..Config::default() };
    let server = Setup { config, ..Setup::default() }.start().await;
    for (given, code) in [("", "iot.Sre.IotInstanceNotFound"), ("iot-2", "iot.Sre.IotInstanceNotFound"), ("iot-1", "")]
    {
        assert_eq!(with(&server, "IotInstanceId", given).await.code(), code, "{given}");
    }
    let free = Setup::default().start().await;
    assert_eq!(with(&free, "IotInstanceId", "any").await.code(), "");
}

#[tokio::test]
async fn keys_of_an_account_share_its_quota() {
    let mut other = testid();
    other.id = "other".to_owned();
    let config = Config { calls_per_second_max: 1, ..Config::default() };
    let server = Setup { config, keys: vec![testid(), other], ..Setup::default() }.start().await;
    assert_eq!(server.acs3("InvokeThingService", &CALL).await.status, 200);
    let mut second = signer();
    second.key_id = "other".to_owned();
    let received = server.send(super::bench::acs3("InvokeThingService", &CALL, &second)).await;
    assert_eq!((received.status, &*received.code()), (400, "Throttling.User"), "{received:?}");
    assert_eq!(received.header("x-acs-retry-after"), Some("1"), "what makes the SDK raise its throttling exception");
    assert_eq!(*server.engine.refused.lock().unwrap(), [Outcome::Throttled]);
}

#[tokio::test]
async fn what_a_refused_request_asked_for_and_of_whom_is_told() {
    let server = Setup::default().start().await;
    let wrong = sign::Signer { secret: thingcall_core::Secret::new("another"), ..signer() };
    let topic = ("TopicFullName", "/a1B/lamp/user/get");
    let (one, two) = (("DeviceName.1", "lamp"), ("DeviceName.2", "other"));
    let pk = ("ProductKey", "a1B");
    for (action, params, device) in [
        ("RRpc", &[pk, ("DeviceName", "lamp")][..], "a1B/lamp"),
        ("RRpc", &[("IotId", "i7"), pk], "i7"),
        ("Pub", &[pk, topic], "a1B/lamp"),
        ("Pub", &[pk, ("TopicFullName", "/other/lamp/user/get")], "a1B"),
        ("QueryDevice", &[pk], "a1B"),
        ("InvokeThingsService", &[pk, one], "a1B/lamp"),
        ("InvokeThingsService", &[pk, one, two], "a1B/lamp and 1 other"),
        ("DeleteDevice", &[("DeviceName", "lamp")], "/lamp"),
        ("QueryProductList", &[], ""),
        ("NoSuchAction", &[], ""),
    ] {
        server.send(super::bench::acs3(action, params, &wrong)).await;
        let (told, _) = server.engine.told.lock().unwrap().pop().expect("it is told");
        assert_eq!((&*told.action, &*told.device), (action, device));
        assert_eq!(told.key_id.as_deref(), Some("testid"));
    }
}

#[tokio::test]
async fn a_call_with_a_wrong_signature_is_told_without_its_arguments() {
    let server = Setup::default().start().await;
    let wrong = sign::Signer { secret: thingcall_core::Secret::new("another"), ..signer() };
    let forged = super::bench::acs3("InvokeThingService", &CALL, &wrong);
    let refused = server.send(&forged).await;
    assert_eq!(refused.code(), "SignatureDoesNotMatch");
    let (told, signed) = server.engine.told.lock().unwrap().pop().expect("it is told");
    assert_eq!((told.outcome, signed), (Outcome::Denied, false));
    assert_eq!((told.code.as_deref(), told.service.as_str()), (Some("SignatureDoesNotMatch"), "testFb:testService"));
    assert!(!told.text.contains("Args") && !told.text.contains("param1"), "{}", told.text);
    server.acs3("GetDeviceStatus", &CALL).await;
    assert!(server.engine.told.lock().unwrap().is_empty(), "nothing was refused");
}
