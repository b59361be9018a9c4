//! Facts about `plugins.rs`: what operators ask for, and what calls see of it.

use std::fs::{hard_link, remove_file, write};
use std::os::unix::fs::symlink;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::PluginConfig;
use crate::testsite::{Echo, Site, active, answered_by, answering, call, error_of, marking, until};

const CLAIMS: &str = "[\"fb:*\"]";

async fn by(plugins: &Plugins) -> String {
    answered_by(plugins, &call("pk", "fb:set")).await
}

#[tokio::test]
async fn without_a_folder_there_are_no_plugins_and_no_error() {
    let site = Site::new();
    std::fs::remove_dir(&site.folder).unwrap();
    let plugins = site.start().await;
    assert!(plugins.list().is_empty());
    assert_eq!(by(&plugins).await, "device");
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn refused_file_does_not_stop_the_others() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "a");
    write(site.file("b.so"), "no library").unwrap();
    let plugins = site.start().await;
    assert_eq!(by(&plugins).await, "a");
    let states = plugins.list();
    assert_eq!((states.len(), states[1].status), (2, crate::PluginStatus::Refused));
    assert_eq!((states[1].file.clone(), states[1].name.as_deref()), (site.file("b.so"), None));
}

#[tokio::test]
async fn reload_runs_the_new_file_and_also_the_same_again() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    answering(&site.file("a.so"), "a", CLAIMS, "2");
    let loaded = plugins.reload("a", Settings::AsBefore, false).await.unwrap();
    assert_eq!((loaded.version.as_str(), loaded.generation, loaded.changed), ("2", 2, true));
    assert_eq!(by(&plugins).await, "2");
    assert_eq!(plugins.reload("a", Settings::AsBefore, false).await.unwrap().generation, 3);
    assert_eq!((by(&plugins).await.as_str(), active(&plugins).len()), ("2", 1));
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn reload_of_an_unknown_name_is_told() {
    let plugins = Site::new().start().await;
    let error = plugins.reload("nobody", Settings::AsBefore, false).await.unwrap_err();
    assert_eq!(error.to_string(), "no plugin is called nobody; `thingcall plugin list` shows all");
}

#[tokio::test]
async fn same_bytes_are_no_swap() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    let loaded = plugins.load_file(&site.file("a.so")).await.unwrap();
    assert_eq!((loaded.generation, loaded.changed), (1, false));
}

#[tokio::test]
async fn broken_new_file_leaves_the_old_plugin_and_is_listed_with_it() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    write(site.file("a.so"), "no library").unwrap();
    assert!(plugins.reload("a", Settings::AsBefore, false).await.is_err());
    assert_eq!(by(&plugins).await, "1");
    let states = plugins.list();
    assert_eq!((states.len(), states[0].status), (1, crate::PluginStatus::Active));
    assert_eq!(states[0].error.as_deref(), Some("not a 64-bit ELF file"));
    answering(&site.file("a.so"), "a", CLAIMS, "2");
    plugins.rescan().await;
    assert_eq!((by(&plugins).await.as_str(), plugins.list()[0].error.as_deref()), ("2", None));
}

#[tokio::test]
async fn file_outside_of_the_folder_is_checked_and_loaded_the_same_way() {
    let (site, elsewhere) = (Site::new(), Site::new());
    let file = elsewhere.file("a.so");
    answering(&file, "a", CLAIMS, "1");
    let plugins = site.start().await;
    assert_eq!(plugins.load_file(&file).await.unwrap().file, file);
    assert_eq!(by(&plugins).await, "1");
    assert!(plugins.rescan().await.is_empty(), "it is as it was");
    remove_file(&file).unwrap();
    plugins.rescan().await;
    assert_eq!(by(&plugins).await, "nobody");
}

#[tokio::test]
async fn file_that_is_not_there_is_told_and_not_listed() {
    let site = Site::new();
    let plugins = site.start().await;
    let error = plugins.load_file(&site.file("gone.so")).await.unwrap_err().to_string();
    assert!(error.ends_with("gone.so cannot be read: No such file or directory (os error 2)"), "{error}");
    assert!(plugins.list().is_empty());
}

