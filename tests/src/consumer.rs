//! A consumer of a subscription, written as the platform's official samples are, each a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::app::Key;
use crate::json_lines::Script;
use crate::wait::TIMEOUT;

/// With which library it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConsumerKind {
    /// python-qpid-proton, for AMQP 1.0.
    Proton,
    /// rhea, for AMQP 1.0.
    Rhea,
    /// stomp.py.
    Stomp,
}

/// A consumer.
#[derive(Debug)]
pub struct Consumer {
    script: Script,
    /// Messages that [`Self::told`] passed over.
    passed: Mutex<Vec<Value>>,
}

impl ConsumerKind {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Proton, Self::Rhea, Self::Stomp];
}

impl Consumer {
    /// Starts it, and waits until it is subscribed. What the test wants of it is in `more`: `authority`, the certificate that it
    /// believes, by TLS; `frameBytes`, the largest frame that it takes; `settle`, as for [`Self::settles`].
    pub fn start(kind: ConsumerKind, address: SocketAddr, key: &Key, group: &str, more: &Value) -> Self {
        let mut settings = json!({
            "host": "127.0.0.1", "port": address.port(), "key": key.id, "secret": key.secret, "group": group,
            "protocol": if kind == ConsumerKind::Stomp { "stomp" } else { "amqp" },
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            settings.as_object_mut().expect("an object").insert(name.clone(), value.clone());
        }
        let name = format!("consumer {kind:?}");
        let script = match kind {
            ConsumerKind::Proton | ConsumerKind::Stomp => Script::start(&name, "consumer.py", &settings),
            ConsumerKind::Rhea => Script::start_node(&name, "consumer.js", &settings),
        };
        let started = Self { script, passed: Mutex::default() };
        started.subscribed();
        started
    }

    /// With this authority.
    pub fn trusting(authority: &Path) -> Value {
        json!({ "authority": authority })
    }

    /// Waits until it is subscribed, or is so again.
    pub fn subscribed(&self) {
        self.event("subscribed");
    }

    /// The next message.
    ///
    /// # Panics
    /// If it is not one that every message is like.
    pub fn message(&self) -> Value {
        let message = self.event("message");
        let id = text(&message, "id");
        assert!(id.len() == 19 && id.bytes().all(|byte| byte.is_ascii_digit()), "{message}");
        let (same, time) = (message.get("same"), message.get("time").and_then(Value::as_i64));
        assert!(same == Some(&json!(true)) && time > Some(1_500_000_000_000), "{message}");
        message
    }

    /// The next message about a device whose topic ends so. Others are passed over, and found when they are asked for: there is
    /// no order between them.
    ///
    /// # Panics
    /// If it does not come.
    pub fn told(&self, topic: &str, device: &str) -> Value {
        let is_it =
            |message: &Value| text(message, "topic").ends_with(topic) && text(&body(message), "deviceName") == device;
        let mut passed = self.passed.lock().expect("nobody panicked");
        if let Some(at) = passed.iter().position(is_it) {
            return passed.remove(at);
        }
        let deadline = Instant::now() + TIMEOUT;
        loop {
            let message = self.message();
            if is_it(&message) {
                return message;
            }
            assert!(Instant::now() < deadline, "no {topic} of {device} within {TIMEOUT:?}\n{}", self.log());
            passed.push(message);
        }
    }

    /// The messages that came and were not looked at yet.
    pub fn messages_so_far(&self) -> Vec<Value> {
        std::iter::from_fn(|| self.script.so_far()).filter(|event| text(event, "event") == "message").collect()
    }

    /// The next event of this name; others are passed over.
    pub fn event(&self, name: &str) -> Value {
        self.script.event(name)
    }

    /// From now on what it is sent is accepted (`true`), let lie (`false`), or given back once (`release`).
    pub fn settles(&self, how: &Value) {
        self.script.send(&json!({ "settle": how }));
        self.event("behaves");
    }

    /// Stops the process (`STOP`), or lets it go on (`CONT`).
    pub fn signal(&self, signal: &str) {
        self.script.signal(signal);
    }

    /// All that it wrote.
    pub fn log(&self) -> String {
        self.script.log()
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        self.script.kill();
    }
}

/// What a message says.
///
/// # Panics
/// If that is no JSON.
pub fn body(message: &Value) -> Value {
    serde_json::from_str(text(message, "body")).expect("JSON")
}

/// A text of an object; an empty one where there is none.
fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get(name).and_then(Value::as_str).unwrap_or_default()
}
