//! What listeners and brokers are to each other: two cannot have one address, and an external broker is another server.

use std::net::{IpAddr, SocketAddr};

use thingcall_core::BrokerAddress;

use super::Config;

/// The sections and sentences of all that is wrong.
pub(super) fn problems(config: &Config) -> Vec<(String, String)> {
    let listeners = listeners(config);
    let mut all = Vec::new();
    for (index, (section, address)) in listeners.iter().enumerate() {
        let before = listeners.get(..index).unwrap_or_default();
        if let Some((other, _)) = before.iter().find(|(_, taken)| meet(*taken, *address)) {
            let what = format!("listen is {address}, where [{other}] listens; right is an address of its own");
            all.push(((*section).to_owned(), what));
        }
    }
    let embedded: Vec<_> = listeners.into_iter().filter(|(section, _)| section.starts_with("broker")).collect();
    let mqtt = config.mqtt.iter().map(|mqtt| ("mqtt".to_owned(), mqtt));
    let named = config.mqtt_brokers.iter().map(|(name, mqtt)| (format!("mqtt_brokers.{name}"), mqtt));
    for (section, mqtt) in mqtt.chain(named) {
        if let Some((own, _)) = embedded.iter().find(|(_, address)| leads_to(&mqtt.url, *address)) {
            let what = format!(
                "url is {:?}, which is [{own}] of this server; right is another broker, or no [{section}]",
                mqtt.url
            );
            all.push((section, what));
        }
    }
    all
}

/// Where the server is to listen, by section.
fn listeners(config: &Config) -> Vec<(&'static str, SocketAddr)> {
    let mut all = vec![("api", config.api.listen), ("metrics", config.metrics.listen)];
    all.extend(config.gate.listen.map(|listen| ("gate", listen)));
    if config.broker.enabled {
        all.push(("broker", config.broker.listen));
        all.extend(config.broker.tls.iter().map(|tls| ("broker.tls", tls.listen)));
        all.extend(config.broker.websocket.iter().map(|websocket| ("broker.websocket", websocket.listen)));
    }
    all
}

/// Whether only one of these two can be listened on. Port 0 is any that is free.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let same = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same
}

/// Whether a connection to this URL would end at this listener, as far as its text tells: names are not looked up.
fn leads_to(url: &str, listener: SocketAddr) -> bool {
    let Ok(broker) = BrokerAddress::read(url, &[("mqtt", false, 1883), ("mqtts", true, 8883)], "") else {
        return false;
    };
    let host = if broker.host == "localhost" { "127.0.0.1" } else { &broker.host };
    let Ok(address) = host.parse::<IpAddr>() else { return false };
    let ours = address == listener.ip() || (listener.ip().is_unspecified() && address.is_loopback());
    listener.port() == broker.port && ours
}
