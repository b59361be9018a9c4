//! Which broker a simulated device goes to.

use thingcall_core::TransportName;

use super::Address;
use crate::addresses::Addresses;
use crate::config::Config;

fn addresses(embedded: bool, brokers: &[(&str, &str)]) -> Addresses {
    let mut addresses = Addresses::configured(&Config::default());
    addresses.mqtt = addresses.mqtt.filter(|_| embedded);
    let named = brokers.iter().map(|(name, url)| (TransportName::new(name).unwrap(), (*url).to_owned()));
    addresses.brokers = named.collect();
    addresses
}

fn went(addresses: &Addresses, transport: Option<&str>) -> Result<String, String> {
    let transport = transport.map(|name| TransportName::new(name).unwrap());
    addresses.broker_of(transport).map(|broker| broker.to_string()).map_err(|error| error.to_string())
}

#[test]
fn a_device_goes_to_the_broker_of_its_transport() {
    let external = [("east", "mqtt://east:1884"), ("mqtt", "tcp://main")];
    let both = addresses(true, &external);
    assert_eq!(went(&both, None).unwrap(), "mqtt://127.0.0.1:1883");
    assert_eq!(went(&both, Some("embedded")).unwrap(), "mqtt://127.0.0.1:1883");
    assert_eq!(went(&both, Some("mqtt")).unwrap(), "mqtt://main:1883");
    assert_eq!(went(&both, Some("east")).unwrap(), "mqtt://east:1884");

    assert_eq!(went(&addresses(false, &external), None).unwrap(), "mqtt://main:1883");
    assert_eq!(went(&addresses(false, &external[..1]), None).unwrap(), "mqtt://east:1884");
}

#[test]
fn a_broker_that_devices_cannot_go_to_is_told() {
    let secure = addresses(false, &[("mqtt", "mqtts://main:8883")]);
    let why = went(&secure, None).unwrap_err();
    assert!(why.contains("mqtts://main:8883") && why.contains("TLS") && why.contains("--url"), "{why}");

    let amqp = addresses(true, &[]);
    assert!(went(&amqp, Some("amqp")).unwrap_err().contains("transport amqp has no MQTT broker"), "--url names it");
    assert!(went(&addresses(false, &[]), None).unwrap_err().contains("--url"));
}

#[test]
fn a_url_with_a_user_is_no_broker() {
    let why = "mqtt://u:secret@h:1".parse::<Address>().unwrap_err();
    assert!(!why.contains("secret"), "{why}");
}
