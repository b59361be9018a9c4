//! Pages and counts of devices, and products as people change and remove them.

use thingcall_core::{GroupId, MessageKind, PresenceSink, Subscription, Subscriptions, Topic, TransportName};
use thingcall_tsl::{
    DeviceCounts, DeviceMark, DevicePage, DeviceStatus, DirectoryError, Network, PageStart, ProductChange,
    ProductNotes, ThingModel,
};

use super::*;
use crate::{Change, DeviceSearch};

fn p() -> thingcall_core::ProductKey {
    "p".try_into().unwrap()
}

async fn names(store: &Store, status: Option<DeviceStatus>, start: PageStart, max: usize) -> Vec<String> {
    let page = store.page(&p(), &DevicePage { status, start, max }).await.unwrap();
    page.iter().map(|record| record.device.key.name.to_string()).collect()
}

async fn counts(store: &Store) -> DeviceCounts {
    store.device_counts(Some(&p())).await.unwrap()
}

/// Three that were never there: `d1` is the oldest.
async fn three(bench: Bench) -> Bench {
    let bench = bench.with_devices(&["d1", "d2", "d3"]).await;
    bench.run("UPDATE devices SET created_at = 5 WHERE name = 'd1'").await;
    bench.run("UPDATE devices SET created_at = 7 WHERE name != 'd1'").await;
    bench
}

#[tokio::test]
async fn pages_begin_with_the_newest_and_go_on_behind_any_device() {
    let bench = three(bench().await).await;
    let store = &bench.store;
    assert_eq!(names(store, None, PageStart::Skip(0), 2).await, ["d3", "d2"]);
    assert_eq!(names(store, None, PageStart::Skip(2), 2).await, ["d1"]);
    assert_eq!(names(store, None, PageStart::Skip(3), 2).await, [""; 0]);
    let page = store.page(&p(), &DevicePage { status: None, start: PageStart::Skip(0), max: 1 }).await.unwrap();
    let behind = PageStart::Behind(page[0].mark());
    assert_eq!(names(store, None, behind, 5).await, ["d2", "d1"]);
    let last = PageStart::Behind(DeviceMark { created_at: UnixMillis(5), name: "d1".try_into().unwrap() });
    assert_eq!(names(store, None, last, 5).await, [""; 0]);
    let unknown = "q".try_into().unwrap();
    let page = DevicePage { status: None, start: PageStart::Skip(0), max: 1 };
    assert_eq!(store.page(&unknown, &page).await.unwrap_err(), DirectoryError::NoProduct(unknown.clone()));
    assert_eq!(store.device_counts(Some(&unknown)).await.unwrap_err(), DirectoryError::NoProduct(unknown));
}

#[tokio::test]
async fn every_device_is_in_the_pages_of_one_status_and_the_counts_say_how_many() {
    let bench = three(bench().await).await;
    let store = &bench.store;
    assert_eq!(counts(store).await, DeviceCounts { unactive: 3, ..DeviceCounts::default() });
    store.online(&key("d1"), TransportName::EMBEDDED, None, UnixMillis(5));
    store.online(&key("d2"), TransportName::EMBEDDED, None, UnixMillis(5));
    store.offline(&key("d2"), UnixMillis(6));
    store.flush().await;
    store.set_enabled(&key("d3"), false).await.unwrap();
    let told = counts(store).await;
    let right = DeviceCounts { activated: 2, online: 1, offline: 1, disabled: 1, ..DeviceCounts::default() };
    assert_eq!((told, told.all()), (right, 3));
    let all = [DeviceStatus::Unactive, DeviceStatus::Online, DeviceStatus::Offline, DeviceStatus::Disabled];
    for (status, name) in all.into_iter().zip([None, Some("d1"), Some("d2"), Some("d3")]) {
        let found = names(store, Some(status), PageStart::Skip(0), 9).await;
        assert_eq!((found.first().map(String::as_str), told.of(status)), (name, found.len() as u64), "{status:?}");
    }
    assert_eq!(store.device_counts(None).await.unwrap(), told);
}

