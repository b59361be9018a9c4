//! Products and devices.

use thingcall_core::{DeviceRef, PresenceSink, RecordState, Secret, TransportName};
use thingcall_tsl::{DirectoryError, ReplyCheck, ThingModel, Validation};

use super::*;
use crate::Change;

#[tokio::test]
async fn a_registered_device_is_found_by_name_and_by_iot_id() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let made = told(&bench.store, "d1").await;
    let by_key = found(&bench.store, "d1").await.unwrap();
    let by_id = Registry::find(&*bench.store, &DeviceRef::IotId(made.device.iot_id.clone())).await.unwrap().unwrap();
    assert_eq!((by_key.device, by_key.product.key.as_str()), (by_id.device, "p"));
    assert!(!made.online && made.activated_at.is_none() && made.secret.expose().len() == 32);
}

#[tokio::test]
async fn everything_registered_survives_a_restart() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let settings = ProductSettings { validation: Validation::Free, reply_check: ReplyCheck::Off, ..Default::default() };
    bench.store.change_settings(&"p".try_into().unwrap(), settings).await.unwrap();
    let secret = Some(Secret::new("007"));
    let made = bench.store.register(NewDevice { secret, nickname: Some("lamp".into()), ..device("d3") }).await.unwrap();
    bench.store.set_enabled(&key("d2"), false).await.unwrap();
    bench.store.remove(&key("d1")).await.unwrap();
    let bench = bench.reopened().await;
    assert_eq!(bench.store.products()[0].settings, settings);
    let devices = bench.store.devices(&"p".try_into().unwrap(), None, 10).await.unwrap();
    let names: Vec<_> = devices.iter().map(|d| (d.device.key.name.as_str(), d.device.enabled)).collect();
    assert_eq!(names, [("d2", false), ("d3", true)]);
    let found = told(&bench.store, "d3").await;
    assert_eq!((found.device, found.secret.expose(), found.created_at), (made.device, "007", made.created_at));
    assert_eq!(found.nickname.as_deref(), Some("lamp"));
}

#[tokio::test]
async fn names_and_keys_are_made_up_where_none_is_given() {
    let bench = bench().await;
    let product = bench.store.create_product(NewProduct { key: None, ..product("p") }).await.unwrap();
    let new = NewDevice { product: product.key.clone(), name: None, ..device("d") };
    let made = bench.store.register(new).await.unwrap();
    assert_eq!((product.key.as_str().len(), made.device.key.name.as_str().len()), (11, 20));
}

#[tokio::test]
async fn what_is_taken_missing_or_too_many_is_refused_by_name() {
    let bench = bench_with(Config {
        devices_max: std::num::NonZeroUsize::new(2).unwrap(),
        products_max: std::num::NonZeroUsize::MIN,
        ..Config::default()
    })
    .await;
    let bench = bench.with_devices(&["d1"]).await;
    let store = &bench.store;
    let none = DirectoryError::NoProduct("q".try_into().unwrap());
    assert_eq!(store.register(device("d1")).await.unwrap_err(), DirectoryError::Exists("device p/d1".into()));
    assert_eq!(store.register(NewDevice { product: "q".try_into().unwrap(), ..device("d") }).await.unwrap_err(), none);
    assert_eq!(store.change_settings(&"q".try_into().unwrap(), ProductSettings::default()).await.unwrap_err(), none);
    assert_eq!(store.devices(&"q".try_into().unwrap(), None, 10).await.unwrap_err(), none);
    let nobody = DirectoryError::NoDevice(DeviceRef::Key(key("d9")));
    assert_eq!(store.remove(&key("d9")).await.unwrap_err(), nobody);
    assert_eq!(store.set_enabled(&key("d9"), true).await.unwrap_err(), nobody);
    store.register(device("d2")).await.unwrap();
    let full = store.register(device("d3")).await.unwrap_err();
    assert_eq!(full.to_string(), "there are 2 devices and 2 are allowed");
    assert!(matches!(store.create_product(product("q")).await.unwrap_err(), DirectoryError::Full(_)));
}

#[tokio::test]
async fn many_devices_are_registered_together_or_not_at_all() {
    let bench = bench_with(Config { devices_max: std::num::NonZeroUsize::new(600).unwrap(), ..Config::default() })
        .await
        .with_devices(&[])
        .await;
    let names = |range: std::ops::Range<u32>| range.map(|n| device(&format!("d{n}"))).collect::<Vec<_>>();
    let made = bench.store.register_all(names(0..550)).await.unwrap();
    assert_eq!((made.len(), made[549].device.key.clone()), (550, key("d549")));
    let taken = bench.store.register_all(names(549..560).into_iter().rev().collect()).await.unwrap_err();
    assert_eq!(taken, DirectoryError::Exists("device p/d549".into()));
    assert!(matches!(bench.store.register_all(names(560..620)).await, Err(DirectoryError::Full(_))));
    assert_eq!((bench.store.stats().devices, bench.other().await.stats().devices), (550, 550));
}

#[tokio::test]
async fn a_taken_product_key_is_refused() {
    let bench = bench().await.with_devices(&[]).await;
    let taken = bench.store.create_product(product("p")).await.unwrap_err();
    assert_eq!(taken, DirectoryError::Exists("product p".into()));
}

