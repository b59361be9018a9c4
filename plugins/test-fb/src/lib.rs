//! `testFb:testService`: asks the device twice at once; two readings that agree become one answer.

use thingcall_plugin::{future::try_join, info, prelude::*};

/// `[plugins.test-fb.config]`
#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde", deny_unknown_fields)]
struct TestFb {
    tolerance: Option<u32>,
}

#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde")]
struct Reading {
    param1: i32,
}

#[async_trait]
impl Handler for TestFb {
    async fn handle(&self, call: Call<'_>, device: Device<'_>) -> Result<Reply, Reject> {
        let args: Value = call.args()?;
        if !call.is_sync() {
            return Ok(device.call(&args).await?); // once: nobody waits for two readings
        }
        let (first, second) = try_join(device.call(&args), device.call(&args)).await?;
        if let Some(refusal) = [&first, &second].into_iter().find(|reply| !reply.is_success()) {
            return Ok(refusal.clone());
        }
        let (Reading { param1: one }, Reading { param1: other }) = (first.data()?, second.data()?);
        if one.abs_diff(other) > self.tolerance.unwrap_or(10) {
            info!("{} reads {one} and {other}", call.device_name());
            return Err(Reject::new(461, format!("two readings differ: {one} and {other}")));
        }
        Reply::ok(&json!({ "param1": (i64::from(one) + i64::from(other)) / 2 }))
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
