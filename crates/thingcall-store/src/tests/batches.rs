//! Batches of devices, and tags.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use thingcall_tsl::{Applied, Batch, BatchState, Batches, DirectoryError, TAGS_PER_DEVICE_MAX, Tags};

use super::*;

fn p() -> thingcall_core::ProductKey {
    "p".try_into().unwrap()
}

fn named(names: &[&str]) -> Vec<Applied> {
    let of =
        |name: &&str| Applied { name: (*name).try_into().unwrap(), nickname: Some(format!("{name}!")), problem: None };
    names.iter().map(of).collect()
}

async fn seen(store: &Store, id: i64) -> (BatchState, u64, Vec<(String, bool)>) {
    let (Batch { state, created, product, .. }, devices) = store.batch(id).await.unwrap();
    assert_eq!(product, p());
    let devices = devices.into_iter().map(|device| (device.name.to_string(), device.problem.is_some())).collect();
    (state, created, devices)
}

async fn page(store: &Store, id: i64, skipped: u64, max: usize) -> Vec<String> {
    let (batch, _) = store.batch(id).await.unwrap();
    let (page, left) = store.batch_page(&batch, skipped, max).await.unwrap();
    // Those that were removed do not count.
    let all = store.batch_page(&batch, 0, 9999).await.unwrap().0;
    assert_eq!(left, all.len() as u64);
    page.iter().map(|record| record.device.key.name.to_string()).collect()
}

fn listed(names: &[(&str, bool)]) -> Vec<(String, bool)> {
    names.iter().map(|(name, problem)| ((*name).to_owned(), *problem)).collect()
}

#[tokio::test]
async fn a_batch_is_checked_registered_once_and_survives_a_restart() {
    let bench = bench().await.with_devices(&["d1"]).await;
    let store = &bench.store;
    let refused = store.apply(&p(), named(&["d1", "d2"])).await.unwrap();
    assert_eq!(seen(store, refused).await, (BatchState::Refused, 0, listed(&[("d1", true), ("d2", false)])));
    assert_eq!(store.register_batch(&p(), refused).await.unwrap_err(), DirectoryError::BatchRefused(refused));
    assert_eq!(page(store, refused, 0, 9).await, [""; 0]);

    let id = store.apply(&p(), named(&["d4", "d2", "d3"])).await.unwrap();
    assert_eq!(seen(store, id).await.0, BatchState::Checked);
    let bench = bench.reopened().await;
    let other = bench.other().await;
    other.register_batch(&p(), id).await.unwrap();
    for store in [&bench.store, &other] {
        store.register_batch(&p(), id).await.unwrap();
        assert_eq!(page(store, id, 0, 2).await, ["d4", "d2"]);
        assert_eq!(page(store, id, 2, 2).await, ["d3"]);
        let all = listed(&[("d4", false), ("d2", false), ("d3", false)]);
        assert_eq!(seen(store, id).await, (BatchState::Created, 3, all));
    }
    assert_eq!((other.count_devices(&p()).await.unwrap(), other.stats().devices), (4, 4));
    assert_eq!(told(&other, "d2").await.nickname.as_deref(), Some("d2!"));
    other.remove(&key("d2")).await.unwrap();
    assert_eq!(page(&other, id, 0, 9).await, ["d4", "d3"]);
}

#[tokio::test]
async fn of_a_batch_whose_names_were_taken_meanwhile_the_others_are_registered() {
    let bench = bench().await.with_devices(&[]).await;
    let store = &bench.store;
    let id = store.apply(&p(), named(&["d1", "d2"])).await.unwrap();
    store.register(device("d1")).await.unwrap();
    store.register_batch(&p(), id).await.unwrap();
    assert_eq!(seen(store, id).await, (BatchState::Failed, 1, listed(&[("d1", true), ("d2", false)])));
    assert_eq!(page(store, id, 0, 9).await, ["d2"]);
    assert_eq!(told(store, "d1").await.nickname, None, "it is the one that was there");
}

#[tokio::test]
async fn many_devices_get_names_of_their_own() {
    let bench = bench().await.with_devices(&[]).await;
    let id = bench.store.register_some(&p(), 700).await.unwrap();
    let (batch, devices) = bench.store.batch(id).await.unwrap();
    assert_eq!((batch.state, batch.created, devices.len()), (BatchState::Created, 700, 700));
    let last = page(&bench.store, id, 699, 50).await;
    assert_eq!((last.len(), &last[0]), (1, &devices[699].name.to_string()));
    assert_eq!(bench.store.count_devices(&p()).await.unwrap(), 700);
}

