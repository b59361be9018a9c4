//! Handles the calls of the module `myPlugin`: asks the device, again if it does not answer in time.

use std::time::Duration;
use thingcall_plugin::prelude::*;

/// `[plugins.my-plugin.config]`
#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde", deny_unknown_fields)]
struct MyPlugin {
    tries: Option<u32>,
}

#[async_trait]
impl Handler for MyPlugin {
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        let args: Value = call.args()?;
        for _ in 1..self.tries.unwrap_or(2) {
            match device.call_within(Duration::from_secs(3), &args).await {
                Err(failed) if failed.is_timeout() => thingcall_plugin::warn!("no answer, asking again"),
                ended => return Ok(ended?),
            }
        }
        Ok(device.call(&args).await?)
    }
}

thingcall_plugin::plugin! { name: "my-plugin", claims: ["myPlugin:*"], handler: MyPlugin, create: |setup| setup.config() }

#[cfg(test)]
mod tests;
