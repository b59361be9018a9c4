//! A device with the official device SDK `aliyun-iot-linkkit`, each a Python process.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::json_lines::Script;
use crate::{DeviceSecrets, fixture};

/// How the SDK is set up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// It subscribes to its topics by itself, as it must where the broker does not push.
    pub subscribes: bool,
    /// It ends with its connection instead of connecting again.
    pub leaves: bool,
}

/// A device.
#[derive(Debug)]
pub struct LinkkitDevice {
    script: Script,
}

impl LinkkitDevice {
    /// Starts it and waits until it can be called. It answers what it was asked.
    pub fn connect(broker: SocketAddr, device: &DeviceSecrets, behaviour: Behaviour) -> Self {
        let script = Script::start(
            &format!("device {}", device.name),
            "linkkit_device.py",
            &json!({
                "host": broker.ip().to_string(), "port": broker.port(), "product": device.product,
                "device": device.name, "secret": device.secret, "model": fixture("sample_tsl_flat_for_devices.json"),
                "subscribe": behaviour.subscribes, "leave": behaviour.leaves,
            }),
        );
        let started = Self { script };
        started.event("connected");
        if behaviour.subscribes {
            started.event("subscribed");
        }
        started
    }

    /// From now on it answers with this code and data.
    pub fn answers(&self, code: i64, data: &Value) {
        self.script.send(&json!({ "code": code, "data": data }));
        self.event("behaves");
    }

    /// From now on it does not answer.
    pub fn is_silent(&self) {
        self.script.send(&json!({ "silent": true }));
        self.event("behaves");
    }

    /// Has a silent one answer this call, which it was told of.
    pub fn answers_this(&self, called: &Value, data: &Value) {
        let part = |name: &str| called.get(name).unwrap_or(&Value::Null);
        self.script.send(&json!({ "answer": [part("identifier"), part("id"), data] }));
    }

    /// Has it report something, and waits for what it is answered.
    pub fn says(&self, report: &Value) -> Value {
        self.script.send(report);
        self.event("answered")
    }

    /// Has it publish a text on a topic of its own.
    pub fn publishes(&self, topic: &str, text: &str) {
        self.script.send(&json!({ "say": [topic, text] }));
    }

    /// Has it subscribe to a topic.
    pub fn asks_for(&self, topic: &str) {
        self.script.send(&json!({ "ask_for": topic }));
        self.event("subscribed");
    }

    /// The next call of it: what the SDK told its application.
    pub fn called(&self) -> Value {
        self.event("called")
    }

    /// The next event of this name; others are passed over.
    pub fn event(&self, name: &str) -> Value {
        self.script.event(name)
    }

    /// Cuts its power.
    pub fn kill(mut self) {
        self.script.kill();
    }
}
