//! What devices say, as their SDKs write it, and what they are answered.

use bytes::Bytes;
use thingcall_core::{
    DeviceKey, DropReason, Post, PostAnswer, PostEcho, Said, Series, Tag, Takes, Told, TransportKind, UnixMillis, Value,
};

use super::{POST_FILTERS, answer_payload, answer_topic, post_of};
use crate::{Uplink, uplink};

fn key() -> DeviceKey {
    DeviceKey { product: "pk".try_into().unwrap(), name: "d1".try_into().unwrap() }
}

fn read(topic: &str, payload: &str) -> Uplink {
    uplink(TransportKind::Mqtt, topic, &Bytes::copy_from_slice(payload.as_bytes()), 4096, |_, _| Takes::Alink)
}

#[track_caller]
fn post(topic: &str, payload: &str) -> Post {
    let said = read(topic, payload);
    let Uplink::Post(post) = said else { panic!("{topic}: {said:?}") };
    *post
}

fn value(id: &str, value: &str, at: Option<i64>) -> Value {
    Value { id: id.to_owned(), value: value.to_owned(), at: at.map(UnixMillis) }
}

const PROPERTIES: &str = "/sys/pk/d1/thing/event/property/post";

#[test]
fn properties_are_read_with_their_times_and_as_they_were_written() {
    let post = post(
        PROPERTIES,
        r#"{"id":"123","version":"1.0","sys":{"ack":1},"params":{"Power":{"value":"on","time":1524448722000},"WF":{"value":23.60,"time":"7"},"n":10.0,"fb:s":{"value":1,"other":2},"e":{"time":3}},"method":"thing.event.property.post"}"#,
    );

    let values = vec![
        value("Power", "\"on\"", Some(1_524_448_722_000)),
        value("WF", "23.60", Some(7)),
        value("n", "10.0", None),
        value("fb:s", r#"{"value":1,"other":2}"#, None),
        value("e", r#"{"time":3}"#, None),
    ];
    assert_eq!(post.said, Said::Properties(values));
    assert_eq!(post.device, key());
    let echo = PostEcho {
        topic: format!("{PROPERTIES}_reply"),
        id: "\"123\"".to_owned(),
        version: "1.0".to_owned(),
        method: "thing.event.property.post".to_owned(),
    };
    assert_eq!(post.echo, Some(echo));
}

#[test]
fn of_what_stands_there_twice_the_last_counts() {
    let twice = r#"{"id":"1","params":{"a":1,"b":2,"a":{"value":3,"value":4,"time":5}},"params2":{},"id":"2"}"#;
    let post = post(PROPERTIES, twice);
    assert_eq!(post.said, Said::Properties(vec![value("b", "2", None), value("a", "4", Some(5))]));
    assert_eq!(post.echo.unwrap().id, "\"2\"");
}

#[test]
fn id_goes_back_as_it_came() {
    // The last one is how the Node device SDK finds its callback.
    for id in ["7", "7.0", "\"7\"", r#""1|exp-topic|/sys/pk/d1/thing/event/property/post_reply""#, r#"{"a":1}"#] {
        let post = post(PROPERTIES, &format!(r#"{{"id":{id},"params":{{"a":1}}}}"#));
        let echo = post.echo.unwrap();
        assert_eq!((echo.id.as_str(), echo.version.as_str()), (id, "1.0"));
        let answer = answer(echo, 200, "success", &[]);
        assert!(answer.contains(&format!(r#""id":{id},"message""#)), "{answer}");
    }
}

#[test]
fn device_that_wants_no_answer_gets_none() {
    for sys in [r#"{"ack":0}"#, r#"{"ack":"0"}"#] {
        assert_eq!(post(PROPERTIES, &format!(r#"{{"id":"1","sys":{sys},"params":{{}}}}"#)).echo, None, "{sys}");
    }
    for sys in ["{}", r#"{"ack":1}"#, "7", "null"] {
        assert!(post(PROPERTIES, &format!(r#"{{"id":"1","sys":{sys},"params":{{}}}}"#)).echo.is_some(), "{sys}");
    }
}

#[test]
fn event_is_read_with_and_without_a_frame() {
    let said =
        |params: &str| post("/sys/pk/d1/thing/event/fb:alarm/post", &format!(r#"{{"id":"1","params":{params}}}"#)).said;
    assert_eq!(said(r#"{"value":{"level":1},"time":5}"#), Said::Event(value("fb:alarm", r#"{"level":1}"#, Some(5))));
    // The Python device SDK names no time.
    assert_eq!(said(r#"{"value":{"level":1}}"#), Said::Event(value("fb:alarm", r#"{"level":1}"#, None)));
    assert_eq!(said(r#"{"level":1}"#), Said::Event(value("fb:alarm", r#"{"level":1}"#, None)));
    assert!(matches!(said("[]"), Said::Refused { code: 460, .. }));
}

#[test]
fn batch_has_several_values_of_each() {
    let said = post(
        "/sys/pk/d1/thing/event/property/batch/post",
        r#"{"id":"1","params":{"properties":{"Power":[{"value":"on","time":1},{"value":"off","time":2}],"WF":[{"value":3}]},"events":{"alarm":[{"value":{"p":"1"},"time":4}]}}}"#,
    )
    .said;
    let properties =
        vec![value("Power", "\"on\"", Some(1)), value("Power", "\"off\"", Some(2)), value("WF", "3", None)];
    let events = vec![value("alarm", r#"{"p":"1"}"#, Some(4))];
    assert_eq!(said, Said::Batch(Series { properties, events }));
}

#[test]
fn history_is_of_the_device_itself() {
    let topic = "/sys/pk/d1/thing/event/property/history/post";
    let of = |identity: &str| {
        let params = format!(
            r#"[{{"identity":{identity},"properties":[{{"Power":{{"value":"on","time":1}},"WF":{{"value":2,"time":1}}}},{{"Power":{{"value":"off","time":2}}}}],"events":[{{"alarm":{{"value":{{"p":1}},"time":3}}}}]}}]"#
        );
        post(topic, &format!(r#"{{"id":123,"version":"1.0","params":{params}}}"#)).said
    };
    let properties = vec![
        vec![value("Power", "\"on\"", Some(1)), value("WF", "2", Some(1))],
        vec![value("Power", "\"off\"", Some(2))],
    ];
    let events = vec![value("alarm", r#"{"p":1}"#, Some(3))];
    let own = Said::History { properties, events };
    assert_eq!(of(r#"{"productKey":"pk","deviceName":"d1"}"#), own);
    assert_eq!(of("{}"), own);
    let Said::Refused { code, why } = of(r#"{"productKey":"pk","deviceName":"d2"}"#) else { panic!("taken") };
    assert_eq!(code, 460);
    assert!(why.contains("sub-devices are not supported"), "{why}");
}

#[test]
fn tags_are_set_and_removed() {
    let set = post(
        "/sys/pk/d1/thing/deviceinfo/update",
        r#"{"id":"1","params":[{"attrKey":"where","attrValue":"attic"},{"domain":"SYSTEM","attrKey":"n","attrValue":36.80}],"method":"thing.deviceinfo.update"}"#,
    );
    let tag = |key: &str, value: &str| Tag { key: key.to_owned(), value: value.to_owned() };
    assert_eq!(set.said, Said::TagsSet(vec![tag("where", "attic"), tag("n", "36.80")]));
    let removed = post("/sys/pk/d1/thing/deviceinfo/delete", r#"{"id":"1","params":[{"attrKey":"where"}]}"#);
    assert_eq!(removed.said, Said::TagsRemoved(vec!["where".to_owned()]));
    let wrong = post("/sys/pk/d1/thing/deviceinfo/update", r#"{"id":"1","params":[{"attrValue":"attic"}]}"#);
    assert!(matches!(wrong.said, Said::Refused { code: 460, .. }));
}

#[test]
fn what_nobody_does_anything_with_is_refused_in_words() {
    for thing in ["config/get", "property/desired/get", "dsltemplate/get", "event/property/pack/post", "topo/add"] {
        let topic = format!("/sys/pk/d1/thing/{thing}");
        let method = format!("thing.{}", thing.replace('/', "."));
        let post = post(&topic, &format!(r#"{{"id":"5","version":"1.0","params":{{}},"method":"{method}"}}"#));
        let Said::Refused { code, why } = post.said else { panic!("{thing} is taken") };
        assert_eq!(code, 460);
        assert_eq!(why, format!("request parameter error: \"{method}\" is not supported here"));
        assert_eq!(post.echo.unwrap().topic, format!("{topic}_reply"));
    }
}

#[test]
fn what_answers_us_is_no_post() {
    for topic in ["service/property/get_reply", "config/push_reply", "service/property/get"] {
        let said = read(&format!("/sys/pk/d1/thing/{topic}"), r#"{"id":"1","code":200,"data":{}}"#);
        assert!(matches!(said, Uplink::Other(device) if device == key()), "{topic}");
    }
}

#[test]
fn more_properties_than_may_be_are_refused() {
    let params = |count: usize| (0..count).map(|n| format!(r#""p{n}":1"#)).collect::<Vec<_>>().join(",");
    let said = |count| post(PROPERTIES, &format!(r#"{{"id":"1","params":{{{}}}}}"#, params(count))).said;
    assert!(matches!(said(200), Said::Properties(values) if values.len() == 200));
    assert!(matches!(said(201), Said::Refused { code: 6106, .. }));
}

#[test]
fn time_is_asked_for() {
    let asked = post("/ext/ntp/pk/d1/request", r#"{"deviceSendTime":"1571724098000"}"#);
    assert_eq!(asked.said, Said::AsksTime("\"1571724098000\"".to_owned()));

    let told = Told::Time { asked_at: "\"1571724098000\"".to_owned(), came_at: UnixMillis(1_571_724_098_110) };
    let answer = PostAnswer { device: key(), told };
    assert_eq!(answer_topic(&answer), "/ext/ntp/pk/d1/response");
    let payload = answer_payload(&answer, UnixMillis(1_571_724_098_115));
    let text =
        r#"{"deviceSendTime":"1571724098000","serverRecvTime":"1571724098110","serverSendTime":"1571724098115"}"#;
    assert_eq!(std::str::from_utf8(&payload).unwrap(), text);
}

#[test]
fn custom_message_is_taken_as_it_is() {
    let said = post("/pk/d1/user/up/er", "\u{1}{").said;
    let payload = Bytes::from_static(b"\x01{");
    assert_eq!(said, Said::Custom { topic: "/pk/d1/user/up/er".to_owned(), payload });
    for topic in ["/pk/d1/userx", "/pk/d1/user", "/sys/d1/user/x", "/ota/d1/user/x", "/pk/d1/get/user/x"] {
        assert!(!matches!(read(topic, "{}"), Uplink::Post(_)), "{topic}");
    }
}

#[test]
fn of_a_member_that_is_there_twice_the_last_counts_and_the_post_is_answered() {
    let twice =
        post(PROPERTIES, r#"{"id":"1","id":"2","params":{"a":1},"params":{"b":2},"method":"x","version":null}"#);
    assert_eq!(twice.echo.unwrap().id, "\"2\"");
    let Said::Properties(values) = twice.said else { panic!("no properties") };
    assert_eq!(values.iter().map(|value| value.id.as_str()).collect::<Vec<_>>(), ["b"]);
    let asked = post("/ext/ntp/pk/d1/request", r#"{"deviceSendTime":"1","deviceSendTime":"2"}"#).said;
    assert_eq!(asked, Said::AsksTime("\"2\"".to_owned()));
}

#[test]
fn what_cannot_be_read_is_dropped_with_its_reason() {
    for payload in ["", "x", "[1,2,3,4,5]", "{\"id\":\"1\"", "\"text\""] {
        let said = read(PROPERTIES, payload);
        assert!(matches!(said, Uplink::Dropped(Some(_), DropReason::UnreadablePost)), "{payload}: {said:?}");
    }
    assert!(matches!(read(PROPERTIES, &"x".repeat(4097)), Uplink::Dropped(Some(_), DropReason::TooLarge)));
    let deep = format!(r#"{{"id":"1","params":{}}}"#, "[".repeat(2000));
    assert!(matches!(read(PROPERTIES, &deep), Uplink::Dropped(..)));
    // As two SDKs frame their texts.
    assert!(matches!(read(PROPERTIES, "\u{feff}{\"id\":\"1\",\"params\":{}}\0"), Uplink::Post(_)));
}

#[test]
fn answer_has_all_that_sdks_read() {
    let echo = PostEcho {
        topic: format!("{PROPERTIES}_reply"),
        id: "\"123\"".to_owned(),
        version: "1.0".to_owned(),
        method: "thing.event.property.post".to_owned(),
    };
    let told = answer(echo.clone(), 200, "success", &[]);
    assert_eq!(
        told,
        r#"{"code":200,"data":{},"id":"123","message":"success","method":"thing.event.property.post","version":"1.0"}"#
    );
    let told = answer(echo, 200, "success", &[("x", "tsl parse: params not exist -> x")]);
    assert!(told.starts_with(r#"{"code":200,"data":{"x":"tsl parse: params not exist -> x"},"id""#), "{told}");
}

fn answer(echo: PostEcho, code: i64, message: &str, failed: &[(&str, &str)]) -> String {
    let failed = failed.iter().map(|(name, why)| ((*name).to_owned(), (*why).to_owned())).collect();
    let told = Told::Done { echo, code, message: message.to_owned(), failed };
    let answer = PostAnswer { device: key(), told };
    String::from_utf8(answer_payload(&answer, UnixMillis(0)).to_vec()).unwrap()
}

#[test]
fn report_in_a_device_s_own_bytes_is_known_by_its_method() {
    let of = |text: &str| post_of(&key(), text.as_bytes());
    let post = of(r#"{"method":"thing.event.property.post","id":"1","params":{"a":1}}"#).unwrap();
    assert_eq!((post.said, post.echo), (Said::Properties(vec![value("a", "1", None)]), None));
    let post = of(r#"{"method":"thing.event.alarm.post","params":{"value":{}}}"#).unwrap();
    assert_eq!(post.said, Said::Event(value("alarm", "{}", None)));
    for text in [r#"{"id":"1","code":200,"data":{}}"#, r#"{"method":"thing.service.x","params":{}}"#, "x", "{}"] {
        assert_eq!(of(text), None, "{text}");
    }
}

#[test]
fn every_post_fits_a_filter_and_no_answer_does() {
    let topics = [
        PROPERTIES,
        "/sys/pk/d1/thing/event/alarm/post",
        "/sys/pk/d1/thing/event/property/batch/post",
        "/sys/pk/d1/thing/event/property/history/post",
        "/sys/pk/d1/thing/deviceinfo/update",
        "/sys/pk/d1/thing/deviceinfo/delete",
        "/pk/d1/user/a/b",
        "/ext/ntp/pk/d1/request",
        "/sys/pk/d1/thing/model/up_raw",
    ];
    let fits = |topic: &str| POST_FILTERS.iter().any(|filter| matches(filter, topic));
    for topic in topics {
        assert!(fits(topic), "{topic}");
        assert!(topic.contains("/user/") || !fits(&format!("{topic}_reply")), "{topic}");
    }
    assert!(!fits("/ext/ntp/pk/d1/response"));
}

fn matches(filter: &str, topic: &str) -> bool {
    let (mut filter, mut topic) = (filter.split('/'), topic.split('/'));
    loop {
        match (filter.next(), topic.next()) {
            (Some("#"), _) | (None, None) => return true,
            (Some(wanted), Some(level)) if wanted == "+" || wanted == level => {}
            _ => return false,
        }
    }
}
