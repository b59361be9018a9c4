//! Facts about `scan.rs`: files that come, go, move and get into each other's way.

use std::fs::{remove_file, rename, write};

use prometheus::Registry;

use crate::testsite::{Site, active, answered_by, answering, call, error_of};
use crate::{PluginConfig, Plugins, StartError};

use super::*;

const CLAIMS: &str = "[\"fb:*\"]";

fn names(plugins: &Plugins) -> Vec<String> {
    active(plugins).into_iter().filter_map(|state| state.name).collect()
}

#[tokio::test]
async fn rescan_tells_what_became_of_new_and_changed_files_alone() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    assert!(plugins.rescan().await.is_empty());
    answering(&site.file("b.so"), "b", "[\"gb:*\"]", "1");
    write(site.file("c.so"), "no library").unwrap();
    let results = plugins.rescan().await;
    let told: Vec<_> = results.iter().map(|(file, result)| (file.clone(), result.is_ok())).collect();
    assert_eq!(told, [(site.file("b.so"), true), (site.file("c.so"), false)]);
}

#[tokio::test]
async fn hidden_files_and_other_files_are_left_alone() {
    let site = Site::new();
    for name in [".a.so", "a.so.tmp", "a.txt", "so"] {
        write(site.file(name), "no library").unwrap();
    }
    assert!(site.start().await.list().is_empty());
}

#[tokio::test]
async fn removed_file_retires_its_plugin_and_its_claims_stay_until_it_is_forgotten() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    remove_file(site.file("a.so")).unwrap();
    assert!(plugins.rescan().await.is_empty());
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "nobody");
    assert!(plugins.list()[0].error.as_ref().is_some_and(|why| why.contains("is not there")), "{:?}", plugins.list());
    plugins.forget("a").await.unwrap();
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "device");
    assert!(plugins.list().is_empty());
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn renamed_file_keeps_its_plugin_running() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    rename(site.file("a.so"), site.file("z.so")).unwrap();
    let results = plugins.rescan().await;
    assert!(!results[0].1.as_ref().unwrap().changed);
    let states = plugins.list();
    assert_eq!((states.len(), states[0].file.clone(), states[0].generation), (1, site.file("z.so"), Some(1)));
}

#[tokio::test]
async fn file_that_holds_another_plugin_now_replaces_the_one_before() {
    let site = Site::new();
    answering(&site.file("x.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    answering(&site.file("x.so"), "b", CLAIMS, "2");
    plugins.rescan().await;
    assert_eq!(names(&plugins), ["b"]);
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "2");
    let error = plugins.reload("a", crate::Settings::AsBefore, false).await.unwrap_err();
    assert_eq!(error, LoadError::UnknownPlugin("a".to_owned()));
}

#[tokio::test]
async fn claims_stay_with_a_plugin_whose_file_holds_another_one_that_does_not_take_them() {
    let site = Site::new();
    answering(&site.file("x.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    answering(&site.file("x.so"), "b", "[\"gb:*\"]", "2");
    plugins.rescan().await;
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "nobody");
    plugins.forget("a").await.unwrap();
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "device");
}

#[tokio::test]
async fn record_with_a_claim_that_cannot_be_read_stops_the_start() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    assert!(site.start().await.shutdown().await);
    let record = site.data.join("plugin-kept").join("a.json");
    let text = std::fs::read_to_string(&record).unwrap();
    let spoilt = text.replacen("\"claims\":[\"", "\"claims\":[\"a b\",\"", 1);
    assert_ne!(text, spoilt);
    write(&record, spoilt).unwrap();
    let (config, configs, metering) = (site.config.clone(), site.configs.clone(), Registry::new());
    let started = Plugins::start(config, configs, &site.data, &site.conditions, &metering);
    assert!(matches!(started.await, Err(StartError::Remembered(_))));
}

#[tokio::test]
async fn second_file_of_a_name_is_refused_with_both_files() {
    let site = Site::new();
    answering(&site.file("a.so"), "meter", CLAIMS, "1");
    answering(&site.file("b.so"), "meter", CLAIMS, "2");
    let plugins = site.start().await;
    let (a, b) = (site.file("a.so"), site.file("b.so"));
    let told = format!("both {} and {} hold a plugin named meter; remove one of the two", a.display(), b.display());
    assert_eq!(error_of(&plugins, &b), Some(told));
    assert_eq!((site.loads("ok"), site.loads("duplicate_module")), (1, 1));
    remove_file(&a).unwrap();
    plugins.rescan().await;
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "2");
}

#[tokio::test]
async fn claimed_claim_is_refused_and_taken_when_it_is_free() {
    let site = Site::new();
    answering(&site.file("z.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    answering(&site.file("b.so"), "b", "[\"gb:*\",\"fb:*\"]", "2");
    plugins.rescan().await;
    assert_eq!(
        error_of(&plugins, &site.file("b.so")).unwrap(),
        "plugin a handles fb:* already, so b cannot; set other claims, or an order to stand in front of it, in \
         [plugins.b]"
    );
    assert_eq!(site.loads("duplicate_module"), 1);
    assert_eq!(answered_by(&*plugins, &call("pk", "gb:set")).await, "device");
    // The one gives it up: the other, looked at before it, gets it in the same round.
    answering(&site.file("z.so"), "a", "[\"hb:*\"]", "3");
    let results = plugins.rescan().await;
    assert!(results.iter().all(|(_, result)| result.is_ok()), "{results:?}");
    assert_eq!(names(&plugins), ["a", "b"]);
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "2");
}

#[tokio::test]
async fn equal_orders_with_an_equal_claim_are_refused_with_both_names() {
    let mut site = Site::new();
    for name in ["a", "b"] {
        answering(&site.file(&format!("{name}.so")), name, CLAIMS, "1");
        site.section(name, PluginConfig { order: Some(5), ..PluginConfig::default() });
    }
    let plugins = site.start().await;
    let told = error_of(&plugins, &site.file("b.so")).unwrap();
    assert_eq!(told, "plugins a and b both claim fb:* with order 5; give b another order");
}

#[tokio::test]
async fn new_version_that_gets_into_anothers_way_leaves_the_old_one() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    answering(&site.file("b.so"), "b", "[\"gb:*\"]", "1");
    let plugins = site.start().await;
    answering(&site.file("b.so"), "b", "[\"gb:*\",\"fb:*\"]", "2");
    plugins.rescan().await;
    let state = &active(&plugins)[1];
    assert_eq!((state.version.as_deref(), state.generation), (Some("1"), Some(1)));
    assert!(state.error.as_deref().unwrap().starts_with("plugin a handles fb:* already, so b cannot; "));
    assert_eq!(answered_by(&*plugins, &call("pk", "gb:set")).await, "1");
}

#[tokio::test]
async fn files_have_a_limit() {
    let site = Site::new();
    for number in 0..FILES_MAX + 3 {
        write(site.file(&format!("{number:04}.so")), "").unwrap();
    }
    let plugins = site.start().await;
    assert_eq!(plugins.list().len(), FILES_MAX);
    let error = plugins.load_file(&site.file("0258.so")).await.unwrap_err().to_string();
    assert!(error.ends_with("0258.so is one of more than 256 files"), "{error}");
}
