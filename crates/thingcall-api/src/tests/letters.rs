//! Pub and RRpc as their callers see them.

use std::sync::Arc;

use expect_test::expect;
use thingcall_core::{Answer, Asks, CallError, Executed, Letter, LetterTo, Qos};

use super::bench::{Script, Server, Setup, replied};

const LIGHT: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];
const TOPIC: (&str, &str) = ("TopicFullName", "/a1BwAGVxxxx/light1/user/get");
const CONTENT: (&str, &str) = ("MessageContent", "aGVsbG8=");
const QUESTION: [(&str, &str); 4] = [LIGHT[0], LIGHT[1], ("RequestBase64Byte", "aGVsbG8="), ("Timeout", "3000")];

async fn server(script: Script) -> Server {
    Setup { script, ..Setup::default() }.start().await
}

async fn accepting() -> Server {
    server(Box::new(|_| Some(Ok(Answer::Accepted)))).await
}

fn letter(server: &Server) -> (Arc<Letter>, Qos) {
    let request = server.engine.requests.lock().unwrap().pop().expect("a request");
    let Asks::Letter(letter) = request.asks else { panic!("{request:?}") };
    (letter, request.qos)
}

/// Pub with this beside what must be there.
async fn publish(server: &Server, more: &[(&str, &str)]) -> super::bench::Received {
    server.acs3("Pub", &[&LIGHT[..], &[TOPIC, CONTENT], more].concat()).await
}

