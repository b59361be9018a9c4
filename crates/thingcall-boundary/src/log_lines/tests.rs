//! What plugins log.
#![expect(unsafe_code, reason = "plays a plugin")]

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use thingcall_plugin::abi::{Bytes, LOG_DEBUG, LOG_INFO, LOG_WARN, OK, Token};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use super::*;
use crate::host::HOST;
use crate::testbench::{BEGUN, FakeDevice, bench, echo, inline, script, text};

type Told = BTreeMap<&'static str, String>;

/// Keeps the events of INFO and above.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<(Level, String, Told)>>>);

struct Fields(Told);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.insert(field.name(), format!("{value:?}"));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name(), value.to_owned());
    }
}

impl Subscriber for Kept {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        *metadata.level() <= Level::INFO
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, event: &Event<'_>) {
        let mut fields = Fields(Told::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        self.0.lock().unwrap().push((*metadata.level(), metadata.target().to_owned(), fields.0));
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

fn log(token: Token, level: i32, [target, message, fields]: [&[u8]; 3]) {
    let [target, message, fields] = [target, message, fields].map(Bytes::of);
    // SAFETY: readable texts.
    unsafe { HOST.log.unwrap()(token, level, &target, &message, &fields) };
}

#[tokio::test]
async fn a_line_is_one_event_with_the_plugins_name_and_is_cut_and_mended() {
    let bench = bench(echo(), inline());
    let token = bench.script.token.load(std::sync::atomic::Ordering::SeqCst);
    let kept = Kept::default();
    let _kept = tracing::subscriber::set_default(kept.clone());
    let enabled = [LOG_WARN, LOG_INFO, LOG_DEBUG, 0, 6, -1].map(|level| {
        // SAFETY: any numbers are allowed.
        unsafe { HOST.log_enabled.unwrap()(token, level) }
    });
    assert_eq!(enabled, [1, 1, 0, 0, 0, 0]);
    log(token, LOG_WARN, [b"my::module", b"a\xffb", br#"{"n":1}"#]);
    log(token, LOG_INFO, [&[b't'; 500], &[b'm'; 1 << 20], b""]);
    log(token, LOG_DEBUG, [b"t", b"not wanted", b""]);
    log(token, 77, [b"t", b"no level", b""]);
    let lines = kept.0.lock().unwrap();
    let [(Level::WARN, warned, first), (Level::INFO, _, second)] = &lines[..] else { panic!("{lines:?}") };
    assert_eq!(warned, "plugin");
    let told = |line: &Told, name| line.get(name).cloned().unwrap();
    assert_eq!((told(first, "plugin"), told(first, "module")), ("bench".to_owned(), "my::module".to_owned()));
    assert_eq!((told(first, "message"), told(first, "fields")), ("a\u{fffd}b".to_owned(), r#"{"n":1}"#.to_owned()));
    assert_eq!((told(second, "module").len(), told(second, "message").len()), (128, 16 * 1024));
}

#[tokio::test]
async fn a_line_of_a_call_names_the_call_and_one_of_the_plugin_does_not() {
    let kept = Kept::default();
    let _kept = tracing::subscriber::set_default(kept.clone());
    let bench = bench(
        script(|script, token, request| {
            log(token, LOG_INFO, [b"", b"of the call", b""]);
            assert_eq!(script.complete(token, OK, 200, text(request.args)), OK);
            BEGUN
        }),
        inline(),
    );
    let device = FakeDevice::silent();
    bench.call(&device).await.unwrap();
    log(bench.script.token.load(std::sync::atomic::Ordering::SeqCst), LOG_INFO, [b"", b"of the plugin", b""]);
    let lines = kept.0.lock().unwrap();
    let said = |message: &str| {
        let mut of_plugin = lines.iter().map(|(_, _, told)| told);
        of_plugin.find(|told| told.get("message").is_some_and(|text| text == message)).unwrap().get("call").cloned()
    };
    assert_eq!((said("of the call"), said("of the plugin")), (Some("7".to_owned()), None));
}
