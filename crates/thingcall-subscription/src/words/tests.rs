//! Every body, written out as the platform has it.

use bytes::Bytes;
use thingcall_core::{
    CallId, Device, DeviceKey, EndedCall, EventItem, Item, LifeCycle, MessageKind, MessageWords, Misfit, Outcome,
    Report, ReportWords, StatusChange, Tag, UnixMillis, Words,
};

use super::PlatformWords;

/// 2018-08-31T07:32:28.205Z.
const AT: UnixMillis = UnixMillis(1_535_700_748_205);

fn key() -> DeviceKey {
    DeviceKey { product: "pk1".try_into().unwrap(), name: "dev1".try_into().unwrap() }
}

fn device() -> Device {
    Device { key: key(), iot_id: "iot1".try_into().unwrap(), enabled: true, transport: None }
}

fn item(id: &str, value: &str, at: i64) -> Item {
    Item { id: id.to_owned(), value: value.to_owned(), at: UnixMillis(at), misfit: None }
}

fn unfit(id: &str, value: &str, at: i64) -> Item {
    let misfit = Misfit { code: Misfit::CODE, message: format!("tsl parse: params not exist -> {id}") };
    Item { misfit: Some(misfit), ..item(id, value, at) }
}

fn report(report: &Report) -> Words {
    PlatformWords.report(&device(), "42", AT, report)
}

#[track_caller]
fn says(words: &Words, topic: &str, body: &str) {
    assert_eq!(words.topic, topic);
    assert_eq!(std::str::from_utf8(&words.body).unwrap(), body);
}

fn ended(outcome: Outcome, code: Option<i64>, message: Option<&str>, data: Option<&str>) -> EndedCall {
    EndedCall {
        place: 1,
        at: AT,
        id: CallId::from_u32(67_108_865),
        device: key(),
        iot_id: "iot1".try_into().unwrap(),
        service: "testFb:doIt".try_into().unwrap(),
        outcome,
        code,
        message: message.map(str::to_owned),
        data: data.map(str::to_owned),
        trace: None,
        activated: true,
    }
}

