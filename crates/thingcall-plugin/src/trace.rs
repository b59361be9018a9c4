//! Lines that the plugin and its dependencies write with `tracing`, in the server's log: a library has its own copy of
//! `tracing`, which knows no subscriber but the one set here. Spans are left out: the call is named anyhow.

/// Sends lines of `tracing` to the host from now on.
#[cfg(not(feature = "tracing"))]
pub(crate) fn forward() {}

#[cfg(feature = "tracing")]
pub(crate) use forwarder::forward;

#[cfg(feature = "tracing")]
mod forwarder {
    use std::fmt::Debug;

    use serde_json::{Map, Value};
    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::subscriber::{set_global_default, Interest};
    use tracing::{Event, Metadata, Subscriber};

    use crate::log::{self, Level};

    /// Sends lines of `tracing` to the host from now on.
    pub(crate) fn forward() {
        // Another subscriber is the author's will.
        let _other = set_global_default(Forwarder);
    }

    struct Forwarder;

    fn level(of: tracing::Level) -> Level {
        match of {
            tracing::Level::ERROR => Level::Error,
            tracing::Level::WARN => Level::Warn,
            tracing::Level::INFO => Level::Info,
            tracing::Level::DEBUG => Level::Debug,
            tracing::Level::TRACE => Level::Trace,
        }
    }

    impl Subscriber for Forwarder {
        /// Asked again each time: the host may change what it logs.
        fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
            if metadata.is_event() {
                Interest::sometimes()
            } else {
                Interest::never()
            }
        }

        fn enabled(&self, metadata: &Metadata<'_>) -> bool {
            metadata.is_event() && log::enabled(level(*metadata.level()))
        }

        fn event(&self, event: &Event<'_>) {
            let mut line = Line::default();
            event.record(&mut line);
            let fields = if line.fields.is_empty() { String::new() } else { Value::Object(line.fields).to_string() };
            let metadata = event.metadata();
            log::send(level(*metadata.level()), metadata.target(), &line.message, &fields);
        }

        fn new_span(&self, _span: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _span: &Id, _values: &Record<'_>) {}
        fn record_follows_from(&self, _span: &Id, _follows: &Id) {}
        fn enter(&self, _span: &Id) {}
        fn exit(&self, _span: &Id) {}
    }

    /// What an event says.
    #[derive(Default)]
    struct Line {
        message: String,
        fields: Map<String, Value>,
    }

    impl Line {
        fn put(&mut self, field: &Field, value: Value) {
            let _before = self.fields.insert(field.name().to_owned(), value);
        }
    }

    impl Visit for Line {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            if field.name() == "message" {
                self.message = format!("{value:?}");
            } else {
                self.put(field, Value::String(format!("{value:?}")));
            }
        }

        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "message" {
                value.clone_into(&mut self.message);
            } else {
                self.put(field, value.into());
            }
        }

        fn record_i64(&mut self, field: &Field, value: i64) {
            self.put(field, value.into());
        }

        fn record_u64(&mut self, field: &Field, value: u64) {
            self.put(field, value.into());
        }

        fn record_f64(&mut self, field: &Field, value: f64) {
            self.put(field, value.into());
        }

        fn record_bool(&mut self, field: &Field, value: bool) {
            self.put(field, value.into());
        }
    }
}
