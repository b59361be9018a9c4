//! Whose addresses are whose.

use crate::config::Config;
use crate::config::load::read_for_test;
use crate::config::sources::{Found, Problems};

fn read(text: &str, variables: &[(&str, &str)]) -> Result<Config, Problems> {
    read_for_test(text, variables, Vec::new()).right()
}

/// A single problem: its place, its key, and its sentence without the place.
fn only(text: &str) -> (String, String, String) {
    let found = read(text, &[]).map(|_| ()).expect_err("the text is wrong").0;
    let [Found { place, problem }] = &found[..] else { panic!("{found:?}") };
    (place.to_string(), problem.key.clone(), problem.to_string())
}

#[test]
fn two_listeners_on_one_address_are_refused() {
    let (place, key, told) = only("[api]\nlisten = \"0.0.0.0:7000\"\n[gate]\n\nlisten = \"127.0.0.1:7000\"\n");
    assert_eq!((&*place, &*key), ("t.toml:5", "gate.listen"));
    assert!(told.contains("as is api.listen"), "{told}");
    for right in
        ["[gate]\nlisten = \"127.0.0.1:0\"\n[api]\nlisten = \"127.0.0.1:0\"", "[gate]\nlisten = \"127.0.0.2:8080\""]
    {
        assert!(read(right, &[]).is_ok(), "{right}");
    }
    assert!(
        read("[broker]\nenabled = false\n[gate]\nlisten = \"127.0.0.1:1883\"", &[]).is_ok(),
        "nothing else listens"
    );
}

#[test]
fn external_broker_that_is_our_own_is_refused() {
    for (section, url, own) in [
        ("mqtt_brokers", "mqtt://127.0.0.1:1883", true),
        ("mqtt_brokers", "mqtt://localhost", true),
        ("mqtt_brokers", "mqtt://127.0.0.1:1884", false),
        ("amqp_brokers", "amqp://127.0.0.1:1883", true),
        ("amqp_brokers", "amqp://localhost:8080", true),
        ("amqp_brokers", "amqp://127.0.0.1", false),
    ] {
        let text = format!("[{section}.b]\n\nurl = \"{url}\"\n");
        let found = read(&text, &[]).map(|_| ()).err().map(|found| found.0).unwrap_or_default();
        assert_eq!(!found.is_empty(), own, "{url}: {found:?}");
        let told = |one: &Found| one.place.to_string() == "t.toml:3" && one.problem.value.contains("of this server");
        assert!(!own || told(&found[0]), "{found:?}");
    }
}

#[test]
fn external_broker_at_an_address_of_this_machine_is_our_own_where_we_listen_everywhere() {
    // No packet is sent: it only tells which address would be ours.
    let own = std::net::UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("203.0.113.77:9")?;
        socket.local_addr()
    });
    let own = own.map_or_else(|_| "127.0.0.1".to_owned(), |address| address.ip().to_string());
    let with = |listen: &str, host: &str| {
        let text = format!("[broker]\nlisten = \"{listen}\"\n[mqtt]\nurl = \"mqtt://{host}:7001\"\n");
        read(&text, &[]).is_ok()
    };
    assert!(!with("0.0.0.0:7001", &own), "{own}");
    assert!(!with("[::1]:7001", "localhost") && !with("0.0.0.0:7001", "localhost"));
    assert!(with("0.0.0.0:7001", "203.0.113.77") && with("0.0.0.0:7002", &own));
}
