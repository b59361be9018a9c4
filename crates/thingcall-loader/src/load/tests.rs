//! Facts about `load.rs`: each refusal with its text, and what a load leaves as it was.

use std::fs::{Permissions, set_permissions, write};
use std::os::unix::fs::PermissionsExt;

use enum_map::Enum;

use super::*;
use crate::PluginConfig;
use crate::candidate::host_can_load;
use crate::plugins::Plugins;
use crate::testsite::{Site, active, answered_by, answering, call, compile, text, until};

/// A site whose folder holds one plugin compiled so.
fn site(macros: &[String], flags: &[&str]) -> Site {
    let site = Site::new();
    let (name, claims) = (text("NAME", "a"), text("CLAIMS", "[\"fb:*\"]"));
    let macros: Vec<&str> = [&name, &claims].into_iter().chain(macros).map(String::as_str).collect();
    compile(&site.file("a.so"), &macros, flags);
    site
}

fn manifest(text_of_it: &str) -> [String; 2] {
    [text("MANIFEST", text_of_it), "MANIFEST_SYMBOL=thingcall_plugin_manifest_v1".to_owned()]
}

/// What is said of the site's `a.so`, which is counted as `result`.
async fn refusal(site: &Site, result: &str) -> String {
    let plugins = site.start().await;
    assert!(active(&plugins).is_empty());
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "device");
    if !result.is_empty() {
        assert_eq!((site.loads(result), site.loads("ok")), (1, 0));
    }
    assert!(plugins.shutdown().await);
    error(&plugins, site)
}

fn error(plugins: &Plugins, site: &Site) -> String {
    crate::testsite::error_of(plugins, &site.file("a.so")).expect("a refusal")
}

#[tokio::test]
async fn plugin_is_loaded_and_answers() {
    let site = site(&[text("ANSWER", "{\"by\":\"a\"}")], &[]);
    let plugins = site.start().await;
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "a");
    assert_eq!(answered_by(&*plugins, &call("pk", "set")).await, "device");
    until("the call's end", async || active(&plugins)[0].calls_in_flight == 0).await;
    let state = &active(&plugins)[0];
    assert_eq!(
        (state.name.as_deref(), state.version.as_deref(), state.generation),
        (Some("a"), Some("1.0.0"), Some(1))
    );
    assert_eq!((state.claims.join(" "), state.circuit_open), ("fb:*".to_owned(), false));
    assert_eq!((site.loads("ok"), state.error.as_deref()), (1, None));
    assert!(plugins.shutdown().await);
}

