//! Panics in every function of a plugin: each ends as a failure of its own call that names the plugin, and the plugin goes
//! on (`tests/plugins/panics`).

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use serde_json::json;
use thingcall_core::{
    Answer, Args, CallError, CallId, CallMode, Command, Deadline, Delivery, DeviceLink, Executed, Handlers, Qos,
    RawReply, TransportKind,
};
use thingcall_loader::{Execution, PluginConfig};
use thingcall_tests::rust_plugin;

use crate::bench::{Bench, call, deadline, device, replied};

/// Answers `{}`.
struct Agreeing;

#[async_trait]
impl DeviceLink for Agreeing {
    async fn call(&self, _command: Command) -> Result<Answer, CallError> {
        Ok(replied("{}"))
    }

    fn deadline(&self) -> Deadline {
        deadline()
    }
}

fn told(execution: Execution, at: &str) -> PluginConfig {
    let config = json!({ "at": at }).as_object().cloned().unwrap_or_default();
    PluginConfig { execution, config, ..PluginConfig::default() }
}

async fn panicking(execution: Execution, at: &str) -> Bench {
    Bench::load(&rust_plugin("panics"), "panics", told(execution, at)).await
}

async fn at(bench: &Bench, place: &str) -> Result<Answer, CallError> {
    let call = call(1, CallMode::Sync, &json!({ "at": place }).to_string());
    bench.call(&call, &Agreeing).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_in_a_call_fails_that_call_alone() {
    for execution in [Execution::Pool, Execution::Inline] {
        let bench = panicking(execution, "").await;

        for (place, may_have) in [
            ("handle", Executed::No),
            ("timer", Executed::No),
            ("payload", Executed::No),
            ("reply", Executed::Maybe),
            ("drop", Executed::Maybe),
        ] {
            let failed = at(&bench, place).await.expect_err(place);
            let words = failed.to_string();
            assert!(words.contains("plugin panics: its code panicked"), "{place}: {words}");
            assert_eq!(failed.executed(), may_have, "{place}: {words}");
            at(&bench, "").await.expect("the plugin goes on");
        }

        bench.shut_down().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn panic_while_the_host_drops_a_call_is_contained() {
    for execution in [Execution::Pool, Execution::Inline] {
        let bench = panicking(execution, "").await;

        for _ in 0..10 {
            let hung_up = tokio::time::timeout(Duration::from_millis(5), at(&bench, "cancel")).await;
            assert!(hung_up.is_err(), "{hung_up:?}");
        }

        at(&bench, "").await.expect("the plugin goes on");
        bench.shut_down().await;
    }
}

#[tokio::test]
async fn panic_in_create_refuses_the_plugin() {
    let bench = panicking(Execution::Pool, "create").await;

    let why = bench.refused().expect("it is refused");

    assert!(why.contains("in create"), "{why}");
    bench.shut_down().await;
}

#[tokio::test]
async fn panic_in_destroy_is_contained() {
    let bench = panicking(Execution::Pool, "destroy").await;

    at(&bench, "").await.expect("it works");
    // The old generation is destroyed, then the new one.
    bench.plugins.reload("panics", thingcall_loader::Settings::AsBefore, false).await.expect("a new generation");

    at(&bench, "").await.expect("it works");
    bench.shut_down().await;
}

#[tokio::test]
async fn panic_in_a_translation_fails_that_translation_alone() {
    let bench = panicking(Execution::Pool, "").await;
    let codec = bench.plugins.codec(&device().key.product).expect("it translates");

    for (text, good) in [("fine", true), ("panic", false), ("fine", true)] {
        let raw = RawReply {
            device: device().key,
            transport: TransportKind::Embedded,
            topic_id: None,
            service: None,
            payload: Bytes::from(json!({ "code": 200, "data": { "said": text } }).to_string()),
        };
        let decoded = codec.decode(raw).await;
        let encoded = codec.encode(&delivery(&json!({ "say": text }).to_string())).await;
        for (done, words) in [
            (decoded.is_ok(), decoded.err().map(|why| why.to_string())),
            (encoded.is_ok(), encoded.err().map(|why| why.to_string())),
        ] {
            assert_eq!(done, good, "{text}: {words:?}");
            assert!(words.is_none_or(|words| words.contains("panics") && words.contains("panicked")));
        }
    }
    drop(codec);
    bench.shut_down().await;
}

/// A command for the device.
pub(crate) fn delivery(params: &str) -> Delivery {
    Delivery {
        letter: None,
        id: CallId::from_u32(7),
        device: std::sync::Arc::new(device()),
        service: "readMeter".parse().expect("a service"),
        params: Args::checked(params),
        raw: None,
        mode: CallMode::Sync,
        qos: Qos::AtMostOnce,
        deadline: None,
        sync_topic: None,
        trace: None,
    }
}
