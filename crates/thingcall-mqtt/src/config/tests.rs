//! Which configurations are taken.

use thingcall_transport::BrokerTls;

use super::*;

fn with_url(url: &str) -> Config {
    Config { url: url.to_owned(), ..Config::default() }
}

#[test]
fn a_url_names_host_port_and_tls() {
    let address = |url: &str| with_url(url).address().map(|a| (a.tls, a.host, a.port)).ok();
    assert_eq!(address("mqtt://broker.local:1884"), Some((false, "broker.local".to_owned(), 1884)));
    assert_eq!(address("mqtts://10.0.0.1/"), Some((true, "10.0.0.1".to_owned(), 8883)));
    assert_eq!(address("mqtt://[::1]:1883"), Some((false, "::1".to_owned(), 1883)));
    for url in ["", "broker:1883", "http://broker", "mqtt://", "mqtt://u:p@broker", "mqtt://b:port", "mqtt://::1"] {
        assert_eq!(address(url), None, "{url}");
    }
}

#[test]
fn a_refusal_names_key_value_and_what_is_right() {
    let config = Config { keep_alive: Duration::from_secs(1), ..Config::default() };
    assert_eq!(config.check().unwrap_err().to_string(), "keep_alive is 1s; right is 5s to 65535s");
    let text = with_url("mqtt://u:secret@broker").check().unwrap_err().to_string();
    assert!(text.starts_with("url is ") && !text.contains("secret"), "{text}");
    let text = with_url("http://x").check().unwrap_err().to_string();
    assert_eq!(text, r#"url is "http://x"; right is mqtt://host:port or mqtts://host:port"#);
}

#[test]
fn the_default_is_right() {
    Config::default().check().unwrap();
}

#[test]
fn each_value_out_of_its_range_is_refused_by_its_key() {
    let key = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        let [problem] = &config.problems()[..] else { panic!("{:?}", config.problems()) };
        problem.key.clone()
    };
    assert_eq!(key(|c| c.keep_alive = Duration::from_secs(65_536)), "keep_alive");
    assert_eq!(key(|c| c.connect_timeout = Duration::from_millis(999)), "connect_timeout");
    assert_eq!(key(|c| c.publish_ack_timeout = Duration::ZERO), "publish_ack_timeout");
    assert_eq!(key(|c| c.reconnect_pause_min = Duration::ZERO), "reconnect_pause_min");
    assert_eq!(key(|c| c.reconnect_pause_max = Duration::from_millis(99)), "reconnect_pause_max");
    assert_eq!(key(|c| c.probe_topic = "a/#".to_owned()), "probe_topic");
    for wrong in ["", "a/#", "/sys/messages", "$SYS/a", "a/"] {
        let config = Config { messages_topic: Some(wrong.to_owned()), ..Config::default() };
        assert_eq!(config.problems().iter().map(|p| p.key.as_str()).collect::<Vec<_>>(), ["messages_topic"], "{wrong}");
    }
    let packet_max = |c: &mut Config| c.messages_packet_bytes_max = 268_435_456.try_into().unwrap();
    assert_eq!(key(packet_max), "messages_packet_bytes_max");
    assert_eq!(key(|c| c.message_bytes_max = 1023), "message_bytes_max");
    assert_eq!(key(|c| c.message_bytes_max = 128 * 1024 * 1024 + 1), "message_bytes_max");
    assert_eq!(key(|c| c.password = Some(Secret::new("p"))), "username");
    assert_eq!(key(|c| c.tls.ca_file = Some("ca.pem".into())), "url");
    assert_eq!(key(|c| (c.url, c.tls) = own_certificate(None)), "tls.ca_file");
    let ca = |c: &mut Config| {
        (c.url, c.tls) = own_certificate(Some("ca".into()));
        c.tls.client_key_file = None;
    };
    assert_eq!(key(ca), "tls.client_key_file");
}

fn own_certificate(ca_file: Option<std::path::PathBuf>) -> (String, BrokerTls) {
    let (client_cert_file, client_key_file) = (Some("cert".into()), Some("key".into()));
    ("mqtts://h".to_owned(), BrokerTls { ca_file, client_cert_file, client_key_file })
}
