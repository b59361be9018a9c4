//! What a plugin that takes its time to be created holds up: nothing but itself.

use std::path::{Path, PathBuf};

use tokio::runtime::Runtime;

use crate::testsite::{Site, active, answered_by, answering, call, compile, text, until};
use crate::{PluginConfig, PluginStatus, Plugins, Settings};

/// A site with a plugin `slow` for `fb:*`, whose create returns when there is a file. `more` are macros.
fn site(more: &[String]) -> (Site, PathBuf) {
    let site = Site::new();
    let awaited = site.data.join("awaited");
    let macros = [text("NAME", "slow"), text("CLAIMS", "[\"fb:*\"]"), text("ANSWER", "{\"by\":\"slow\"}")];
    let waits = text("CREATE_AWAITS", awaited.to_str().unwrap());
    let macros: Vec<&str> = macros.iter().chain([&waits]).chain(more).map(String::as_str).collect();
    compile(&site.file("a.so"), &macros, &[]);
    (site, awaited)
}

async fn by(plugins: &Plugins, service: &str) -> String {
    answered_by(plugins, &call("pk", service)).await
}

fn condition(site: &Site, name: &str) -> Option<String> {
    let found = site.conditions.states().into_iter().find(|state| state.name == name);
    found.expect("a condition").failure
}

fn go_on(awaited: &Path) {
    std::fs::write(awaited, "").unwrap();
}

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// Lets the plugin go on also where the test fails: its thread is waited for, before its folder goes.
struct GoesOn(PathBuf);

impl Drop for GoesOn {
    fn drop(&mut self) {
        go_on(&self.0);
    }
}

#[test]
fn slow_create_holds_up_nothing_but_itself() {
    let (site, awaited) = site(&[]);
    let runtime = runtime();
    let _goes_on = GoesOn(awaited.clone());
    runtime.block_on(async {
        answering(&site.file("b.so"), "b", "[\"gb:*\"]", "1");
        let plugins = site.begin().await;
        until("the other is loaded", async || by(&plugins, "gb:set").await == "1").await;
        assert_eq!(by(&plugins, "fb:set").await, "being created");
        let told = condition(&site, "plugin slow").expect("it is not there yet");
        assert!(told.starts_with("being created"), "{told}");
        let listed = plugins.list().into_iter().find(|state| state.name.as_deref() == Some("slow")).unwrap();
        assert_eq!((listed.status, listed.generation, listed.error), (PluginStatus::Starting, Some(1), None));

        answering(&site.file("b.so"), "b", "[\"gb:*\"]", "2");
        assert_eq!(plugins.reload("b", Settings::AsBefore, false).await.unwrap().version, "2");
        answering(&site.file("c.so"), "c", "[\"hb:*\"]", "new");
        plugins.rescan().await;
        std::fs::remove_file(site.file("c.so")).unwrap();
        plugins.rescan().await;
        assert_eq!((by(&plugins, "gb:set").await.as_str(), by(&plugins, "hb:set").await.as_str()), ("2", "nobody"));

        go_on(&awaited);
        plugins.settled().await;
        assert_eq!((by(&plugins, "fb:set").await.as_str(), condition(&site, "plugin slow")), ("slow", None));
        assert!(plugins.shutdown().await);
    });
}

#[test]
fn what_runs_goes_on_while_its_successor_is_created() {
    let (site, awaited) = site(&[]);
    let runtime = runtime();
    let _goes_on = GoesOn(awaited.clone());
    runtime.block_on(async {
        go_on(&awaited);
        let plugins = site.start().await;
        std::fs::remove_file(&awaited).unwrap();
        let reloaded = plugins.clone();
        let reload = tokio::spawn(async move { reloaded.reload("slow", Settings::AsBefore, false).await });
        until("it is being created", async || plugins.roster().book().starting().contains_key("slow")).await;
        assert_eq!((by(&plugins, "fb:set").await.as_str(), condition(&site, "plugin slow")), ("slow", None));
        go_on(&awaited);
        assert_eq!(reload.await.unwrap().unwrap().generation, 2);
    });
}

#[test]
fn claim_of_one_that_is_being_created_is_taken_until_its_create_fails() {
    let (site, awaited) = site(&[text("CREATE_SAYS", "no")]);
    let runtime = runtime();
    let _goes_on = GoesOn(awaited.clone());
    runtime.block_on(async {
        let plugins = site.begin().await;
        answering(&site.file("b.so"), "b", "[\"fb:*\"]", "b");
        let refused = plugins.load_file(&site.file("b.so")).await.unwrap_err();
        assert!(refused.to_string().contains("plugin slow handles fb:* already"), "{refused}");
        go_on(&awaited);
        plugins.settled().await;
        assert_eq!(by(&plugins, "fb:set").await, "b");
    });
}

#[test]
fn shutdown_does_not_wait_for_a_create_and_blames_no_plugin() {
    let (site, awaited) = site(&[]);
    let runtime = runtime();
    let _goes_on = GoesOn(awaited.clone());
    runtime.block_on(async {
        let plugins = site.begin().await;
        let marks = || {
            let files = std::fs::read_dir(site.data.join("plugin-kept")).unwrap();
            files.filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|name| name == "loading")).count()
        };
        until("its code runs", async || site.data.join("plugin-kept").exists() && marks() == 1).await;
        assert!(!plugins.shutdown().await, "its code still runs");
        assert_eq!((marks(), active(&plugins).len()), (0, 0));
    });
}

#[tokio::test]
async fn reload_takes_another_section_if_the_plugin_can_be_loaded_with_it() {
    let site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "1");
    let plugins = site.start().await;
    let claiming = |claim: &str| {
        let claims = Some(vec![claim.to_owned()]);
        Settings::Now(Some(Box::new(PluginConfig { claims, ..PluginConfig::default() })))
    };
    plugins.reload("a", claiming("gb:*"), false).await.unwrap();
    assert_eq!((by(&plugins, "gb:set").await.as_str(), by(&plugins, "fb:set").await.as_str()), ("1", "device"));
    assert!(plugins.reload("a", claiming("g b"), false).await.is_err());
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "2");
    plugins.rescan().await;
    assert_eq!(by(&plugins, "gb:set").await, "2", "it keeps the section that it was loaded with");
    plugins.reload("a", Settings::Now(None), false).await.unwrap();
    assert_eq!(by(&plugins, "fb:set").await, "2");
}
