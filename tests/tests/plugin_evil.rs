//! Plugins that do what they must not. The server outlives all of it, no call hangs past its deadline, and nothing is
//! left. The plugin of these tests ends the process where the host breaks the contract (`tests/plugins/script.c`).

use serde_json::{Value, json};
use thingcall_tests::{Answer, DeviceSecrets, LinkkitDevice, Site, c_plugin, eventually};

const SERVICE: &str = "testFb:testService";

/// A server with the plugin, and a device that answers 7.
struct Stage {
    site: Site,
    device: DeviceSecrets,
    _connected: LinkkitDevice,
}

impl Stage {
    fn set(config: &str, macros: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a scratch folder");
        let library = c_plugin("tests/plugins/script.c", macros, folder.path());
        let config = format!("[engine]\nreply_timeout = \"1500ms\"\n{config}");
        let site = Site::with_plugins(&config, &[&library]);
        let (device, connected) = site.linkkit("evil");
        connected.answers(200, &json!({ "param1": 7 }));
        Self { site, device, _connected: connected }
    }

    fn call(&self, deed: u32) -> Answer {
        self.site.invoke(&self.device, SERVICE, &format!(r#"{{"param1":{deed}}}"#))
    }

    fn data(&self, deed: u32) -> Value {
        self.call(deed).ok().result()["data"].clone()
    }

    /// The words of a failure of the plugin's.
    fn failure(&self, deed: u32) -> String {
        let answer = self.call(deed);
        let (code, words) = answer.failure();
        assert_eq!(code, "iot.system.SystemException", "deed {deed}: {words}");
        assert!(words.contains("script"), "the plugin is named: {words}");
        words.to_owned()
    }

    /// Nothing of any call is left, and the server still serves.
    fn nothing_is_left(&self) {
        assert_eq!(self.data(0), json!({ "param1": 7 }));
        eventually("nothing is left", || {
            let metrics = self.site.program.metrics();
            let left = metrics.sum("thingcall_pending_calls", &[])
                + metrics.sum("thingcall_plugin_in_flight", &[r#"plugin="script""#]);
            (left == 0.0).then_some(())
        });
    }
}

#[test]
fn good_deeds_and_evil_ones_end_as_they_should() {
    for execution in ["pool", "inline"] {
        let stage = Stage::set(&format!("[plugins.script]\nexecution = \"{execution}\"\n"), &[]);
        let own = json!({ "param1": 1 });

        // Passes on, asks twice, answers itself, asks again and again.
        assert_eq!([stage.data(0), stage.data(20)], [json!({ "param1": 7 }), json!({ "param1": 7 })]);
        assert_eq!([stage.data(1), stage.data(2)], [own.clone(), own.clone()]);
        // Answers twice, later from a thread, without a state, after NULLs and short structs, after timers that it
        // cancelled, after made-up tokens, in a storm of wakes, after more operations than it may have.
        for deed in [4, 5, 21, 9, 11, 17, 18, 19, 16] {
            assert_eq!(stage.data(deed), own, "deed {deed}, {execution}");
        }
        assert_eq!(stage.call(3).ok().result()["code"], json!(460));
        // Data that is no JSON, an array, no text; too large, or said to be; a status that is none.
        for deed in [8, 23, 24, 10, 22, 12, 13] {
            let words = stage.failure(deed);
            assert!(words.contains("nothing was sent"), "deed {deed}: {words}");
        }
        stage.nothing_is_left();
    }
}

#[test]
fn call_that_is_never_answered_ends_at_its_deadline() {
    let stage = Stage::set("", &[]);

    // Never; and by a thread that waits until the call has ended.
    for deed in [6, 7] {
        let answer = stage.call(deed);
        assert_eq!(answer.failure().0, "iot.messagebroker.TIMEOUT", "deed {deed}");
    }

    stage.nothing_is_left();
    eventually("the late answer was counted", || {
        let stale = stage.site.program.metrics().sum("thingcall_plugin_stale_total", &[r#"plugin="script""#]);
        (stale >= 1.0).then_some(())
    });
}

#[test]
fn plugin_that_blocks_stalls_itself_alone_and_its_circuit_opens() {
    let config = "[loader]\nstall_warn = \"50ms\"\nstall_open = \"300ms\"\n[plugins.script]\nthreads = 1\n";
    let stage = Stage::set(config, &["BLOCK_MS=4000"]);
    let site = &stage.site;
    let is_open = || site.program.metrics().sum("thingcall_plugin_circuit_open", &[r#"plugin="script""#]) == 1.0;

    let blocked = site.begin_invoke(&stage.device, SERVICE, r#"{"param1":14}"#);
    eventually("its circuit opens", || is_open().then_some(()));
    assert!(stage.failure(2).contains("nothing was sent"), "new calls fail at once");
    let other = site.invoke(&stage.device, "Measure", r#"{"channel":1}"#);
    assert!(other.succeeded(), "other services go on");
    assert_eq!(blocked.answer().failure().0, "iot.messagebroker.TIMEOUT", "the deadline holds");
    assert!(site.program.log().contains("script"), "it is logged");
    assert!(site.program.metrics().sum("thingcall_plugin_stalls_total", &[r#"plugin="script""#]) >= 1.0);

    eventually("its circuit closes when its code returns", || (!is_open()).then_some(()));
    stage.nothing_is_left();
}

#[test]
fn calls_of_an_open_circuit_go_the_built_in_path_where_configured() {
    let config = "[loader]\nstall_open = \"300ms\"\n[plugins.script]\nthreads = 1\nfallback = \"built_in\"\n";
    let stage = Stage::set(config, &["BLOCK_MS=4000"]);

    let blocked = stage.site.begin_invoke(&stage.device, SERVICE, r#"{"param1":14}"#);
    // The plugin would answer this one itself, with 1; the device answers 7.
    eventually("calls go to the device", || {
        let answer = stage.call(2);
        (answer.succeeded() && answer.result()["data"] == json!({ "param1": 7 })).then_some(())
    });

    assert_eq!(blocked.answer().failure().0, "iot.messagebroker.TIMEOUT");
}

#[test]
fn stuck_plugin_is_healed_by_a_reload() {
    let config = "[loader]\nstall_open = \"300ms\"\n[plugins.script]\nthreads = 1\n";
    let stage = Stage::set(config, &["BLOCK_MS=20000"]);
    let site = &stage.site;
    let blocked = site.begin_invoke(&stage.device, SERVICE, r#"{"param1":14}"#);
    eventually("its circuit opens", || {
        (site.plugin("script").is_some_and(|plugin| plugin["circuitOpen"] == json!(true))).then_some(())
    });

    stage.site.command(&["plugin", "reload", "script"]);

    assert_eq!(stage.data(2), json!({ "param1": 1 }), "the new generation has threads of its own");
    assert_eq!(blocked.answer().failure().0, "iot.messagebroker.TIMEOUT");
}

#[test]
fn thread_that_outlives_its_plugin_finds_nobody() {
    let stage = Stage::set("", &[]);
    assert_eq!(stage.data(15), json!({ "param1": 1 }));

    std::fs::remove_file(
        stage.site.plugin_folder().read_dir().expect("a folder").next().expect("a file").expect("it").path(),
    )
    .expect("the plugin's file");
    eventually("the plugin is destroyed", || {
        stage.site.plugin("script").is_none_or(|plugin| plugin["status"] != json!("active")).then_some(())
    });
    stage.site.command(&["plugin", "forget", "script"]);

    for _ in 0..20 {
        let answer = stage.site.invoke(&stage.device, SERVICE, r#"{"param1":7}"#).ok();
        assert_eq!(answer.result()["data"], json!({ "param1": 7 }));
    }
}

#[test]
fn hundred_callers_who_hang_up_leave_nothing() {
    let stage = Stage::set("", &[]);

    for _ in 0..100 {
        drop(stage.site.send_invoke(&stage.device, SERVICE, r#"{"param1":6}"#));
    }

    stage.nothing_is_left();
}
