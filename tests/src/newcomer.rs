//! A device that comes for its secret, by the official device SDK, or as that does over HTTP.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::fixture;
use crate::json_lines::Script;

/// A device without a secret.
#[derive(Debug)]
pub struct Newcomer {
    script: Script,
}

impl Newcomer {
    /// Starts one that connects with its product's secret; what it `wants` is `register` or `regnwl`. It comes again for as
    /// long as it is refused.
    pub fn comes(broker: SocketAddr, (product, name): (&str, &str), secret: &str, wants: &str) -> Self {
        Self::start(&json!({
            "host": broker.ip().to_string(), "port": broker.port(), "product": product, "device": name,
            "product_secret": secret, "wants": wants, "model": fixture("sample_tsl_flat_for_devices.json"),
        }))
    }

    /// What one is answered that asks over HTTP.
    pub fn asks(api: SocketAddr, (product, name): (&str, &str), secret: &str) -> Value {
        let url = format!("http://{api}/auth/register/device");
        let asked = json!({ "url": url, "product": product, "device": name, "product_secret": secret });
        let answered = Self::start(&asked).script.event("answered");
        answered.get("body").cloned().unwrap_or_default()
    }

    fn start(argument: &Value) -> Self {
        Self { script: Script::start("newcomer", "newcomer.py", argument) }
    }

    /// Waits for what it is told.
    pub fn told(&self) -> Value {
        self.script.event("told")
    }

    /// Waits until it has connected with the token that it was told.
    pub fn connected(&self) -> Value {
        self.script.event("connected")
    }
}
