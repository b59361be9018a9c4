//! How the way of a call is told.

use thingcall_core::{CallId, CallTimes, Device, DeviceKey, Outcome, Record, RecordState, TransportKind, UnixMillis};

use super::{beside, is_beside, timeline, unknown};

fn record(state: RecordState) -> Record {
    Record {
        id: CallId::from_u32(7),
        request_id: "R".to_owned(),
        action: None,
        key_id: None,
        device: Device {
            key: DeviceKey { product: "pk".try_into().expect("key"), name: "dn".try_into().expect("name") },
            iot_id: "i".try_into().expect("id"),
            enabled: true,
            transport: None,
        },
        service: "fb:do".try_into().expect("service"),
        params: "{}".to_owned(),
        qos: 1,
        state,
        outcome: None,
        transport: None,
        code: None,
        message: None,
        data: None,
        accepted_at: UnixMillis(1000),
        times: CallTimes::default(),
        sent_at: None,
        acked_at: None,
        ended_at: None,
        taken_over: None,
        trace: None,
    }
}

#[test]
fn a_call_that_waits_says_for_what() {
    let text = timeline(&record(RecordState::Queued));
    assert!(text.contains("call 7 of fb:do on pk/dn"), "{text}");
    assert!(text.ends_with("it is kept until the device connects"), "{text}");
}

#[test]
fn a_call_that_ended_tells_its_way_in_order() {
    let text = timeline(&Record {
        outcome: Some(Outcome::Ok),
        transport: Some(TransportKind::Embedded),
        data: Some(r#"{"a":1}"#.to_owned()),
        sent_at: Some(UnixMillis(1002)),
        ended_at: Some(UnixMillis(1040)),
        ..record(RecordState::Ended)
    });
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 4, "{text}");
    assert!(lines[2].contains("+2 ms") && lines[2].contains("embedded"), "{text}");
    assert!(lines[3].contains("+40 ms") && lines[3].contains(r#"{"a":1}"#), "{text}");
}

#[test]
fn what_a_broker_took_is_not_said_to_be_at_the_device() {
    for (transport, at_device) in
        [(TransportKind::Embedded, true), (TransportKind::Mqtt, false), (TransportKind::Amqp, false)]
    {
        let text = timeline(&Record {
            transport: Some(transport),
            acked_at: Some(UnixMillis(1010)),
            ..record(RecordState::Acked)
        });
        assert_eq!(text.contains("the device acknowledged the message"), at_device, "{text}");
        assert_eq!(text.contains("the device has it"), at_device, "{text}");
        assert_eq!(text.contains("whether the device got it is not known"), !at_device, "{text}");
    }
}

#[test]
fn what_led_to_nothing_is_told_only_beside_a_call_and_is_a_hint_while_it_waited() {
    let dropped = serde_json::json!({ "at": "1970-01-01T00:00:10.000Z", "topic": "t" });
    for (began, ended, told) in [
        (12_000, Some(13_000), Some("  2000 ms before this call")),
        (1_000, Some(7_000), Some("  3000 ms after this call")),
        (9_000, Some(11_000), Some("  hint: while this call waited")),
        (9_000, None, Some("  hint: while this call waited")),
        (15_001, Some(16_000), None),
        (15_001, None, None),
        (1_000, Some(4_999), None),
    ] {
        let time = (began, ended);
        let text = is_beside(&dropped, time).then(|| beside(&dropped, time));
        assert!(text.is_some() == told.is_some() && text.unwrap_or_default().starts_with(told.unwrap_or_default()));
    }
}

#[test]
fn who_asks_for_a_call_that_is_not_there_is_told_what_keeps_it() {
    let id = crate::named::named("7").expect("a MessageId");
    for silent in [None, Some(anyhow::anyhow!("planted"))] {
        let text = unknown(&id, silent);
        assert!(text.contains("call 7") && text.contains(r#"[records] keep = "all""#), "{text}");
    }
}
