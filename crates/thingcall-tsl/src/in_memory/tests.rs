//! What was put in is found, and what was taken out is not.

use super::*;
use thingcall_core::UnixMillis;

fn product(key: &str) -> Product {
    Product {
        key: key.parse().unwrap(),
        name: key.to_owned(),
        settings: crate::ProductSettings::default(),
        model: None,
        created_at: UnixMillis(0),
        notes: crate::ProductNotes::default(),
        silence: Arc::default(),
    }
}

fn device(name: &str, iot_id: &str) -> Device {
    let key = DeviceKey { product: "pk1".parse().unwrap(), name: name.parse().unwrap() };
    Device { key, iot_id: IotId::try_from(iot_id).unwrap(), enabled: true, transport: None }
}

fn find(registry: &InMemoryRegistry, target: &DeviceRef) -> Option<Found> {
    match registry.find(target) {
        LookUp::Known(found) => found.into_inner().unwrap(),
        LookUp::Sought(_) => panic!("it is in memory"),
    }
}

fn by_id(id: &str) -> DeviceRef {
    DeviceRef::IotId(IotId::try_from(id).unwrap())
}

#[test]
fn a_device_is_found_by_name_and_by_iot_id_once_its_product_is_there() {
    let registry = InMemoryRegistry::default();
    let one = device("dev1", "iot1");
    registry.put_device(one.clone());
    assert!(find(&registry, &DeviceRef::Key(one.key.clone())).is_none(), "its product is not there yet");

    registry.put_product(product("pk1"));

    assert_eq!(find(&registry, &DeviceRef::Key(one.key.clone())).unwrap().product.name, "pk1");
    assert_eq!(find(&registry, &by_id("iot1")).unwrap().device.key, one.key);
}

#[test]
fn a_device_that_was_replaced_or_removed_leaves_no_id_behind() {
    let registry = InMemoryRegistry::default();
    registry.put_product(product("pk1"));
    registry.put_device(device("dev1", "iot1"));

    registry.put_device(device("dev1", "iot2"));
    assert!(find(&registry, &by_id("iot1")).is_none());
    assert!(find(&registry, &by_id("iot2")).is_some());

    registry.remove_device(&device("dev1", "iot2").key);
    assert!(find(&registry, &by_id("iot2")).is_none());
    assert!(registry.0.read().unwrap().keys.is_empty());
}
