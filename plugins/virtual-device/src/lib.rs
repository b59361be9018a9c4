//! A device that is none: it keeps what it is told and answers with it. For applications whose devices are not there yet,
//! and for tests.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, PoisonError};

use thingcall_plugin::prelude::*;
use thingcall_plugin::serde_json::Map;

type State = Map<String, Value>;

/// `[plugins.virtual-device.config]`
#[derive(Deserialize)]
#[serde(crate = "thingcall_plugin::serde", default, deny_unknown_fields)]
struct Config {
    initial: State,
    answers: HashMap<String, Vec<String>>,
    devices_max: usize,
    members_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self { initial: State::new(), answers: HashMap::new(), devices_max: 1000, members_max: 100 }
    }
}

struct VirtualDevice {
    config: Config,
    /// By product and name.
    states: Mutex<HashMap<(String, String), State>>,
    devices: Metric,
}

#[async_trait]
impl Handler for VirtualDevice {
    async fn handle(&self, call: Call<'_>, _device: Device<'_>) -> Result<Reply, Reject> {
        let (args, config): (State, _) = (call.args()?, &self.config);
        let device = (call.product_key().to_owned(), call.device_name().to_owned());
        // Held for a moment only: nothing is awaited below.
        let mut states = self.states.lock().unwrap_or_else(PoisonError::into_inner);
        if states.len() >= config.devices_max && !states.contains_key(&device) {
            return Err(Reject::new(462, format!("there are {} virtual devices already", states.len())));
        }
        let state = states.entry(device).or_insert_with(|| config.initial.clone());
        let new = args.keys().filter(|name| !state.contains_key(*name)).count();
        if state.len() + new > config.members_max {
            return Err(Reject::new(462, format!("a virtual device keeps {} members", config.members_max)));
        }
        state.extend(args);
        let reply = match config.answers.get(call.identifier()) {
            Some(names) => {
                Reply::ok(&names.iter().filter_map(|name| state.get_key_value(name)).collect::<BTreeMap<_, _>>())
            }
            None => Reply::ok(state),
        };
        self.devices.record(states.len() as f64);
        reply
    }
}

thingcall_plugin::plugin! {
    name: "virtual-device",
    claims: ["virtual:*"],
    handler: VirtualDevice,
    create: |setup| Ok(VirtualDevice {
        config: setup.config()?,
        states: Mutex::default(),
        devices: setup.gauge("devices", "Virtual devices that were called"),
    }),
}

#[cfg(test)]
mod tests;
