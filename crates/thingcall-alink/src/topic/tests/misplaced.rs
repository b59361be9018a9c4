//! Answers in the wrong place or of the wrong form, told apart from echoes of our own.

use super::*;

fn dropped(transport: TransportKind, topic: &str, payload: &'static str) -> Option<DropReason> {
    match uplink(transport, topic, &Bytes::from_static(payload.as_bytes()), 100, |_, _| Takes::Alink) {
        Uplink::Dropped(_, reason) => Some(reason),
        Uplink::Reply(_) | Uplink::Raw(_) | Uplink::Post(_) | Uplink::Other(_) => None,
    }
}

const REQUEST: &str = r#"{"id":"7","version":"1.0","params":{},"method":"thing.service.x"}"#;

#[test]
fn an_answer_in_the_wrong_place_is_no_echo() {
    for transport in [TransportKind::Embedded, TransportKind::Mqtt, TransportKind::Amqp] {
        for (topic, reason) in [
            ("/sys/pk/d1/rrpc/request/7", DropReason::RequestTopic),
            ("/sys/pk/d1/thing/service/x", DropReason::NoReplySuffix),
        ] {
            assert_eq!(dropped(transport, topic, REPLY), Some(reason), "{topic}");
            assert_eq!(dropped(transport, topic, "{}"), Some(reason), "{topic}: no request of ours");
            assert_eq!(dropped(transport, topic, "no JSON"), Some(reason), "{topic}");
            assert_eq!(dropped(transport, topic, REQUEST), Some(DropReason::Echo), "{topic}");
        }
        assert_eq!(dropped(transport, "/sys/pk/d1/rrpc/response", REPLY), Some(DropReason::RrpcWithoutId));
    }
    let raw = "/sys/pk/d1/thing/model/down_raw";
    assert_eq!(dropped(TransportKind::Embedded, raw, "\x01"), Some(DropReason::NoReplySuffix));
    assert_eq!(dropped(TransportKind::Mqtt, raw, "\x01"), Some(DropReason::Echo));
}

#[test]
fn an_answer_that_looks_like_a_request_is_one_where_nothing_is_echoed() {
    let ext = "/ext/rrpc/7/sys/pk/d1/thing/service/x";
    let answers = "/sys/pk/d1/rrpc/response/7";
    for (transport, topic) in [
        (TransportKind::Mqtt, answers),
        (TransportKind::Mqtt, "/sys/pk/d1/thing/service/x_reply"),
        (TransportKind::Embedded, ext),
        (TransportKind::Amqp, ext),
    ] {
        let said = uplink(transport, topic, &Bytes::from_static(REQUEST.as_bytes()), 100, |_, _| Takes::Alink);
        let Uplink::Reply(reply) = said else { panic!("{topic}: {said:?}") };
        assert_eq!(reply.id(), Some(CallId::from_u32(7)));
        let why = reply.body.unwrap_err().to_string();
        assert!(why.contains("\"code\" is missing, the output is in \"params\""), "{why}");
    }
    assert_eq!(dropped(TransportKind::Mqtt, ext, REQUEST), Some(DropReason::Echo));
}
