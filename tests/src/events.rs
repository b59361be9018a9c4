//! A reader of `GET /events`, with `requests` and the official SDK's signature: a Python process.

use serde_json::{Value, json};

use crate::json_lines::Script;
use crate::{Key, Site};

/// The reader.
#[derive(Debug)]
pub struct EventReader(Script);

/// An event that came.
#[derive(Debug, Clone)]
pub struct Told {
    /// `id`
    pub id: String,
    /// `event`
    pub name: String,
    /// `data`
    pub data: Value,
}

impl EventReader {
    /// Begins to read, and waits until its stream has begun.
    ///
    /// # Panics
    /// If it is refused.
    pub fn start(site: &Site, params: &Value) -> Self {
        Self::begun(Self::begin(site, (&site.key, params, None, true)))
    }

    /// The same behind this id.
    ///
    /// # Panics
    /// If it is refused.
    pub fn behind(site: &Site, params: &Value, last: &str) -> Self {
        Self::begun(Self::begin(site, (&site.key, params, Some(last), true)))
    }

    /// One that reads nothing until it is told to.
    ///
    /// # Panics
    /// If it is refused.
    pub fn lazy(site: &Site, params: &Value) -> Self {
        let (reader, answered) = Self::begin(site, (&site.key, params, None, false));
        assert_eq!(at(&answered, "status"), 200, "{answered}");
        reader
    }

    /// Asks with this key; what it is answered.
    pub fn asks(site: &Site, key: &Key, params: &Value) -> (Self, Value) {
        Self::begin(site, (key, params, None, true))
    }

    fn begin(site: &Site, (key, params, last, reads): (&Key, &Value, Option<&str>, bool)) -> (Self, Value) {
        let argument = json!({
            "endpoint": site.program.addresses.api.to_string(), "key": key.id, "secret": key.secret,
            "params": params, "last": last, "reads": reads,
        });
        let script = Script::start("event reader", "event_reader.py", &argument);
        let answered = script.event("answered");
        (Self(script), answered)
    }

    fn begun((reader, answered): (Self, Value)) -> Self {
        assert_eq!(
            (at(&answered, "status"), at(&answered, "type")),
            (json!(200), json!("text/event-stream")),
            "{answered}"
        );
        reader.0.event("stands");
        reader
    }

    /// Reads from now on.
    pub fn reads(&self) {
        self.0.send(&json!({}));
    }

    /// The next event.
    ///
    /// # Panics
    /// If it has no id or name.
    pub fn told(&self) -> Told {
        let told = self.0.event("told");
        let text = |name: &str| at(&told, name).as_str().unwrap_or_default().to_owned();
        Told { id: text("id"), name: text("name"), data: at(&told, "data") }
    }

    /// Waits until its stream has ended, and ended whole.
    ///
    /// # Panics
    /// If it was cut.
    pub fn ended(&self) {
        let ended = self.0.event("ended");
        assert_eq!(at(&ended, "clean"), true, "{ended}");
    }
}

fn at(object: &Value, name: &str) -> Value {
    object.get(name).cloned().unwrap_or_default()
}
