//! Messages as EMQX's documentation and its source have them.

use super::*;

const CONNECTED: &str = "$SYS/brokers/emqx@127.0.0.1/clients/pk&d1/connected";
const DISCONNECTED: &str = "$SYS/brokers/emqx@127.0.0.1/clients/pk&d1/disconnected";

fn device() -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: "d1".parse().unwrap() }
}

#[test]
fn events_of_the_system_topics_are_read() {
    let payload = r#"{"username":"d1&pk","ts":1625572213873,"sockport":1883,"proto_ver":4,"proto_name":"MQTT",
        "keepalive":60,"ipaddress":"127.0.0.1","expiry_interval":0,"connected_at":1625572213870,"connack":0,
        "clientid":"pk&d1","clean_start":true}"#;
    let event = read(CONNECTED, payload.as_bytes()).unwrap();
    assert_eq!((event.told, &event.device, event.at), (Told::Connected, &device(), UnixMillis(1_625_572_213_870)));
    assert_eq!((event.client_id.as_str(), event.since), ("pk&d1", Some(1_625_572_213_870)));
    assert_eq!(event.address.as_deref(), Some("127.0.0.1"));

    // As documented, and with what later versions add.
    for connected_at in ["", r#""connected_at":1625572213870,"#] {
        let payload = format!(
            r#"{{"username":"d1&pk","ts":1625572213874,"sockport":1883,"reason":"tcp_closed",{connected_at}
            "protocol":"mqtt","proto_ver":4,"proto_name":"MQTT","ipaddress":"127.0.0.1","disconnected_at":1625572213873,
            "clientid":"pk&d1"}}"#
        );
        let event = read(DISCONNECTED, payload.as_bytes()).unwrap();
        assert_eq!(
            (event.told, &event.device, event.at),
            (Told::Disconnected, &device(), UnixMillis(1_625_572_213_873))
        );
        assert_eq!((event.since.is_some(), event.last), (!connected_at.is_empty(), true));
    }
}

#[test]
fn events_of_a_rule_are_read() {
    let payload = r#"{"event":"client.disconnected","username":"d1&pk","clientid":"a/b","peername":"127.0.0.1:5000",
        "reason":"keepalive_timeout","timestamp":1625572213873}"#;
    let event = read("$events/client_disconnected", payload.as_bytes()).unwrap();
    assert_eq!((event.told, event.at, event.last), (Told::Disconnected, UnixMillis(1_625_572_213_873), false));
    assert_eq!(read("$events/client_connected", payload.as_bytes()).unwrap().told, Told::Connected);
}

#[test]
fn what_has_a_successor_or_is_of_no_device_is_no_event() {
    for payload in [
        r#"{"username":"d1&pk","clientid":"c","reason":"takenover"}"#,
        r#"{"username":"d1&pk","clientid":"c","reason":"discarded"}"#,
        r#"{"username":"undefined","clientid":"c","reason":"normal"}"#,
        r#"{"clientid":"c","reason":"normal"}"#,
        r#"{"username":null,"clientid":"c"}"#,
        "not JSON",
    ] {
        assert_eq!(read(DISCONNECTED, payload.as_bytes()), None, "{payload}");
    }
    assert_eq!(read("$SYS/brokers/n/clients/c/subscribed", br#"{"username":"d1&pk","clientid":"c"}"#), None);
}

#[test]
fn one_way_to_be_told_is_enough() {
    assert!(are_heard(&[]) && are_heard(&[0]) && are_heard(&[1, 2]) && are_heard(&[1]));
    assert!(!are_heard(&[0, 1]) && !are_heard(&[0, 1, 2]));
}
