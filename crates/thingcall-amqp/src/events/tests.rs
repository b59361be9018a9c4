//! Whose an event is.

use lapin::types::FieldTable;

use super::*;

fn properties(pairs: &[(&'static str, &str)]) -> BasicProperties {
    let mut headers = FieldTable::default();
    for (name, value) in pairs {
        headers.insert((*name).into(), AMQPValue::LongString((*value).into()));
    }
    headers.insert("timestamp_in_ms".into(), AMQPValue::LongLongInt(1_625_572_213_873));
    BasicProperties::default().with_headers(headers)
}

#[test]
fn connections_of_devices_are_read_and_others_are_not() {
    let at = UnixMillis(1_625_572_213_873);
    let all = [("pid", "<r@h.1.2.3>"), ("user", "d1&pk"), ("vhost", "/"), ("peer_host", "10.0.0.7")];
    let device = device_of("d1&pk").unwrap();
    let created = Event::Created { device, connection: "<r@h.1.2.3>", address: Some("10.0.0.7"), at };
    assert_eq!(read(CREATED, &properties(&all), "/"), Some(created));
    assert_eq!(read(CREATED, &properties(&all), "other"), None);
    assert_eq!(read(CREATED, &properties(&[("pid", "<r@h.1.2.3>"), ("user", "guest")]), "/"), None);
    assert_eq!(read(CREATED, &properties(&[("user", "d1&pk")]), "/"), None);
    let closed = Event::Closed { connection: "<r@h.1.2.3>", at };
    assert_eq!(read(CLOSED, &properties(&all[..1]), "/"), Some(closed));
    assert_eq!(read("channel.closed", &properties(&all), "/"), None);
    assert_eq!(read(CREATED, &BasicProperties::default(), "/"), None);
}
