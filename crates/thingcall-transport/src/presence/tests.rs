//! What a broker's words come to, in whatever order they come.

use super::*;

fn devices(max: usize) -> Devices {
    Devices::register(&Registry::new(), TransportName::MQTT, max).unwrap()
}

fn key(name: &str) -> DeviceKey {
    DeviceKey { product: "pk".parse().unwrap(), name: name.parse().unwrap() }
}

fn at(name: &str, since: i64) -> Session<'_> {
    Session { name, since: Some(since) }
}

fn named(name: &str) -> Session<'_> {
    Session { name, since: None }
}

#[test]
fn a_device_is_known_from_what_was_told_of_it() {
    let (devices, d1) = (devices(8), key("d1"));
    assert_eq!(devices.presence(&d1), Presence::Unknown);
    devices.connected(&d1, at("c", 1));
    assert_eq!(devices.presence(&d1), Presence::Online);
    assert_eq!(devices.disconnected(Some(&d1), at("c", 1), true), Some(d1.clone()));
    assert_eq!(devices.presence(&d1), Presence::Offline);
    assert_eq!(devices.presence(&key("d2")), Presence::Unknown);
    devices.forget_all();
    assert_eq!(devices.presence(&d1), Presence::Unknown);
}

#[test]
fn a_device_is_away_when_all_its_connections_are() {
    let (devices, d1) = (devices(8), key("d1"));
    devices.connected(&d1, at("new", 2));
    devices.connected(&d1, at("old", 1));
    assert_eq!(devices.disconnected(Some(&d1), at("old", 1), true), None);
    assert_eq!(devices.presence(&d1), Presence::Online);
    // One that was never heard of.
    assert_eq!(devices.disconnected(Some(&d1), at("older", 0), true), None);
    assert_eq!(devices.disconnected(None, at("new", 2), true), Some(d1.clone()), "its name is enough");
    assert_eq!(devices.presence(&d1), Presence::Offline);
}

#[test]
fn the_end_of_a_predecessor_of_the_same_name_is_none() {
    let (devices, d1) = (devices(8), key("d1"));
    devices.connected(&d1, at("c", 1));
    devices.connected(&d1, at("c", 2));
    assert_eq!(devices.disconnected(Some(&d1), at("c", 1), true), None);
    assert_eq!(devices.presence(&d1), Presence::Online);
    assert_eq!(devices.disconnected(Some(&d1), at("c", 2), true), Some(d1));
}

#[test]
fn two_of_the_same_word_are_one() {
    let (devices, d1) = (devices(8), key("d1"));
    for _ in 0..2 {
        devices.connected(&d1, at("c", 1));
    }
    assert_eq!(devices.disconnected(Some(&d1), at("c", 1), true), Some(d1.clone()));
    assert_eq!(devices.disconnected(Some(&d1), at("c", 1), true), None, "it is known");
    assert_eq!(devices.presence(&d1), Presence::Offline);
}

#[test]
fn of_a_device_that_was_not_heard_of_one_end_tells_little() {
    let (devices, d1) = (devices(8), key("d1"));
    assert_eq!(devices.disconnected(Some(&d1), at("c", 1), false), None);
    assert_eq!(devices.disconnected(None, named("c"), true), None);
    assert_eq!(devices.presence(&d1), Presence::Unknown);
    assert_eq!(devices.disconnected(Some(&d1), at("c", 1), true), Some(d1.clone()));
    assert_eq!(devices.presence(&d1), Presence::Offline);
}

#[test]
fn a_name_that_another_device_takes_ends_the_first_ones_connection() {
    let devices = devices(8);
    devices.connected(&key("d1"), at("c", 1));
    devices.connected(&key("d2"), at("c", 2));
    assert_eq!(devices.presence(&key("d1")), Presence::Offline);
    assert_eq!(devices.presence(&key("d2")), Presence::Online);
}

#[test]
fn of_too_many_the_quietest_is_forgotten() {
    let devices = devices(2);
    for name in ["d1", "d2", "d1", "d3"] {
        devices.connected(&key(name), named(name));
    }
    assert_eq!(devices.presence(&key("d2")), Presence::Unknown);
    assert_eq!((devices.presence(&key("d1")), devices.presence(&key("d3"))), (Presence::Online, Presence::Online));
    assert_eq!(devices.disconnected(None, named("d2"), true), None, "it was forgotten");
    assert_eq!(devices.devices.get(), 2);
}