#[tokio::test]
async fn a_removed_device_takes_its_open_calls_with_it() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    bench.open("d1", 1, Qos::AtLeastOnce).await.unwrap();
    bench.open("d2", 1, Qos::AtLeastOnce).await.unwrap();
    bench.store.remove(&key("d1")).await.unwrap();
    let records = bench.store.find_records(1).await;
    let states: Vec<_> = records.iter().map(|r| (r.device.key.name.as_str(), r.state)).collect();
    assert_eq!(states, [("d2", RecordState::Queued), ("d1", RecordState::Ended)]);
    assert_eq!(records[1].outcome, Some(Outcome::UnknownTarget));
    bench.store.register(device("d1")).await.unwrap();
    assert_eq!((bench.waiting("d1").await, bench.waiting("d2").await), (vec![], vec![1]));
}

#[tokio::test]
async fn a_call_to_a_device_that_is_gone_is_not_written() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let before = bench.device("d1").await;
    bench.store.remove(&key("d1")).await.unwrap();
    bench.store.register(device("d1")).await.unwrap();
    let refused = bench.store.open(entry(&before, 1, Qos::AtLeastOnce)).await.unwrap_err();
    assert!(matches!(refused, JournalError::Store(_)));
    assert!(bench.store.find_records(1).await.is_empty());
}

#[tokio::test]
async fn a_new_device_under_an_old_name_is_another_device() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let before = told(&bench.store, "d1").await;
    let mut changes = bench.store.changes();
    bench.store.remove(&key("d1")).await.unwrap();
    bench.store.register(device("d1")).await.unwrap();
    assert_eq!(changes.recv().await.unwrap(), Change::DeviceRemoved(key("d1")));
    assert_eq!(changes.recv().await.unwrap(), Change::DevicesAdded);
    let after = told(&bench.store, "d1").await;
    assert!(before.device.iot_id != after.device.iot_id && before.secret != after.secret);
    assert!(Registry::find(&*bench.store, &DeviceRef::IotId(before.device.iot_id)).await.unwrap().is_none());
}

#[tokio::test]
async fn a_model_for_a_product_that_does_not_exist_is_refused() {
    let bench = bench().await;
    let refused = bench.store.set_model(&"q".try_into().unwrap(), model()).await.unwrap_err();
    assert_eq!(refused, DirectoryError::NoProduct("q".try_into().unwrap()));
}

#[tokio::test]
async fn a_model_survives_a_restart() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.set_model(&"p".try_into().unwrap(), model()).await.unwrap();
    assert!(found(&bench.store, "d1").await.unwrap().product.model.is_some());
    let bench = bench.reopened().await;
    let product = bench.store.products().remove(0);
    let (kept, given) = (product.model.as_ref().unwrap(), model());
    assert_eq!(kept.main_text(), MAIN);
    assert!(kept.module_texts().eq(given.module_texts()));
}

#[tokio::test]
async fn a_stored_model_that_cannot_be_read_does_not_stop_the_server() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.set_model(&"p".try_into().unwrap(), model()).await.unwrap();
    bench.run("UPDATE models SET text = 'not json'").await;
    let bench = bench.reopened().await;
    let model = found(&bench.store, "d1").await.unwrap().product.model.clone();
    assert_eq!(model.is_none(), ThingModel::parse("not json", &[]).is_err());
}

fn model() -> ThingModel {
    ThingModel::parse(MAIN, &[MODULE]).unwrap()
}

const MAIN: &str = r#"{"profile":{"version":"1.5","productKey":"p"},"properties":[],"events":[],"services":[
    {"identifier":"Measure","name":"Measure","callType":"sync","method":"thing.service.Measure",
     "inputData":[],"outputData":[]}]}"#;
const MODULE: &str = r#"{"profile":{"version":"1.0","productKey":"p"},"functionBlockId":"testFb",
    "functionBlockName":"Test","properties":[],"events":[],"services":[
    {"identifier":"testService","name":"Test","callType":"sync","method":"thing.service.testFb:testService",
     "inputData":[],"outputData":[]}]}"#;

#[tokio::test]
async fn a_product_s_devices_are_read_page_by_page_in_the_order_of_their_names() {
    let bench = bench().await.with_devices(&["d2", "d10", "d1"]).await;
    let product = "p".try_into().unwrap();
    let mut names = Vec::new();
    let mut after = None;
    loop {
        let page = bench.store.devices(&product, after.as_ref(), 2).await.unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.device.key.name.clone());
        names.push(page.iter().map(|record| record.device.key.name.to_string()).collect::<Vec<_>>());
    }
    assert_eq!(names, [vec!["d1", "d10"], vec!["d2"]]);
    assert_eq!(bench.store.count_devices(&product).await.unwrap(), 3);
    // What was just heard is in it.
    bench.store.online(&key("d2"), TransportName::EMBEDDED, None, UnixMillis(5));
    let page = bench.store.devices(&product, after.as_ref(), 2).await.unwrap();
    assert!(page.is_empty());
    let page = bench.store.devices(&product, None, 9).await.unwrap();
    assert_eq!(page.iter().map(|record| record.online).collect::<Vec<_>>(), [false, false, true]);
}

#[tokio::test]
async fn a_store_that_is_closed_cannot_say_whether_there_is_a_device() {
    let bench = bench().await.with_devices(&["d1"]).await;
    bench.store.close().await;
    assert!(Registry::find(&*bench.store, &DeviceRef::Key(key("d1"))).await.is_err());
    let told = bench.store.device(&DeviceRef::Key(key("d1"))).await.unwrap_err();
    assert_eq!(told, DirectoryError::Unwritable("the device could not be looked up: the store fails".to_owned()));
}
