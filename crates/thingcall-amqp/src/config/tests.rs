//! Which configurations are taken.

use super::*;

fn with_url(url: &str) -> Config {
    Config { url: url.to_owned(), ..Config::default() }
}

#[test]
fn a_url_names_host_port_and_tls() {
    let address = |url: &str| with_url(url).address().map(|a| (a.tls, a.host, a.port)).ok();
    assert_eq!(address("amqp://broker.local:5673"), Some((false, "broker.local".to_owned(), 5673)));
    assert_eq!(address("amqps://10.0.0.1/"), Some((true, "10.0.0.1".to_owned(), 5671)));
    assert_eq!(address("amqp://[::1]:5672"), Some((false, "::1".to_owned(), 5672)));
    for url in ["", "b:5672", "mqtt://b", "amqp://", "amqp://u:p@b", "amqp://b:port", "amqp://::1", "amqp://b/vhost"] {
        assert_eq!(address(url), None, "{url}");
    }
}

#[test]
fn a_refusal_names_key_value_and_what_is_right_but_no_password() {
    let config = Config { heartbeat: Duration::from_secs(1), ..Config::default() };
    assert_eq!(config.check().unwrap_err().to_string(), "heartbeat is 1s; right is 2s to 65535s");
    let text = with_url("amqp://user:hush@broker:1:2").check().unwrap_err().to_string();
    assert!(!text.contains("hush"), "{text}");
}

#[test]
fn the_default_is_right_and_prints_no_password() {
    Config::default().check().unwrap();
    let config = Config { password: Secret::new("hush"), ..Config::default() };
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn each_value_out_of_its_range_is_refused_by_its_key() {
    let keys = |change: fn(&mut Config)| {
        let mut config = Config::default();
        change(&mut config);
        config.problems().into_iter().map(|problem| problem.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(|c| c.amqp_devices = false), ["amqp_devices"]);
    assert_eq!(keys(|c| c.heartbeat = Duration::from_secs(65_536)), ["heartbeat"]);
    assert_eq!(keys(|c| c.connect_timeout = Duration::from_millis(999)), ["connect_timeout"]);
    assert_eq!(keys(|c| c.publish_ack_timeout = Duration::ZERO), ["publish_ack_timeout"]);
    assert_eq!(keys(|c| c.probe_interval = Duration::ZERO), ["probe_interval"]);
    assert_eq!(keys(|c| c.probe_timeout = Duration::from_millis(99)), ["probe_timeout"]);
    assert_eq!(keys(|c| c.reconnect_pause_min = Duration::ZERO), ["reconnect_pause_min"]);
    assert_eq!(keys(|c| c.reconnect_pause_max = Duration::from_millis(99)), ["reconnect_pause_max"]);
    assert_eq!(keys(|c| c.publish_channels_max = NonZeroU16::new(2001).unwrap()), ["publish_channels_max"]);
    assert_eq!(keys(|c| c.message_bytes_max = 128 * 1024 * 1024 + 1), ["message_bytes_max"]);
    assert_eq!(keys(|c| c.instance = Some("a.b".to_owned())), ["instance"]);
    assert_eq!(keys(|c| c.tls.ca_file = Some("ca.pem".into())), ["url"]);
    assert_eq!(keys(|c| c.replies_exchange = "amq.topic".to_owned()), ["mqtt_exchange"]);
    assert_eq!(keys(|c| c.results_exchange = Some(String::new())), ["results_exchange"]);
    assert_eq!(keys(|c| (c.heartbeat, c.message_bytes_max) = (Duration::ZERO, 0)), ["heartbeat", "message_bytes_max"]);
}
