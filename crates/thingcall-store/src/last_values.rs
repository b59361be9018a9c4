//! The last value of each property of each device: memory gathers what was reported, the database has it within a second.
//!
//! **Invariants:** of several values the newest by its time is kept, whichever came first. Of a device no more are kept than a
//! configured number: what was there first stays, and changes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thingcall_core::{DeviceKey, JournalError, LastValue, LastValues};

use crate::Store;
use crate::left_out::Why;
use crate::unkept::Room;

#[async_trait]
impl LastValues for Store {
    fn keep(&self, device: &DeviceKey, mut values: Vec<LastValue>) -> bool {
        let shared = self.shared();
        let (config, unkept) = (&shared.config, &shared.unkept);
        let (name_max, all) = (config.last_value_name_bytes_max.get(), values.len());
        values.retain(|value| value.property.len() <= name_max);
        shared.left_out.add(Why::Name, device, all - values.len());
        let room = Room { values: config.unwritten_values_max.get(), bytes: config.unwritten_values_bytes_max.get() };
        unkept.put(device, values, &room)
    }

    async fn of(&self, device: &DeviceKey) -> Result<Vec<LastValue>, JournalError> {
        // Before the database is read: what is written in between is in both.
        let unkept = self.shared().unkept.of(device);
        let kept = self.shared().reads.last_values(device).await;
        let kept = kept.map_err(|problem| JournalError::Store(problem.to_string()))?;
        let mut newest: BTreeMap<String, LastValue> = BTreeMap::new();
        for value in kept.into_iter().chain(unkept) {
            let is_newer = newest.get(&value.property).is_none_or(|before| before.at <= value.at);
            if is_newer {
                newest.insert(value.property.clone(), value);
            }
        }
        Ok(newest.into_values().collect())
    }
}
