//! Settings, traces and defaults.

use std::sync::Arc;

use async_trait::async_trait;
use thingcall_core::{DeliverError, Delivery, DeviceKey, IotId, Sent, TransportKind};

use super::*;

const ONE: &str = "factory-1";
const TWO: &str = "factory-2";

struct Named(TransportName, TransportKind, Presence);

#[async_trait]
impl Transport for Named {
    fn kind(&self) -> TransportKind {
        self.1
    }
    fn name(&self) -> TransportName {
        self.0
    }
    fn presence(&self, _: &DeviceKey) -> Presence {
        self.2
    }
    fn ready(&self) -> bool {
        true
    }
    async fn deliver(&self, _: &Delivery) -> Result<Sent, DeliverError> {
        Err(DeliverError::Down)
    }
}

fn name(text: &str) -> TransportName {
    TransportName::new(text).unwrap()
}

fn device(transport: Option<&str>) -> Device {
    let key = DeviceKey { product: "pk1".try_into().unwrap(), name: "d".try_into().unwrap() };
    Device { key, iot_id: IotId::try_from("i").unwrap(), enabled: true, transport: transport.map(name) }
}

fn product(transport: Option<&str>) -> ProductSettings {
    ProductSettings { transport: transport.map(name), ..ProductSettings::default() }
}

/// The embedded broker, where the device is known to be so; and two brokers of one kind.
fn transports(embedded: Option<Presence>, default: Option<&str>) -> Transports {
    let transports = Transports::new(default.map(name));
    if let Some(presence) = embedded {
        transports.attach(Arc::new(Named(TransportName::EMBEDDED, TransportKind::Embedded, presence)));
    }
    for text in [ONE, TWO] {
        transports.attach(Arc::new(Named(name(text), TransportKind::Mqtt, Presence::Unknown)));
    }
    transports
}

fn last(text: Option<&str>) -> Route {
    Route { last: text.map(name), ..Route::default() }
}

fn chosen(transports: &Transports, device: &Device, settings: &ProductSettings, route: &Route) -> &'static str {
    transports.choose(device, settings, || *route).map(|transport| transport.name().as_str()).unwrap_or("none")
}

#[test]
fn a_device_s_setting_wins_over_its_product_s_and_both_over_where_it_is() {
    let transports = transports(Some(Presence::Online), Some(ONE));
    let routes = last(Some(ONE));
    assert_eq!(chosen(&transports, &device(Some(TWO)), &product(Some(ONE)), &routes), TWO);
    assert_eq!(chosen(&transports, &device(None), &product(Some(TWO)), &routes), TWO);
    assert_eq!(chosen(&transports, &device(None), &product(None), &routes), "embedded");
}

#[test]
fn without_a_setting_it_is_what_the_device_last_came_from() {
    let transports = transports(Some(Presence::Offline), Some(ONE));
    assert_eq!(chosen(&transports, &device(None), &product(None), &last(Some(TWO))), TWO);
    assert_eq!(chosen(&transports, &device(None), &product(None), &last(Some("embedded"))), "embedded");
}

#[test]
fn a_device_never_heard_of_is_at_the_default_or_where_it_may_be() {
    let never = last(None);
    let with_default = transports(Some(Presence::Offline), Some(TWO));
    assert_eq!(chosen(&with_default, &device(None), &product(None), &never), TWO);
    let without = transports(Some(Presence::Offline), None);
    assert_eq!(chosen(&without, &device(None), &product(None), &never), ONE);
    // One that it came from and that is gone from the configuration says nothing.
    assert_eq!(chosen(&with_default, &device(None), &product(None), &last(Some("gone"))), TWO);
}

#[test]
fn a_setting_that_names_no_attached_transport_is_no_way() {
    let transports = transports(None, Some(ONE));
    let chosen = transports.choose(&device(Some("gone")), &product(None), || last(Some(ONE)));
    assert_eq!(chosen.err(), Some(NoWay::NotHere(name("gone"))));
    let none = Transports::new(Some(name(ONE)));
    assert_eq!(none.choose(&device(None), &product(None), || last(None)).err(), Some(NoWay::Nothing));
}
