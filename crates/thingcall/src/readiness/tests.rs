//! What `/readyz` and the metrics say of conditions.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use prometheus::{Registry, TextEncoder};
use thingcall_core::{
    DeliverError, Delivery, DeviceKey, Presence, Sent, Transport, TransportKind, TransportName, Weight,
};

use super::{ASK_EVERY, Readiness};

fn serving() -> (Readiness, Registry) {
    let registry = Registry::new();
    let readiness = Readiness::new(&registry).expect("a new registry");
    readiness.serves();
    (readiness, registry)
}

#[test]
fn each_unmet_condition_is_a_line_with_its_reason_and_time() {
    let (readiness, _) = serving();
    readiness.conditions().add("store", Weight::Required).fails("the store is full");
    readiness.conditions().add("plugin meter", Weight::Told).fails("refused");

    let (ready, text) = readiness.told();

    let lines: Vec<_> = text.lines().collect();
    assert!(!ready && lines.len() == 2, "{text}");
    assert!(lines[0].starts_with("store: the store is full, since 20") && lines[0].ends_with('Z'), "{text}");
    assert!(lines[1].starts_with("plugin meter: refused, since "), "{text}");
}

#[test]
fn what_is_only_told_follows_ready() {
    let (readiness, _) = serving();
    assert_eq!(readiness.told(), (true, "ready\n".to_owned()));
    readiness.conditions().add("plugin meter", Weight::Told).fails("refused");

    let (ready, text) = readiness.told();

    assert!(ready && text.starts_with("ready\nplugin meter: refused, since "), "{text}");
}

#[test]
fn one_way_to_devices_of_two_is_enough() {
    let (readiness, _) = serving();
    let first = readiness.conditions().add("transport a", Weight::OneOf);
    readiness.conditions().add("transport b", Weight::OneOf);
    assert!(!readiness.told().0);

    first.holds();

    let (ready, text) = readiness.told();
    assert!(ready && text.starts_with("ready\ntransport b: "), "{text}");
}

#[test]
fn server_that_ends_is_not_ready() {
    let (readiness, _) = serving();
    readiness.drains();
    let (ready, text) = readiness.told();
    assert!(!ready && text.starts_with("serving: draining"), "{text}");
}

#[test]
fn each_condition_is_a_metric_while_it_is_there() {
    let (readiness, registry) = serving();
    let plugin = readiness.conditions().add("plugin meter", Weight::Told);
    let text = || TextEncoder::new().encode_to_string(&registry.gather()).expect("text");
    assert!(text().contains("thingcall_condition{name=\"plugin meter\"} 0"), "{}", text());
    assert!(text().contains("thingcall_condition{name=\"serving\"} 1"), "{}", text());

    plugin.holds();
    assert!(text().contains("thingcall_condition{name=\"plugin meter\"} 1"), "{}", text());

    readiness.conditions().remove(&plugin);
    assert!(!text().contains("meter"), "{}", text());
}

/// A way that is open or not.
#[derive(Default)]
struct Link(AtomicBool);

#[async_trait::async_trait]
impl Transport for Link {
    fn kind(&self) -> TransportKind {
        TransportKind::Mqtt
    }

    fn name(&self) -> TransportName {
        TransportName::MQTT
    }

    fn presence(&self, _: &DeviceKey) -> Presence {
        Presence::Unknown
    }

    fn ready(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    async fn deliver(&self, _: &Delivery) -> Result<Sent, DeliverError> {
        Ok(Sent::Sent)
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_way_says_is_heard_without_anybody_s_looking() {
    let (readiness, _) = serving();
    let link = Arc::new(Link::default());
    readiness.watch(link.clone());
    let follow = tokio::spawn(readiness.clone().follow());
    let holds = || readiness.conditions().states().iter().all(|state| state.failure.is_none());
    link.0.store(true, Ordering::Relaxed);
    while !holds() {
        tokio::time::sleep(ASK_EVERY).await;
    }
    link.0.store(false, Ordering::Relaxed);
    while holds() {
        tokio::time::sleep(ASK_EVERY).await;
    }
    follow.abort();
}