#[tokio::test]
async fn devices_are_found_by_how_their_names_begin() {
    let names = ["a", "lamp", "lamp-1", "lamp-2", "lamp.3", "lamq", "Lamp-1", "z"];
    let bench = bench().await.with_devices(&names).await;
    let store = &bench.store;
    let found = async |prefix: &str, after: Option<&str>, max: usize| {
        let after = after.map(|name| name.try_into().unwrap());
        let wanted = DeviceSearch { prefix, after: after.as_ref(), status: None, max };
        let found = store.search(&p(), &wanted).await.unwrap();
        let names: Vec<_> = found.devices.iter().map(|record| record.device.key.name.to_string()).collect();
        (names, found.next.map(|name| name.to_string()))
    };
    let these = |names: &[&str], next: Option<&str>| {
        (names.iter().map(|&name| name.to_owned()).collect::<Vec<_>>(), next.map(str::to_owned))
    };
    assert_eq!(found("lamp", None, 9).await, these(&["lamp", "lamp-1", "lamp-2", "lamp.3"], None));
    assert_eq!(found("lamp", None, 2).await, these(&["lamp", "lamp-1"], Some("lamp-1")));
    assert_eq!(found("lamp", Some("lamp-1"), 2).await, these(&["lamp-2", "lamp.3"], None));
    assert_eq!(found("lamp-", None, 1).await, these(&["lamp-1"], Some("lamp-1")));
    assert_eq!(found("", None, 99).await.0.len(), names.len());
    for nothing in ["lamps", "%", "_amp", "'", "\u{706f}", " ", "lamp-1 "] {
        assert_eq!(found(nothing, None, 9).await, these(&[], None), "{nothing:?}");
    }
    let unknown = "q".try_into().unwrap();
    let wanted = DeviceSearch { prefix: "", after: None, status: None, max: 1 };
    assert_eq!(store.search(&unknown, &wanted).await.unwrap_err(), DirectoryError::NoProduct(unknown));
}