#[tokio::test]
async fn new_code_runs_whatever_way_the_file_was_changed() {
    let site = Site::new();
    let (file, beside) = (site.file("a.so"), site.data.join("beside.so"));
    answering(&file, "a", CLAIMS, "first");
    let plugins = site.start().await;
    let other = |by: &str| answering(&beside, "a", CLAIMS, by);

    other("renamed");
    std::fs::rename(&beside, &file).unwrap();
    plugins.rescan().await;
    assert_eq!(by(&plugins).await, "renamed");

    other("linked");
    remove_file(&file).unwrap();
    hard_link(&beside, &file).unwrap();
    plugins.rescan().await;
    assert_eq!(by(&plugins).await, "linked");
    remove_file(&beside).unwrap();

    // As `cp` over it: the same inode, cut off and written anew. Mapped itself, the old code would be gone (SIGBUS).
    other("copied-over-it");
    write(&file, std::fs::read(&beside).unwrap()).unwrap();
    assert_eq!(by(&plugins).await, "linked");
    plugins.rescan().await;
    assert_eq!(by(&plugins).await, "copied-over-it");

    write(&file, "").unwrap();
    assert_eq!(by(&plugins).await, "copied-over-it");
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn symbolic_link_is_refused() {
    let site = Site::new();
    let real = site.data.join("real.so");
    answering(&real, "a", CLAIMS, "1");
    symlink(&real, site.file("a.so")).unwrap();
    let plugins = site.start().await;
    let told = error_of(&plugins, &site.file("a.so")).unwrap();
    assert!(told.ends_with("a.so is a symbolic link; put the library itself there"), "{told}");
}

#[tokio::test]
async fn folder_behind_a_link_is_one_folder() {
    let mut site = Site::new();
    let link = site.data.join("link");
    symlink(&site.folder, &link).unwrap();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    site.config.folder = Some(link.clone());
    let plugins = site.start().await;
    assert_eq!(active(&plugins)[0].file, link.join("a.so"));
    assert!(!plugins.load_file(&site.file("a.so")).await.unwrap().changed, "another name for the same file");
}

#[tokio::test]
async fn chain_runs_in_the_configured_order() {
    let mut site = Site::new();
    marking(&site.file("a.so"), "a", "[\"*\"]", 'a');
    marking(&site.file("b.so"), "b", "[\"fb:*\"]", 'b');
    marking(&site.file("c.so"), "c", "[\"fb:set\"]", 'c');
    site.section("a", PluginConfig { order: Some(2), ..PluginConfig::default() });
    site.section("b", PluginConfig { order: Some(1), ..PluginConfig::default() });
    let plugins = site.start().await;
    let (device, call) = (Echo::default(), call("pk", "fb:set"));
    plugins.find(&call).unwrap().handle(&call, &device).await.unwrap();
    assert_eq!(*device.commands.lock().unwrap(), [r#"{"path":"-bac"}"#]);
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn no_call_is_lost_over_many_swaps() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    let stop = CancellationToken::new();
    let callers: Vec<_> = (0..8)
        .map(|_| {
            let (plugins, stop) = (plugins.clone(), stop.clone());
            tokio::spawn(async move {
                let mut answered = 0;
                while !stop.is_cancelled() {
                    assert_eq!(by(&plugins).await, "1");
                    answered += 1;
                    tokio::task::yield_now().await;
                }
                answered
            })
        })
        .collect();
    for _ in 0..30 {
        plugins.reload("a", Settings::AsBefore, false).await.unwrap();
    }
    stop.cancel();
    for caller in callers {
        assert!(caller.await.unwrap() > 0);
    }
    assert_eq!(active(&plugins)[0].generation, Some(31));
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn caller_that_found_a_handler_before_a_swap_may_use_it_after() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    answering(&site.file("b.so"), "b", "[\"gb:*\"]", "1");
    let plugins = site.start().await;
    let (device, call) = (Echo::default(), call("pk", "fb:set"));
    let found = plugins.find(&call).unwrap();
    plugins.reload("a", Settings::AsBefore, false).await.unwrap();
    // Once the other's is gone, which left later, this one would be too, had nobody found it.
    plugins.reload("b", Settings::AsBefore, false).await.unwrap();
    until("the other generation's end", async || plugins.tasks.count() == 1).await;
    assert!(found.handle(&call, &device).await.is_ok());
    drop(found);
    until("the generation's end", async || plugins.tasks.count() == 0).await;
}

#[tokio::test]
async fn load_whose_caller_went_away_is_done_all_the_same() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    drop(tokio::time::timeout(Duration::ZERO, plugins.reload("a", Settings::AsBefore, false)).await);
    until("the second generation", async || active(&plugins)[0].generation == Some(2)).await;
}

#[tokio::test]
async fn after_shutdown_nothing_is_active_and_nothing_can_be_loaded() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    assert!(plugins.shutdown().await);
    assert_eq!((by(&plugins).await.as_str(), active(&plugins).len()), ("device", 0));
    let error = plugins.load_file(&site.file("a.so")).await.unwrap_err();
    assert_eq!(error.to_string(), "the server is shutting down");
    assert!(plugins.shutdown().await, "twice is no harm");
}

#[tokio::test]
async fn metrics_tell_the_active_version_and_the_mapped_files() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", CLAIMS, "1");
    let plugins = site.start().await;
    answering(&site.file("a.so"), "a", CLAIMS, "2");
    write(site.file("b.so"), "no library").unwrap();
    plugins.rescan().await;
    plugins.refresh_metrics();
    let mut text = String::new();
    prometheus::TextEncoder::new().encode_utf8(&site.metering.gather(), &mut text).unwrap();
    for line in [
        r#"thingcall_plugin_info{abi="1.1",plugin="a",version="2"} 1"#,
        "thingcall_plugin_images_resident 2",
        "thingcall_plugin_files_refused 1",
        r#"thingcall_plugin_loads_total{result="ok"} 2"#,
        r#"thingcall_plugin_loads_total{result="duplicate_module"} 0"#,
    ] {
        assert!(text.contains(line), "no {line} in\n{text}");
    }
    assert!(!text.contains(r#"version="1""#), "a version that is gone has no series\n{text}");
}