#[tokio::test]
async fn batches_are_bounded_by_count_devices_and_age_and_go_with_their_product() {
    let config = Config {
        batches_max: NonZeroUsize::new(3).unwrap(),
        batch_devices_max: NonZeroUsize::new(4).unwrap(),
        devices_max: NonZeroUsize::new(2).unwrap(),
        ..Config::default()
    };
    let bench = bench_with(config).await.with_devices(&[]).await;
    let store = &bench.store;
    let mut ids = Vec::new();
    for count in [1, 1, 1, 1] {
        ids.push(store.apply(&p(), named(&["d1", "d2", "d3"][..count])).await.unwrap());
        bench.run("UPDATE batches SET created_at = created_at - 10").await;
    }
    let gone = |id: i64| DirectoryError::NoBatch(id);
    assert_eq!(store.batch(ids[0]).await.unwrap_err(), gone(ids[0]), "there may be three");
    assert!(store.batch(ids[1]).await.is_ok());
    let large = store.apply(&p(), named(&["d1", "d2", "d3"])).await.unwrap();
    assert!(store.batch(ids[3]).await.is_ok() && store.batch(ids[2]).await.is_err(), "of four devices");
    assert!(matches!(store.register_batch(&p(), large).await.unwrap_err(), DirectoryError::Full(_)));
    assert!(matches!(store.register_some(&p(), 3).await.unwrap_err(), DirectoryError::Full(_)));
    assert_eq!(seen(store, large).await.0, BatchState::Checked, "it may be registered once there is room");
    bench.run("UPDATE batches SET created_at = 5").await;
    let newest = store.apply(&p(), named(&["d1"])).await.unwrap();
    assert_eq!(store.batch(large).await.unwrap_err(), gone(large), "it is too old");
    assert_eq!(bench.ask("SELECT COUNT(*) FROM batch_devices").await, ["1"]);

    let another = "q".try_into().unwrap();
    assert_eq!(store.register_batch(&another, newest).await.unwrap_err(), gone(newest));
    assert_eq!(store.apply(&another, named(&["d1"])).await.unwrap_err(), DirectoryError::NoProduct(another.clone()));
    assert_eq!(store.register_some(&another, 1).await.unwrap_err(), DirectoryError::NoProduct(another));
    store.remove_product(&p()).await.unwrap();
    assert_eq!(store.batch(newest).await.unwrap_err(), gone(newest));
}

fn tags(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[tokio::test]
async fn tags_are_added_changed_removed_and_go_with_their_device() {
    let bench = bench().await.with_devices(&["d1", "d2"]).await;
    let (d1, d2) = (key("d1"), key("d2"));
    bench.store.save_tags(&d1, &tags(&[("color", "red"), ("shape", "round")])).await.unwrap();
    bench.store.save_tags(&d1, &tags(&[("color", "\u{7ea2}"), ("place", "")])).await.unwrap();
    let bench = bench.reopened().await;
    let store = &bench.store;
    let all = tags(&[("color", "\u{7ea2}"), ("place", ""), ("shape", "round")]);
    assert_eq!((store.tags(&d1).await.unwrap(), store.tags(&d2).await.unwrap()), (all.clone(), tags(&[])));
    store.remove_tag(&d1, "nothing").await.unwrap();
    store.remove_tag(&d1, "place").await.unwrap();
    assert_eq!(store.tags(&d1).await.unwrap().len(), 2);

    let many: BTreeMap<_, _> = (0..TAGS_PER_DEVICE_MAX - 1).map(|nth| (format!("t{nth}"), "x".to_owned())).collect();
    let refused = store.save_tags(&d1, &many).await.unwrap_err();
    assert_eq!(refused, DirectoryError::TooManyTags { tags: TAGS_PER_DEVICE_MAX + 1, max: TAGS_PER_DEVICE_MAX });
    assert_eq!(store.tags(&d1).await.unwrap().len(), 2, "all or none");
    store.remove_tag(&d1, "color").await.unwrap();
    store.save_tags(&d1, &many).await.unwrap();
    assert_eq!(store.tags(&d1).await.unwrap().len(), TAGS_PER_DEVICE_MAX);

    let nobody = store.save_tags(&key("d9"), &all).await.unwrap_err();
    assert_eq!(nobody, DirectoryError::NoDevice(DeviceRef::Key(key("d9"))));
    store.remove(&d1).await.unwrap();
    store.register(device("d1")).await.unwrap();
    assert_eq!(store.tags(&d1).await.unwrap(), tags(&[]));
}