#[tokio::test]
async fn manifest_of_another_version_is_refused_before_any_code_runs() {
    let data = tempfile::tempdir().unwrap();
    let trace = data.path().join("trace");
    let [manifest, symbol] = manifest(r#"{"abi":[2,0],"name":"a"}"#);
    let site = site(&[manifest, symbol, text("CONSTRUCTED", trace.to_str().unwrap())], &[]);
    assert_eq!(refusal(&site, "abi_mismatch").await, "built for plugin ABI 2; this host speaks ABI 1");
    assert!(!trace.exists());
}

#[tokio::test]
async fn table_of_another_version_is_refused() {
    let site = site(&["TABLE_MAJOR=2".to_owned()], &[]);
    assert_eq!(refusal(&site, "abi_mismatch").await, "plugin table of ABI 2, host has 1");
}

#[tokio::test]
async fn missing_or_short_table_is_refused() {
    for one in ["NO_TABLE", "TABLE_SIZE=8"] {
        let site = site(&[one.to_owned()], &[]);
        assert_eq!(refusal(&site, "symbol_missing").await, "plugin table is missing or too short");
    }
}

#[tokio::test]
async fn library_that_is_no_plugin_is_refused() {
    let site = site(&["MANIFEST_SYMBOL=something_else".to_owned(), text("MANIFEST", "{}")], &[]);
    assert_eq!(refusal(&site, "symbol_missing").await, "not a thingcall plugin (no thingcall_plugin_manifest_v1)");
}

#[tokio::test]
async fn missing_entry_is_refused_before_any_code_runs() {
    let site = site(&["NO_ENTRY".to_owned()], &[]);
    assert_eq!(refusal(&site, "symbol_missing").await, "thingcall_plugin_entry_v1 is not exported");
}

#[tokio::test]
async fn plugin_that_aborts_is_refused_unless_the_operator_allows_it() {
    let mut site = site(&manifest(r#"{"abi":[1,0],"name":"a","version":"1","claims":["fb:*"],"panic":"abort"}"#), &[]);
    assert_eq!(
        refusal(&site, "bad_manifest").await,
        "built with panic=abort, a panic would end the server; rebuild with panic=unwind or set allow_panic_abort in \
         [plugins.a]"
    );
    site.section("a", PluginConfig { allow_panic_abort: true, ..PluginConfig::default() });
    assert_eq!(active(&*site.start().await).len(), 1);
}

#[tokio::test]
async fn static_tls_is_refused() {
    let site = site(&["STATIC_TLS".to_owned()], &["-fvisibility=default"]);
    assert_eq!(
        refusal(&site, "io").await,
        "needs static TLS (initial-exec thread-locals, e.g. an allocator): it could be loaded only a few times; build \
         it with -ftls-model=global-dynamic, or the allocator with its local-dynamic option"
    );
}

#[tokio::test]
async fn what_is_no_library_is_refused() {
    let site = Site::new();
    write(site.file("a.so"), "root:x:0:0\n").unwrap();
    set_permissions(site.file("a.so"), Permissions::from_mode(0o755)).unwrap();
    assert_eq!(refusal(&site, "io").await, "not a 64-bit ELF file");
}

#[tokio::test]
async fn file_that_others_can_write_is_refused() {
    let site = site(&[], &[]);
    let file = site.file("a.so");
    set_permissions(&file, Permissions::from_mode(0o777)).unwrap();
    let path = file.display();
    let told = format!("{path} is writable by group or others (mode 777); run: chmod go-w {path}");
    assert_eq!(refusal(&site, "io").await, told);
}

#[tokio::test]
async fn file_that_is_not_on_the_allow_list_is_refused() {
    let mut site = site(&[], &[]);
    site.config.sha256_allowed = vec!["0".repeat(64)];
    let told = refusal(&site, "io").await;
    assert!(told.starts_with("sha256 ") && told.contains(" is not on the allow-list; "), "{told}");
    let sha256 = told.split(' ').nth(1).unwrap().to_owned();
    site.config.sha256_allowed.push(sha256);
    assert_eq!(active(&*site.start().await).len(), 1);
}

#[tokio::test]
async fn processor_of_another_kind_is_told() {
    let site = site(&[], &[]);
    let mut bytes = std::fs::read(site.file("a.so")).unwrap();
    bytes[0x12] = 21;
    write(site.file("a.so"), bytes).unwrap();
    let host = std::env::consts::ARCH;
    assert_eq!(refusal(&site, "io").await, format!("built for powerpc64; this host runs on {host}"));
}

#[tokio::test]
async fn failed_create_is_told_in_the_plugins_words() {
    let site = site(&[text("CREATE_SAYS", "config says no")], &[]);
    assert_eq!(refusal(&site, "init_failed").await, "create failed (-2): config says no");
}

#[tokio::test]
async fn claims_without_begin_and_codecs_without_translation_are_refused() {
    let site = site(&["NO_BEGIN".to_owned(), "WITH_CODEC".to_owned()], &[]);
    assert_eq!(refusal(&site, "bad_manifest").await, "the plugin has claims, but its table has no begin");
    let site = self::site(&[text("CODECS", "[\"*\"]")], &[]);
    assert_eq!(refusal(&site, "bad_manifest").await, "the plugin has codecs, but its table has no encode");
}

#[tokio::test]
async fn plugin_that_only_translates_needs_no_begin() {
    let mut site = site(&["NO_BEGIN".to_owned(), "WITH_CODEC".to_owned(), text("CODECS", "[\"pk\"]")], &[]);
    site.section("a", PluginConfig { claims: Some(Vec::new()), ..PluginConfig::default() });
    let plugins = site.start().await;
    use thingcall_core::Handlers;
    assert!(plugins.codec(&"pk".parse().unwrap()).is_some() && plugins.codec(&"other".parse().unwrap()).is_none());
    assert!(plugins.find(&call("pk", "fb:set")).is_none());
}

#[tokio::test]
async fn configured_claims_replace_the_manifests() {
    let mut site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "a");
    site.section("a", PluginConfig { claims: Some(vec!["gb:*".to_owned()]), ..PluginConfig::default() });
    let plugins = site.start().await;
    assert_eq!(answered_by(&*plugins, &call("pk", "gb:set")).await, "a");
    assert_eq!(answered_by(&*plugins, &call("pk", "fb:set")).await, "device");
}

#[tokio::test]
async fn wrong_claims_are_told_with_where_they_stand() {
    let mut site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:\"]", "a");
    assert!(refusal(&site, "bad_manifest").await.starts_with("claim \"fb:\" is wrong: "));
    site.section("a", PluginConfig { claims: Some(vec!["x y".to_owned()]), ..PluginConfig::default() });
    assert!(refusal(&site, "").await.starts_with("[plugins.a]: claim \"x y\" is wrong: "));
    site.section("a", PluginConfig { claims: Some(Vec::new()), ..PluginConfig::default() });
    let told = "a claims no calls and translates for no product; nothing would reach it";
    assert_eq!(refusal(&site, "").await, told);
}

#[tokio::test]
async fn disabled_plugin_is_listed_and_not_counted() {
    let mut site = Site::new();
    answering(&site.file("a.so"), "a", "[\"fb:*\"]", "a");
    site.section("a", PluginConfig { enabled: false, ..PluginConfig::default() });
    let plugins = site.start().await;
    let state = &plugins.list()[0];
    assert_eq!((state.status, state.name.as_deref()), (crate::PluginStatus::Disabled, Some("a")));
    assert_eq!(state.error.as_deref(), Some("[plugins.a] says enabled = false"));
    assert!((0..LoadResult::LENGTH).all(|at| site.loads(LoadResult::from_usize(at).into()) == 0));
}

#[test]
fn static_host_says_so_politely() {
    assert_eq!(host_can_load(false), Ok(()));
    assert_eq!(
        host_can_load(true).unwrap_err().to_string(),
        "this build is statically linked and cannot load plugins; use the build for glibc"
    );
}

#[tokio::test]
async fn create_that_does_not_return_is_told_and_is_retired_when_it_does() {
    let data = tempfile::tempdir().unwrap();
    let awaited = data.path().join("awaited");
    let site = site(&[text("CREATE_AWAITS", awaited.to_str().unwrap())], &[]);
    let (config, configs) = (site.config.clone(), site.configs.clone());
    let within = std::time::Duration::from_millis(1);
    let plugins =
        Plugins::begin_within(within, (config, configs), &site.data, &site.conditions, &site.metering).await.unwrap();
    plugins.settled().await;
    assert_eq!(error(&plugins, &site), "its constructors or its create do not return");
    assert_eq!(site.loads("init_failed"), 1);
    until("the load's end", async || plugins.tasks().count() == 1).await;
    write(&awaited, "").unwrap();
    until("its end", async || plugins.tasks().count() == 0).await;
    assert!(active(&plugins).is_empty() && plugins.shutdown().await);
}

#[test]
fn create_that_never_returns_is_told_at_shutdown() {
    let data = tempfile::tempdir().unwrap();
    let awaited = data.path().join("awaited");
    let site = site(&[text("CREATE_AWAITS", awaited.to_str().unwrap())], &[]);
    // It ends before the folder does, and with it the thread that waits for the file.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let destroyed = runtime.block_on(async {
        let (config, configs) = (site.config.clone(), site.configs.clone());
        let within = std::time::Duration::from_millis(1);
        let plugins = Plugins::begin_within(within, (config, configs), &site.data, &site.conditions, &site.metering)
            .await
            .unwrap();
        plugins.settled().await;
        plugins.shutdown().await
    });
    write(&awaited, "").unwrap();
    drop(runtime);
    assert!(!destroyed);
}