#[test]
fn result_is_the_platform_s_reply_message() {
    says(
        &PlatformWords.result(&ended(Outcome::Ok, Some(200), None, Some(r#"{"a": 10.0}"#))),
        "/pk1/dev1/thing/downlink/reply/message",
        r#"{"gmtCreate":1535700748205,"iotId":"iot1","productKey":"pk1","deviceName":"dev1","requestId":67108865,"code":200,"message":"success","topic":"/sys/pk1/dev1/thing/service/testFb:doIt_reply","data":{"a": 10.0}}"#,
    );
    says(
        &PlatformWords.result(&ended(Outcome::DeviceError, Some(460), Some("no"), None)),
        "/pk1/dev1/thing/downlink/reply/message",
        r#"{"gmtCreate":1535700748205,"iotId":"iot1","productKey":"pk1","deviceName":"dev1","requestId":67108865,"code":460,"message":"no","topic":"/sys/pk1/dev1/thing/service/testFb:doIt_reply","data":{}}"#,
    );
}

#[test]
fn absent_device_has_the_platform_s_code_and_the_rest_says_what_happened() {
    let code_and_message = |ended: &EndedCall| {
        let body: serde_json::Value = serde_json::from_slice(&PlatformWords.result(ended).body).unwrap();
        (body["code"].as_i64().unwrap(), body["message"].as_str().unwrap().to_owned())
    };
    let offline = ended(Outcome::Offline, None, None, None);
    assert_eq!(code_and_message(&offline), (9201, "offline".to_owned()));
    let never = EndedCall { activated: false, ..ended(Outcome::Offline, None, None, None) };
    assert_eq!(code_and_message(&never), (9200, "not activated: the device has never connected".to_owned()));
    let said = EndedCall { activated: false, ..ended(Outcome::Offline, None, Some("device is offline"), None) };
    assert_eq!(code_and_message(&said), code_and_message(&never));
    let unread = ended(Outcome::InvalidReply, None, Some("no id"), None);
    assert_eq!(code_and_message(&unread), (500, "invalid_reply: no id".to_owned()));
}

#[test]
fn status_has_both_kinds_of_time_and_the_address_alone() {
    let change = |online: bool, address: Option<&str>| StatusChange {
        device: device(),
        online,
        at: AT,
        last_at: UnixMillis(AT.0 - 1_000),
        address: address.map(str::to_owned),
    };
    says(
        &PlatformWords.status(&change(true, Some("1.2.3.4:5678"))),
        "/as/mqtt/status/pk1/dev1",
        r#"{"status":"online","iotId":"iot1","productKey":"pk1","deviceName":"dev1","time":"2018-08-31 15:32:28.205","utcTime":"2018-08-31T07:32:28.205Z","lastTime":"2018-08-31 15:32:27.205","utcLastTime":"2018-08-31T07:32:27.205Z","clientIp":"1.2.3.4"}"#,
    );
    says(
        &PlatformWords.status(&change(false, Some("[2001:db8::1]:5678"))),
        "/as/mqtt/status/pk1/dev1",
        r#"{"status":"offline","iotId":"iot1","productKey":"pk1","deviceName":"dev1","time":"2018-08-31 15:32:28.205","utcTime":"2018-08-31T07:32:28.205Z","lastTime":"2018-08-31 15:32:27.205","utcLastTime":"2018-08-31T07:32:27.205Z","clientIp":"2001:db8::1","offlineReasonCode":427}"#,
    );
    for (address, shown) in [(None, ""), (Some("1.2.3.4"), "1.2.3.4"), (Some("::1"), "::1")] {
        let body = PlatformWords.status(&change(true, address)).body;
        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["clientIp"], shown);
    }
}

#[test]
fn time_has_three_decimals_also_where_they_are_noughts() {
    let change =
        StatusChange { device: device(), online: true, at: UnixMillis(0), last_at: UnixMillis(10), address: None };
    says(
        &PlatformWords.status(&change),
        "/as/mqtt/status/pk1/dev1",
        r#"{"status":"online","iotId":"iot1","productKey":"pk1","deviceName":"dev1","time":"1970-01-01 08:00:00.000","utcTime":"1970-01-01T00:00:00.000Z","lastTime":"1970-01-01 08:00:00.010","utcLastTime":"1970-01-01T00:00:00.010Z","clientIp":""}"#,
    );
}

#[test]
fn life_cycle_tells_no_secret() {
    says(
        &PlatformWords.life_cycle(&device(), LifeCycle::Create, AT),
        "/pk1/dev1/thing/lifecycle",
        r#"{"action":"create","iotId":"iot1","productKey":"pk1","deviceName":"dev1","deviceSecret":"","messageCreateTime":1535700748205}"#,
    );
    for (did, action) in [(LifeCycle::Delete, "delete"), (LifeCycle::Enable, "enable"), (LifeCycle::Disable, "disable")]
    {
        says(
            &PlatformWords.life_cycle(&device(), did, AT),
            "/pk1/dev1/thing/lifecycle",
            &format!(
                r#"{{"action":"{action}","iotId":"iot1","productKey":"pk1","deviceName":"dev1","messageCreateTime":1535700748205}}"#
            ),
        );
    }
}

#[test]
fn properties_stand_beside_those_that_do_not_fit() {
    let items = vec![item("Power", "\"on\"", 1), item("testFb:temp", "10.0", 2), unfit("x", r#"{"a":1}"#, 3)];
    says(
        &report(&Report::Properties(items.clone())),
        "/pk1/dev1/thing/event/property/post",
        r#"{"deviceType":"CustomCategory","iotId":"iot1","requestId":"42","productKey":"pk1","deviceName":"dev1","gmtCreate":1535700748205,"items":{"Power":{"value":"on","time":1},"testFb:temp":{"value":10.0,"time":2}},"checkFailedData":{"x":{"value":{"a":1},"time":3,"code":6304,"message":"tsl parse: params not exist -> x"}}}"#,
    );
    let history = report(&Report::PropertyHistory(items));
    assert_eq!(history.topic, "/pk1/dev1/thing/event/property/history/post");
}

#[test]
fn event_that_fits_is_its_value_and_one_that_does_not_is_what_failed() {
    let event = |item: Item| EventItem { item, name: "Alarm".to_owned(), level: "alert" };
    says(
        &report(&Report::Event(event(item("alarm", r#"{"level":2}"#, 7)))),
        "/pk1/dev1/thing/event/alarm/post",
        r#"{"identifier":"alarm","name":"Alarm","type":"alert","deviceType":"CustomCategory","iotId":"iot1","requestId":"42","productKey":"pk1","deviceName":"dev1","gmtCreate":1535700748205,"value":{"level":2},"checkFailedData":{},"time":7}"#,
    );
    says(
        &report(&Report::EventHistory(event(unfit("fb:alarm", r#"{"x":2}"#, 7)))),
        "/pk1/dev1/thing/event/fb:alarm/history/post",
        r#"{"identifier":"fb:alarm","name":"Alarm","type":"alert","deviceType":"CustomCategory","iotId":"iot1","requestId":"42","productKey":"pk1","deviceName":"dev1","gmtCreate":1535700748205,"value":{},"checkFailedData":{"value":{"x":2},"code":6304,"message":"tsl parse: params not exist -> fb:alarm"},"time":7}"#,
    );
}

#[test]
fn batch_has_the_values_of_one_name_together() {
    let items = vec![item("Power", "1", 1), item("Power", "0", 2), unfit("Power", "[]", 3), item("WF", "2.5", 2)];
    says(
        &report(&Report::PropertyBatch(items)),
        "/pk1/dev1/thing/property/batch/post",
        r#"{"productKey":"pk1","deviceName":"dev1","requestId":"42","iotId":"iot1","gmtCreate":1535700748205,"payload":{"Power":[{"value":1,"time":1},{"value":0,"time":2}],"WF":[{"value":2.5,"time":2}]},"checkFailedData":{"Power":[{"value":[],"time":3,"code":6304,"message":"tsl parse: params not exist -> Power"}]}}"#,
    );
    says(
        &report(&Report::EventBatch(vec![item("alarm", r#"{"level":1}"#, 5)])),
        "/pk1/dev1/thing/event/batch/post",
        r#"{"productKey":"pk1","deviceName":"dev1","requestId":"42","iotId":"iot1","gmtCreate":1535700748205,"payload":{"alarm":[{"value":{"level":1},"time":5}]},"checkFailedData":{}}"#,
    );
}

#[test]
fn tags_are_keys_and_values() {
    let tags = vec![Tag { key: "where".to_owned(), value: "\"attic\"".to_owned() }];
    says(
        &report(&Report::TagsSet(tags)),
        "/pk1/dev1/thing/deviceinfo/update",
        r#"{"iotId":"iot1","productKey":"pk1","deviceName":"dev1","value":[{"attrKey":"where","attrValue":"\"attic\""}],"messageCreateTime":1535700748205}"#,
    );
    says(
        &report(&Report::TagsRemoved(vec!["where".to_owned()])),
        "/pk1/dev1/thing/deviceinfo/delete",
        r#"{"iotId":"iot1","productKey":"pk1","deviceName":"dev1","value":[{"attrKey":"where"}],"messageCreateTime":1535700748205}"#,
    );
}

#[test]
fn custom_message_is_the_device_s_own_bytes() {
    let payload = Bytes::from_static(b"\x00\xff{");
    let words = report(&Report::Custom { topic: "/pk1/dev1/user/up".to_owned(), payload: payload.clone() });
    assert_eq!((words.topic.as_str(), words.body), ("/pk1/dev1/user/up", payload));
}

#[test]
fn what_is_no_json_is_told_as_a_text() {
    let words = report(&Report::Properties(vec![item("Power", "{\"a", 1)]));
    let body: serde_json::Value = serde_json::from_slice(&words.body).unwrap();
    assert_eq!(body["items"]["Power"]["value"], "{\"a");
}

#[test]
fn number_of_any_length_stays_as_it_was_written() {
    let words = report(&Report::Properties(vec![item("n", "123456789012345678901234567890.10", 1)]));
    assert!(std::str::from_utf8(&words.body).unwrap().contains(r#"{"value":123456789012345678901234567890.10,"#));
}

#[test]
fn each_report_is_of_one_kind() {
    let of = |report: Report| report.kind();
    assert_eq!(of(Report::Properties(Vec::new())), MessageKind::Property);
    assert_eq!(of(Report::PropertyBatch(Vec::new())), MessageKind::Property);
    assert_eq!(of(Report::PropertyHistory(Vec::new())), MessageKind::History);
    assert_eq!(of(Report::EventBatch(Vec::new())), MessageKind::Event);
    assert_eq!(of(Report::TagsRemoved(Vec::new())), MessageKind::Tag);
}
