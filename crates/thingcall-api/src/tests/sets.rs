//! Properties that are set, and calls of many devices, as their callers see them.

use expect_test::expect;
use thingcall_core::{Answer, Asks, CallError, Outcome, Qos, Request};

use super::bench::{Script, Server, Setup};
use crate::Config;

const LIGHT: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];
const ITEMS: (&str, &str) = ("Items", r#"{"on":1,"fb:level":2}"#);

async fn server(script: Script) -> Server {
    Setup { script, ..Setup::default() }.start().await
}

async fn accepting() -> Server {
    server(Box::new(|_| Some(Ok(Answer::Accepted)))).await
}

fn names(names: &[&str]) -> Vec<(String, String)> {
    names.iter().enumerate().map(|(at, name)| (format!("DeviceName.{}", at + 1), (*name).to_owned())).collect()
}

/// The action, for these devices.
async fn many(server: &Server, action: &str, devices: &[&str]) -> super::bench::Received {
    let named = names(devices);
    let mut params: Vec<(&str, &str)> = named.iter().map(|(name, value)| (&**name, &**value)).collect();
    params.extend([LIGHT[0], ITEMS, ("Identifier", "SetScene"), ("Args", "{}"), ("Qos", "1")]);
    server.acs3(action, &params).await
}

fn asked(server: &Server) -> Vec<(String, Asks, String)> {
    let requests = server.engine.requests.lock().unwrap();
    let one = |request: &Request| (request.target.to_string(), request.asks.clone(), request.service.to_string());
    let mut all: Vec<_> = requests.iter().map(one).collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

#[tokio::test]
async fn properties_are_set_by_a_call_that_nobody_waits_for() {
    let server = accepting().await;
    let params = [LIGHT[0], LIGHT[1], ITEMS, ("Qos", "1")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"MessageId":"100686"}}"#]]
        .assert_eq(&server.acs3("SetDeviceProperty", &params).await.golden());
    assert_eq!(asked(&server), [("a1BwAGVxxxx/light1".to_owned(), Asks::Properties, "set".to_owned())]);
    let request = server.engine.requests.lock().unwrap().pop().unwrap();
    assert_eq!((request.args.as_str(), request.qos), (ITEMS.1, Qos::AtLeastOnce));
}

#[tokio::test]
async fn properties_that_cannot_be_set_have_a_code_of_their_own() {
    let server = server(Box::new(|_| Some(Err(CallError::InvalidArgs("Items.on is 2".to_owned()))))).await;
    let refused = server.acs3("SetDeviceProperty", &[LIGHT[0], LIGHT[1], ITEMS]).await;
    assert_eq!((refused.status, &*refused.code()), (200, "iot.device.SetDevicePropertyFailed"), "{refused:?}");
    assert_eq!(server.acs3("SetDeviceProperty", &LIGHT).await.code(), "MissingItems");
    assert_eq!(server.acs3("SetDeviceProperty", &[ITEMS]).await.code(), "iot.prod.NullProductKey");
    let qos = server.acs3("SetDeviceProperty", &[LIGHT[0], LIGHT[1], ITEMS, ("Qos", "2")]).await;
    assert_eq!(qos.code(), "iot.system.IllegalRequest");
}

#[tokio::test]
async fn many_devices_are_called_once_each_and_the_answer_has_no_data() {
    for (action, asks, service) in
        [("InvokeThingsService", Asks::ServiceUnawaited, "SetScene"), ("SetDevicesProperty", Asks::Properties, "set")]
    {
        let server = accepting().await;
        let answer = many(&server, action, &["light1", "light2", "light1"]).await;
        expect![[r#"{"RequestId":"[id]","Success":true}"#]].assert_eq(&answer.golden());
        let call = |name: &str| (format!("a1BwAGVxxxx/{name}"), asks.clone(), service.to_owned());
        assert_eq!(asked(&server), [call("light1"), call("light2")], "{action}");
    }
}

#[tokio::test]
async fn where_one_of_many_would_be_refused_none_is_called() {
    let server = accepting().await;
    let refused = many(&server, "SetDevicesProperty", &["light1", "nobody"]).await;
    assert_eq!(refused.code(), "iot.device.NotExistedDevice");
    assert!(refused.body.contains("a1BwAGVxxxx/nobody"), "{refused:?}");
    assert!(asked(&server).is_empty());
    assert_eq!(*server.engine.refused.lock().unwrap(), [Outcome::UnknownTarget]);
}

#[tokio::test]
async fn what_failed_of_many_is_counted_for_the_caller() {
    let full = |request: &Request| {
        let full = request.target.to_string().ends_with('2');
        Some(if full { Err(CallError::Overloaded("100 commands".to_owned())) } else { Ok(Answer::Accepted) })
    };
    let server = server(Box::new(full)).await;
    let answer = many(&server, "InvokeThingsService", &["light1", "light2", "light3"]).await;
    assert_eq!(answer.code(), "iot.messagebroker.RateLimit");
    assert!(answer.body.contains("1 of 3 devices were not called"), "{answer:?}");
    let one = many(&server, "InvokeThingsService", &["light2"]).await;
    assert!(one.body.contains("too many calls at once: 100 commands"), "{one:?}");
}

#[tokio::test]
async fn devices_are_one_to_a_hundred() {
    let server = accepting().await;
    assert_eq!(many(&server, "InvokeThingsService", &[]).await.code(), "iot.device.NoneDeviceNameElement");
    let all: Vec<String> = (0..101).map(|at| format!("light{at}")).collect();
    let all: Vec<&str> = all.iter().map(String::as_str).collect();
    assert_eq!(many(&server, "InvokeThingsService", &all[..100]).await.code(), "");
    let refused = many(&server, "InvokeThingsService", &all).await;
    assert_eq!(refused.code(), "iot.system.IllegalRequest");
    assert!(refused.body.contains("more than 100 devices"), "{refused:?}");
    let malformed = many(&server, "SetDevicesProperty", &["light1", "a b"]).await;
    assert_eq!(malformed.code(), "iot.device.InvalidFormattedDeviceName");
}

#[tokio::test]
async fn actions_for_many_have_a_quota_each() {
    let config = Config { batch_calls_per_second_max: 1, ..Config::default() };
    let script: Script = Box::new(|_| Some(Ok(Answer::Accepted)));
    let server = Setup { config, script, ..Setup::default() }.start().await;
    assert_eq!(many(&server, "InvokeThingsService", &["light1"]).await.code(), "");
    assert_eq!(many(&server, "InvokeThingsService", &["light1"]).await.code(), "Throttling.User");
    assert_eq!(many(&server, "SetDevicesProperty", &["light1"]).await.code(), "");
    assert!(server.metrics().contains("thingcall_account_batch_calls_per_second_limit 1"), "{}", server.metrics());
}
