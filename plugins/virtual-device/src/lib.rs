//! A device that is none: every service answers with what was last said to it. For applications whose devices are not
//! there yet, and for tests.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use thingcall_plugin::prelude::*;
use thingcall_plugin::serde_json::Map;

#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde", default, deny_unknown_fields)]
struct Config {
    devices_max: usize,
    members_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { devices_max: 1000, members_max: 100 }
    }
}

/// What each device was told, by product and name.
struct VirtualDevice {
    config: Config,
    told: Mutex<HashMap<(String, String), Map<String, Value>>>,
    devices: Metric,
}

#[async_trait]
impl Handler for VirtualDevice {
    async fn handle(&self, call: Call<'_>, _device: Device<'_>) -> Result<Reply, Reject> {
        let args: Map<String, Value> = call.args()?;
        let device = (call.product_key().to_owned(), call.device_name().to_owned());
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if told.len() >= self.config.devices_max && !told.contains_key(&device) {
            return Err(Reject::new(462, format!("{} virtual devices are in use", told.len())));
        }
        let state = told.entry(device).or_default();
        let new = args.keys().filter(|name| !state.contains_key(*name)).count();
        if state.len() + new > self.config.members_max {
            return Err(Reject::new(462, format!("a virtual device keeps {} members", self.config.members_max)));
        }
        state.extend(args);
        let reply = Reply::ok(&*state);
        self.devices.record(told.len() as f64);
        reply
    }
}

thingcall_plugin::plugin! {
    name: "virtual-device",
    claims: [],
    handler: VirtualDevice,
    create: |setup| Ok(VirtualDevice {
        config: setup.config()?,
        told: Mutex::default(),
        devices: setup.gauge("devices", "Virtual devices that were told something"),
    }),
}

#[cfg(test)]
mod tests;