/// The version that is active.
fn version(plugins: &Plugins) -> Option<String> {
    active(plugins).first()?.version.clone()
}

#[tokio::test]
async fn rollback_lasts_over_starts_until_the_file_changes_or_is_reloaded() {
    let site = Site::new();
    let file = site.file("a.so");
    answering(&file, "a", "[\"fb:*\"]", "1");
    let plugins = site.start().await;
    answering(&file, "a", "[\"fb:*\"]", "2");
    plugins.rescan().await;
    plugins.rollback("a").await.unwrap();
    plugins.shutdown().await;

    for _ in 0..2 {
        let plugins = site.start().await;
        assert_eq!(version(&plugins).as_deref(), Some("1"));
        assert!(plugins.rescan().await.is_empty());
        plugins.shutdown().await;
    }
    let plugins = site.start().await;
    plugins.reload("a", Settings::AsBefore, false).await.unwrap();
    assert_eq!(version(&plugins).as_deref(), Some("2"));
    plugins.rollback("a").await.unwrap();
    answering(&file, "a", "[\"fb:*\"]", "3");
    plugins.rescan().await;
    assert_eq!(version(&plugins).as_deref(), Some("3"));
    plugins.shutdown().await;
    assert_eq!(version(&*site.start().await).as_deref(), Some("3"));
}

#[tokio::test]
async fn where_the_last_file_is_refused_too_the_one_before_it_is_loaded() {
    let site = Site::new();
    let file = site.file("a.so");
    answering(&file, "a", "[\"fb:*\"]", "1");
    let plugins = site.start().await;
    answering(&file, "a", "[\"fb:*\"]", "2");
    plugins.rescan().await;
    plugins.shutdown().await;
    write(&file, "no library").unwrap();
    let last = site.data.join("plugin-kept").join("a.so");
    std::fs::remove_file(&last).unwrap();
    write(&last, "nor this").unwrap();
    assert_eq!(version(&*site.start().await).as_deref(), Some("1"));
}
