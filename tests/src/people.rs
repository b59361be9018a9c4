//! A program that people wrote with an official SDK: one flow through the actions that are used most.

use serde_json::{Value, json};

use crate::json_lines::Script;
use crate::site::Site;
use crate::{DeviceSecrets, fixture};

/// What such a program is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrittenIn {
    /// With `alibabacloud-iot20180120`.
    Python,
    /// With `@alicloud/pop-core`.
    Node,
}

/// A program under way.
#[derive(Debug)]
pub struct PeoplesProgram {
    script: Script,
}

impl PeoplesProgram {
    /// Starts it; it makes a product of its own.
    pub fn start(site: &Site, written_in: WrittenIn) -> Self {
        let text = std::fs::read_to_string(fixture("sample_tsl.json")).expect("the sample");
        let argument = json!({
            "endpoint": site.program.addresses.api.to_string(), "key": site.key.id, "secret": site.key.secret,
            "model": serde_json::from_str::<Value>(&text).expect("JSON"),
        });
        let script = match written_in {
            WrittenIn::Python => Script::start("program", "program.py", &argument),
            WrittenIn::Node => Script::start_node("program-in-node", "program.js", &argument),
        };
        Self { script }
    }

    /// Waits until it has registered its device.
    pub fn registered(&self) -> DeviceSecrets {
        let told = self.next("registered");
        let text = |name: &str| told.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        DeviceSecrets { product: text("product"), name: text("device"), secret: text("secret"), iot_id: text("iotId") }
    }

    /// Waits until it has set a property.
    pub fn has_set(&self) -> Value {
        self.next("set")
    }

    /// Waits for its end, and what it saw.
    pub fn done(&self) -> Value {
        self.next("done")
    }

    /// The next event of this name.
    fn next(&self, name: &str) -> Value {
        self.script.next(name, |event| {
            let is = event.get("event")?.as_str()?;
            assert_ne!(is, "failed", "{event}");
            (is == name).then(|| event.clone())
        })
    }
}
