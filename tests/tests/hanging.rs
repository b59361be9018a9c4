//! Brokers that hold our connection and carry nothing: told while it is so, and over when it is over.

use thingcall_tests::{Site, eventually};

/// Found and lost soon, on a machine that may be busy.
const SOON: [(&str, &str); 4] = [
    ("MQTT__PROBE_INTERVAL", "200ms"),
    ("MQTT__PROBE_TIMEOUT", "2s"),
    ("AMQP__PROBE_INTERVAL", "200ms"),
    ("AMQP__PROBE_TIMEOUT", "2s"),
];

fn soon(own: &[(&'static str, &'static str)], transport: &str) -> Vec<(&'static str, &'static str)> {
    own.iter().chain(SOON.iter().filter(|(key, _)| key.starts_with(transport))).copied().collect()
}

/// Waits until it is not ready and says this, in the answer, in the log and as a figure.
fn is_told(site: &Site, transport: &str, words: &str) {
    eventually("readyz tells", || {
        let (status, text) = site.program.operator("/readyz");
        (status == 503 && text.contains(&format!("transport {transport}: ")) && text.contains(words)).then_some(())
    });
    let label = format!(r#"transport="{transport}""#);
    assert_eq!(site.program.metrics().sum("thingcall_transport_up", &[&label]), 0.0);
    let warned = |line: &str| line.contains(r#""level":"WARN""#) && line.contains(words);
    eventually("the log warns", || site.program.log().lines().any(warned).then_some(()));
}

/// Waits until it is ready again, on the connection it had.
fn is_over(site: &Site, transport: &str) {
    site.is_ready();
    let label = format!(r#"transport="{transport}""#);
    let metrics = site.program.metrics();
    assert_eq!(metrics.sum("thingcall_transport_up", &[&label]), 1.0);
    assert_eq!(metrics.sum("thingcall_transport_connects_total", &[&label]), 1.0, "on the same connection");
}

#[test]
fn mosquitto_that_stands_still_is_told_and_goes_on() {
    let site = Site::external(&soon(&[("MQTT__KEEP_ALIVE", "10m")], "MQTT"));
    site.is_ready();
    let mosquitto = site.mosquitto.as_ref().expect("this site has one");
    mosquitto.pause();
    is_told(&site, "mqtt", "answers no probe");
    mosquitto.resume();
    is_over(&site, "mqtt");
}

#[test]
fn rabbitmq_that_stands_still_or_is_short_of_memory_or_disk_is_told_and_goes_on() {
    let site = Site::behind_rabbitmq(&soon(&[("AMQP__HEARTBEAT", "10m")], "AMQP"));
    let rabbitmq = site.rabbitmq.as_ref().expect("this site has one");
    rabbitmq.pause();
    is_told(&site, "amqp", "answers no probe");
    rabbitmq.resume();
    is_over(&site, "amqp");
    for what in ["memory", "disk"] {
        rabbitmq.is_short_of(what, true);
        is_told(&site, "amqp", &format!("takes no messages (low on {what})"));
        rabbitmq.is_short_of(what, false);
        is_over(&site, "amqp");
    }
}