#[tokio::test]
async fn of_devices_that_are_found_those_of_one_status_are_told_and_all_that_were_looked_at_are_passed() {
    let names: Vec<_> = (0..1200).map(|at| format!("dev-{at:04}")).collect();
    let bench = bench().await.with_devices(&names.iter().map(String::as_str).collect::<Vec<_>>()).await;
    let store = &bench.store;
    for name in ["dev-0003", "dev-1100", "dev-1150"] {
        store.set_enabled(&key(name), false).await.unwrap();
    }
    let mut after = None;
    let mut told = Vec::new();
    for _ in 0..3 {
        let wanted =
            DeviceSearch { prefix: "dev-", after: after.as_ref(), status: Some(DeviceStatus::Disabled), max: 2 };
        let found = store.search(&p(), &wanted).await.unwrap();
        told.push(found.devices.iter().map(|record| record.device.key.name.to_string()).collect::<Vec<_>>());
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(told, [vec!["dev-0003", "dev-1100"], vec!["dev-1150"]]);
}

#[tokio::test]
async fn counts_follow_what_any_process_changes_and_are_not_counted_again_without_a_change() {
    let bench = three(bench().await).await;
    let (store, other) = (&bench.store, bench.other().await);
    let one = async |store: &Store| store.count_each(&[p()]).await.unwrap();
    assert_eq!((one(store).await, one(&other).await), (vec![3], vec![3]));
    // Nobody is told of this one.
    bench.run("DELETE FROM devices WHERE name = 'd3'").await;
    assert_eq!(one(store).await, [3], "it is not counted again");
    let mut changes = other.changes();
    store.register_all(vec![device("d4"), device("d5")]).await.unwrap();
    assert_eq!(one(store).await, [4]);
    while changes.recv().await.unwrap() != Change::DevicesAdded {}
    assert_eq!(other.count_each(&[p(), "q".try_into().unwrap()]).await.unwrap(), [4, 0]);
    store.remove(&key("d4")).await.unwrap();
    while changes.recv().await.unwrap() != Change::DeviceRemoved(key("d4")) {}
    assert_eq!((one(store).await, one(&other).await, counts(&other).await.unactive), (vec![3], vec![3], 3));
    store.set_enabled(&key("d1"), false).await.unwrap();
    while changes.recv().await.unwrap() != Change::DeviceDisabled(key("d1")) {}
    assert_eq!((counts(store).await.disabled, counts(&other).await.disabled), (1, 1));
}

#[tokio::test]
async fn what_is_said_of_a_product_is_changed_and_survives_a_restart() {
    let bench = bench().await;
    let notes =
        ProductNotes { description: Some("a lamp \u{706f}".to_owned()), network: Some(Network::Cellular), basic: true };
    let made = bench.store.create_product(NewProduct { notes: notes.clone(), ..product("p") }).await.unwrap();
    assert_eq!((&made.notes, &*made.name), (&notes, "lamp"));
    let change = ProductChange { name: Some("pump".to_owned()), notes: None };
    bench.store.change_product(&p(), change).await.unwrap();
    let bench = bench.reopened().await;
    let read = bench.store.product(&p()).unwrap();
    assert_eq!((&read.notes, &*read.name), (&notes, "pump"));
    let notes = ProductNotes { description: None, ..notes };
    let change = ProductChange { name: None, notes: Some(notes.clone()) };
    bench.store.change_product(&p(), change.clone()).await.unwrap();
    let read = bench.store.product(&p()).unwrap();
    assert_eq!((&read.notes, &*read.name), (&notes, "pump"));
    let nobody = bench.store.change_product(&"q".try_into().unwrap(), change).await.unwrap_err();
    assert_eq!(nobody, DirectoryError::NoProduct("q".try_into().unwrap()));
}

const MODEL: &str =
    r#"{"profile":{"version":"1.5","productKey":"p"},"properties":[],"events":[],"services":[],"functionBlocks":[]}"#;

#[tokio::test]
async fn a_product_goes_with_its_model_and_its_subscription_and_not_while_it_has_devices() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let (store, other) = (&bench.store, bench.other().await);
    store.set_model(&p(), ThingModel::parse(MODEL, &[]).unwrap()).await.unwrap();
    let topics = vec![Topic::DeviceStatus];
    store.subscribe(Subscription { product: p(), topics, groups: vec![GroupId::default_group()] }).await.unwrap();
    assert!(store.shared().log.is_wanted(&p(), MessageKind::Status));
    let refused = store.remove_product(&p()).await.unwrap_err();
    assert_eq!(refused, DirectoryError::HasDevices { product: p(), devices: 1 });
    assert!(refused.to_string().contains("delete them first"), "{refused}");
    assert!(store.product(&p()).is_some_and(|product| product.model.is_some()) && store.subscription(&p()).is_some());

    store.remove(&key("d1")).await.unwrap();
    let mut changes = other.changes();
    store.remove_product(&p()).await.unwrap();
    while changes.recv().await.unwrap() != Change::Product(p()) {}
    for store in [store, &other] {
        assert!(store.product(&p()).is_none() && store.subscription(&p()).is_none() && store.products().is_empty());
        assert!(!store.shared().log.is_wanted(&p(), MessageKind::Status), "nobody wants messages of it");
        assert_eq!(store.register(device("d1")).await.unwrap_err(), DirectoryError::NoProduct(p()));
        assert_eq!(store.remove_product(&p()).await.unwrap_err(), DirectoryError::NoProduct(p()));
    }
    assert_eq!(bench.ask("SELECT COUNT(*) FROM models").await, ["0"]);
    assert_eq!(bench.ask("SELECT COUNT(*) FROM product_notes").await, ["0"]);
    // Another one under its key has nothing of it.
    store.create_product(product("p")).await.unwrap();
    let bench = bench.reopened().await;
    let again = bench.store.product(&p()).unwrap();
    assert!(again.model.is_none() && bench.store.subscription(&p()).is_none());
}

#[tokio::test]
async fn a_process_that_missed_changes_forgets_products_that_are_gone() {
    let bench = bench().await.with_devices(&[]).await;
    let other = bench.other().await;
    let mut changes = other.changes();
    bench.run("DELETE FROM products WHERE key = 'p'").await;
    bench.run("INSERT INTO changes (seq, kind, subject) VALUES (900, 'added', '')").await;
    while changes.recv().await.unwrap() != Change::Missed {}
    assert!(other.products().is_empty());
}
