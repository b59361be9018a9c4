//! A plugin for tests that panics where it is told to: `at` in a call's arguments or in the plugin's configuration, or the
//! text that is to be translated.

#![expect(clippy::panic, reason = "the panics are what is tested")]

use std::time::Duration;

use thingcall_plugin::prelude::*;

/// Where to panic.
#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde")]
struct Where {
    #[serde(default)]
    at: String,
}

struct Panics(Where);

/// Panics when it is dropped, unless a panic goes on already: that would end any process.
struct Bomb(&'static str);

impl Drop for Bomb {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("dropped {}", self.0);
        }
    }
}

#[async_trait]
impl Handler for Panics {
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        let told: Where = call.args()?;
        match told.at.as_str() {
            "handle" => panic!("at the start"),
            "timer" => {
                call.sleep(Duration::from_millis(1)).await;
                panic!("after a timer");
            }
            "reply" => {
                device.call(&json!({})).await?;
                panic!("after the device's reply");
            }
            // A panic whose own value panics when it is dropped.
            "payload" => std::panic::panic_any(Bomb("payload")),
            "drop" => {
                {
                    let _bomb = Bomb("at the end of a block");
                    device.call(&json!({})).await?;
                }
                Reply::ok(&json!({}))
            }
            "cancel" => {
                let _bomb = Bomb("by the host");
                std::future::pending().await
            }
            _ => Ok(device.call(&json!({})).await?),
        }
    }

    fn encode(&self, message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        translate(message.bytes)
    }

    fn decode(&self, message: CodecInput<'_>) -> Result<Vec<u8>, String> {
        translate(message.bytes)
    }
}

fn translate(bytes: &[u8]) -> Result<Vec<u8>, String> {
    if bytes.windows(5).any(|part| part == b"panic") {
        panic!("in a translation");
    }
    Ok(bytes.to_owned())
}

impl Drop for Panics {
    fn drop(&mut self) {
        if self.0.at == "destroy" {
            panic!("in destroy");
        }
    }
}

thingcall_plugin::plugin! {
    name: "panics",
    claims: ["testFb:testService"],
    codecs: ["*"],
    handler: Panics,
    create: |setup| {
        let told: Where = setup.config()?;
        if told.at == "create" {
            panic!("in create");
        }
        Ok(Panics(told))
    },
}
