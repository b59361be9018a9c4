//! What happens while a plugin is tried: printed as it happens, or kept for whoever asked.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Map, Value, json};
use tokio::time::Instant;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::output::{self, Output};

/// Takes steps. Shared by the device and whatever logs.
#[derive(Debug)]
pub(crate) struct Steps {
    to: To,
    started: Instant,
}

/// Where steps go.
#[derive(Debug)]
enum To {
    /// To whoever runs the command.
    Printed(Output),
    /// Into a list.
    Kept(Mutex<Vec<Value>>),
}

impl Steps {
    /// Prints steps from now on, log lines at this level or above among them.
    ///
    /// # Errors
    /// If logging was started before.
    pub(crate) fn start(output: Output, level: Level) -> anyhow::Result<Arc<Self>> {
        let steps = Arc::new(Self { to: To::Printed(output), started: Instant::now() });
        tracing_subscriber::registry().with(Logged { steps: steps.clone(), level }).try_init()?;
        Ok(steps)
    }

    /// Keeps steps from now on, those of the call alone.
    pub(crate) fn kept() -> Arc<Self> {
        Arc::new(Self { to: To::Kept(Mutex::default()), started: Instant::now() })
    }

    /// The steps that were kept.
    pub(crate) fn taken(&self) -> Vec<Value> {
        match &self.to {
            To::Printed(_) => Vec::new(),
            To::Kept(steps) => std::mem::take(&mut *steps.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }

    /// One step: its name, what it says to people, and its members for programs.
    pub(crate) fn step(&self, name: &str, text: &str, members: Value) {
        let at_ms = milliseconds(self.started.elapsed());
        match &self.to {
            To::Printed(output) if output.json => output::line(as_object(name, at_ms, members)),
            To::Printed(_) => output::line(format_args!("{at_ms:>9.3} ms  {name:<7}  {text}")),
            To::Kept(steps) => {
                let step = as_object(name, at_ms, members);
                steps.lock().unwrap_or_else(PoisonError::into_inner).push(step);
            }
        }
    }
}

fn as_object(name: &str, at_ms: f64, members: Value) -> Value {
    let mut object = Map::new();
    object.insert("step".to_owned(), json!(name));
    object.insert("atMs".to_owned(), json!(at_ms));
    if let Value::Object(members) = members {
        object.extend(members.into_iter().filter(|(_, value)| !value.is_null()));
    }
    Value::Object(object)
}

/// Milliseconds, to the microsecond.
pub(crate) fn milliseconds(took: Duration) -> f64 {
    (took.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// Makes steps of log lines: the plugin's own, and what the loader says of it.
struct Logged {
    steps: Arc<Steps>,
    level: Level,
}

impl<S: Subscriber> Layer<S> for Logged {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        let least = match metadata.target() {
            target if target.starts_with("plugin") => self.level,
            target if target.starts_with("thingcall_loader") || target.starts_with("thingcall_boundary") => {
                self.level.min(Level::WARN)
            }
            _ => return false,
        };
        *metadata.level() <= least
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut said = Said::default();
        event.record(&mut said);
        let level = event.metadata().level().as_str();
        let members = json!({ "level": level, "message": said.message, "fields": said.fields });
        let mut text = format!("{level} {}", said.message);
        for (name, value) in &said.fields {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if value.is_empty() || name == "plugin" {
                continue;
            }
            text.push_str(&format!(" {name}={value}"));
        }
        self.steps.step("log", &text, members);
    }
}

/// `held_ms` as programs read it: `heldMs`.
fn in_camel_case(name: &str) -> String {
    let mut words = name.split(['_', '.']);
    let first = words.next().unwrap_or_default().to_owned();
    words.fold(first, |name, word| {
        let (initial, rest) = word.split_at_checked(1).unwrap_or((word, ""));
        name + &initial.to_ascii_uppercase() + rest
    })
}

/// The fields of a log line.
#[derive(Default)]
struct Said {
    message: String,
    fields: Map<String, Value>,
}

impl Said {
    fn put(&mut self, field: &Field, value: Value) {
        if field.name() == "message" {
            self.message = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        } else {
            self.fields.insert(in_camel_case(field.name()), value);
        }
    }
}

impl Visit for Said {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }
    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, json!(value));
    }
    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, json!(value));
    }
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, json!(value));
    }
    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, json!(value));
    }
    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        self.put(field, Value::String(value.to_string()));
    }
}