#[tokio::test]
async fn message_is_published_as_it_is() {
    let server = accepting().await;
    expect![[r#"{"RequestId":"[id]","Success":true,"MessageId":"100686"}"#]]
        .assert_eq(&publish(&server, &[("Qos", "1")]).await.golden());
    let (sent, qos) = letter(&server);
    assert_eq!((&sent.to, qos), (&LetterTo::Topic(TOPIC.1.into()), Qos::AtLeastOnce));
    assert_eq!((&*sent.payload, &sent.extras), (&b"hello"[..], &None));
}

#[tokio::test]
async fn what_mqtt_5_carries_goes_with_it() {
    let server = accepting().await;
    let more = [
        ("ContentType", "text/plain"),
        ("CorrelationData", "AP8="),
        ("ResponseTopic", "/a1BwAGVxxxx/light1/user/answer"),
        ("MessageExpiryInterval", "60"),
        ("PayloadFormatIndicator", "1"),
        ("UserProp.1.Key", "k"),
        ("UserProp.1.Value", "v"),
        ("Retained", "false"),
    ];
    assert_eq!(publish(&server, &more).await.code(), "");
    let (sent, _) = letter(&server);
    let extras = sent.extras.as_deref().expect("extras");
    assert_eq!((extras.content_type.as_deref(), extras.is_utf8), (Some("text/plain"), true));
    assert_eq!((extras.correlation_data.as_deref(), extras.expires_after_s), (Some(&b"\x00\xff"[..]), Some(60)));
    assert_eq!(extras.response_topic.as_deref(), Some("/a1BwAGVxxxx/light1/user/answer"));
    assert_eq!(extras.user, [("k".to_owned(), "v".to_owned())]);
    for (name, value) in [
        ("Retained", "true"),
        ("PayloadFormatIndicator", "2"),
        ("MessageExpiryInterval", "soon"),
        ("UserProp.1.Key", "k"),
    ] {
        assert_eq!(publish(&server, &[(name, value)]).await.code(), "iot.system.IllegalRequest", "{name}={value}");
    }
}

#[tokio::test]
async fn device_is_named_by_the_topic_where_nothing_else_names_it() {
    let server = accepting().await;
    let to = async |topic: &str| {
        let answer = server.acs3("Pub", &[LIGHT[0], ("TopicFullName", topic), CONTENT]).await;
        let request = server.engine.requests.lock().unwrap().pop();
        (answer.code(), request.map(|request| request.target.to_string()).unwrap_or_default())
    };
    for topic in ["/a1BwAGVxxxx/light2/user/get", "/sys/a1BwAGVxxxx/light2/thing/config/push"] {
        assert_eq!(to(topic).await, (String::new(), "a1BwAGVxxxx/light2".to_owned()), "{topic}");
    }
    for topic in ["/other/light2/user/get", "/a1BwAGVxxxx", "/a1BwAGVxxxx//user", "/a1BwAGVxxxx/+/user/get"] {
        let code = "iot.messagebroker.InvalidFormattedTopicName".to_owned();
        assert_eq!(to(topic).await, (code, String::new()), "{topic}");
    }
}

#[tokio::test]
async fn what_is_no_message_is_refused_by_the_platform_s_codes() {
    let server = accepting().await;
    let without =
        |name: &str| [&LIGHT[..], &[TOPIC, CONTENT]].concat().into_iter().filter(|(n, _)| *n != name).collect();
    let code = async |params: Vec<(&str, &str)>| server.acs3("Pub", &params).await.code();
    assert_eq!(code(without("TopicFullName")).await, "iot.messagebroker.NullTopicName");
    assert_eq!(code(without("MessageContent")).await, "iot.messagebroker.NullMessageContent");
    assert_eq!(code(without("ProductKey")).await, "iot.prod.NullProductKey");
    let plain = [&LIGHT[..], &[TOPIC, ("MessageContent", "no base64!")]].concat();
    assert_eq!(code(plain).await, "iot.messagebroker.MessageContentIsNotBase64Encode");
    let refusing =
        super::letters::server(Box::new(|_| Some(Err(CallError::InvalidTopic("none of its topics".to_owned())))));
    assert_eq!(publish(&refusing.await, &[]).await.code(), "iot.messagebroker.InvalidFormattedTopicName");
    let refusing = super::letters::server(Box::new(|_| Some(Err(CallError::NotDelivered("no".to_owned())))));
    assert_eq!(publish(&refusing.await, &[]).await.code(), "iot.messagebroker.PublishMessageFailed");
}

#[tokio::test]
async fn question_is_answered_in_bytes_and_with_a_number() {
    let server = server(Box::new(|_| Some(Ok(replied(200, "{}"))))).await;
    expect![[
        r#"{"RequestId":"[id]","Success":true,"RrpcCode":"SUCCESS","PayloadBase64Byte":"cG9uZw==","MessageId":100686}"#
    ]]
    .assert_eq(&server.acs3("RRpc", &QUESTION).await.golden());
    assert_eq!(letter(&server).0.to, LetterTo::Rrpc);
    let params = [&QUESTION[..], &[("Topic", TOPIC.1)]].concat();
    server.acs3("RRpc", &params).await;
    assert_eq!(letter(&server).0.to, LetterTo::RrpcOn(TOPIC.1.into()));
}

#[tokio::test]
async fn device_that_does_not_answer_is_told_by_a_word() {
    let device = || "a1BwAGVxxxx/light1".to_owned();
    for (why, word) in [
        (CallError::Timeout { device: device(), waited_ms: 3000, hint: None }, "TIMEOUT"),
        (CallError::Offline(device()), "OFFLINE"),
        (CallError::WentOffline(device()), "HALFCONN"),
        (CallError::TransportLost, "UNKNOWN"),
        (CallError::Cancelled { device: device(), executed: Executed::Maybe }, "UNKNOWN"),
    ] {
        let server = server(Box::new(move |_| Some(Err(why.clone())))).await;
        let answer = server.acs3("RRpc", &QUESTION).await.json();
        assert_eq!((&answer["Success"], &answer["RrpcCode"]), (&true.into(), &word.into()), "{answer}");
        assert!(answer["PayloadBase64Byte"].is_null(), "{answer}");
    }
    let server = server(Box::new(|_| Some(Err(CallError::UnknownDevice("a1BwAGVxxxx/light1".to_owned()))))).await;
    assert_eq!(server.acs3("RRpc", &QUESTION).await.code(), "iot.device.NotExistedDevice");
}

#[tokio::test]
async fn time_and_bytes_of_a_question_have_bounds() {
    let server = accepting().await;
    for (timeout, code) in [("999", true), ("8001", true), ("soon", true), ("1000", false), ("8000", false)] {
        let params = [&QUESTION[..3], &[("Timeout", timeout)]].concat();
        let refused = server.acs3("RRpc", &params).await.code() == "iot.messagebroker.InvalidTimeoutValue";
        assert_eq!(refused, code, "{timeout}");
    }
    assert_eq!(server.acs3("RRpc", &QUESTION[..3]).await.code(), "MissingTimeout");
    let plain = [&LIGHT[..], &[("RequestBase64Byte", "?"), ("Timeout", "1000")]].concat();
    assert_eq!(server.acs3("RRpc", &plain).await.code(), "iot.messagebroker.MessageContentIsNotBase64Encode");
}

#[tokio::test]
async fn question_that_nobody_waits_for_is_answered_with_its_number() {
    let server = accepting().await;
    let params = [&LIGHT[..], &[CONTENT, ("ExtInfo", "of no meaning here")]].concat();
    expect![[r#"{"RequestId":"[id]","Success":true,"MessageId":100686}"#]]
        .assert_eq(&server.acs3("AsyncRRpc", &params).await.golden());
    let asked = |server: &Server| {
        let request = server.engine.requests.lock().unwrap().pop().expect("a request");
        let Asks::LetterUnawaited(letter) = request.asks else { panic!("{request:?}") };
        (letter.to.clone(), letter.payload.clone(), request.qos)
    };
    assert_eq!(asked(&server), (LetterTo::Rrpc, "hello".into(), Qos::AtMostOnce));
    assert_eq!(server.acs3("AsyncRRpc", &[&params[..], &[TOPIC]].concat()).await.code(), "");
    assert_eq!(asked(&server).0, LetterTo::RrpcOn(TOPIC.1.into()));
    let code = async |params: &[(&str, &str)]| server.acs3("AsyncRRpc", params).await.code();
    assert_eq!(code(&LIGHT).await, "iot.messagebroker.NullMessageContent");
    assert_eq!(code(&[LIGHT[0], CONTENT]).await, "iot.device.NullDeviceName");
    let plain = [LIGHT[0], LIGHT[1], ("MessageContent", "?")];
    assert_eq!(code(&plain).await, "iot.messagebroker.MessageContentIsNotBase64Encode");
    let away = self::server(Box::new(|_| Some(Err(CallError::Offline("a1BwAGVxxxx/light1".to_owned()))))).await;
    assert_eq!(away.acs3("AsyncRRpc", &params).await.code(), "iot.messagebroker.OFFLINE");
}
