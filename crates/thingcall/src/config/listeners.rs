//! What listeners and brokers are to each other: two cannot have one address, and an external broker is another server.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use thingcall_core::Problem;
use thingcall_transport::{BrokerAddress, BrokerSection};

use super::Config;

/// All that is wrong.
pub(super) fn problems(config: &Config) -> Vec<Problem> {
    let listeners = listeners(config);
    let mut all = Vec::new();
    for (index, (key, address)) in listeners.iter().enumerate() {
        let before = listeners.get(..index).unwrap_or_default();
        if let Some((other, _)) = before.iter().find(|(_, taken)| meet(*taken, *address)) {
            all.push(Problem::new(key.as_str(), format_args!("{address}, as is {other}"), "an address of its own"));
        }
    }
    for (key, url) in config.broker_urls() {
        if let Some((own, _)) = listeners.iter().find(|(_, address)| leads_to(url, *address)) {
            let value = format_args!("{url:?}, which is {own} of this server");
            all.push(Problem::new(key, value, "the address of another server"));
        }
    }
    all
}

/// Where the server is to listen, by key.
fn listeners(config: &Config) -> Vec<(String, SocketAddr)> {
    let mut all = vec![("api.listen", config.api.listen), ("metrics.listen", config.metrics.listen)];
    if config.console.enabled {
        all.push(("console.listen", config.console.listen));
    }
    all.extend(config.gate.listen.map(|listen| ("gate.listen", listen)));
    if config.broker.enabled {
        all.push(("broker.listen", config.broker.listen));
        all.extend(config.broker.tls.iter().map(|tls| ("broker.tls.listen", tls.listen)));
        all.extend(config.broker.websocket.iter().map(|websocket| ("broker.websocket.listen", websocket.listen)));
    }
    let mut all: Vec<_> = all.into_iter().map(|(key, listen)| (key.to_owned(), listen)).collect();
    let subscription = config.subscription.listeners().into_iter();
    all.extend(subscription.map(|(key, listen)| (format!("subscription.{key}"), listen)));
    all
}

/// Whether only one of these two can be listened on. Port 0 is any that is free.
fn meet(one: SocketAddr, other: SocketAddr) -> bool {
    let same = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same
}

/// Whether a connection to this URL would end at this listener, as far as its text tells: names are not looked up.
fn leads_to(url: &str, listener: SocketAddr) -> bool {
    let schemes = [thingcall_mqtt::Config::SCHEMES, thingcall_amqp::Config::SCHEMES].concat();
    let Ok(broker) = BrokerAddress::read(url, &schemes) else { return false };
    let addresses = match &*broker.host {
        "localhost" | "0.0.0.0" | "::" => vec![IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)],
        host => host.parse().into_iter().collect(),
    };
    let there = |address: &IpAddr| *address == listener.ip() || (listener.ip().is_unspecified() && is_ours(*address));
    listener.port() == broker.port && addresses.iter().any(there)
}

/// Whether this machine has this address: only then can a socket have it.
fn is_ours(address: IpAddr) -> bool {
    address.is_loopback() || UdpSocket::bind((address, 0)).is_ok()
}

#[cfg(test)]
mod tests;
