//! `testFb:testService`: asks the device twice at once; two readings that agree become one answer.

use thingcall_plugin::{future::try_join, info, prelude::*};

#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde", default, deny_unknown_fields)]
struct TestFb {
    tolerance: i64,
}

impl Default for TestFb {
    fn default() -> Self {
        Self { tolerance: 10 }
    }
}

#[derive(Deserialize, Serialize)]
#[serde(crate = "thingcall_plugin::serde")]
struct Reading {
    param1: i64,
}

#[async_trait]
impl Handler for TestFb {
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        let asked: Value = call.args()?;
        let (first, second) = try_join(device.call(&asked), device.call(&asked)).await?;
        if !first.is_success() || !call.is_sync() {
            return Ok(first); // the device's refusal; or "on its way", since nobody waits for a result
        }
        let (first, second): (Reading, Reading) = (first.data()?, second.data()?);
        if first.param1.abs_diff(second.param1) > self.tolerance.unsigned_abs() {
            info!("{} reads {} and {}", call.device_name(), first.param1, second.param1);
            return Err(Reject::new(461, format!("two readings differ: {} and {}", first.param1, second.param1)));
        }
        Reply::ok(&Reading { param1: (first.param1 + second.param1) / 2 })
    }
}

thingcall_plugin::plugin! {
    name: "test-fb",
    claims: ["testFb:testService"],
    handler: TestFb,
    create: |setup| setup.config(),
}

#[cfg(test)]
mod tests;
