//! The last value of each property of each device: memory gathers what was reported, the database has it within a second.
//!
//! **Invariants:** of several values the newest by its time is kept, whichever came first. Of a device no more are kept than a
//! configured number: what was there first stays, and changes.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thingcall_core::{DeviceKey, JournalError, LastValue, LastValues, Past, PastKind, PastWanted};

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

    fn remembers(&self) -> bool {
        self.shared().config.history_records_per_product_max > 0
    }

    fn remember(&self, device: &DeviceKey, past: Vec<Past>) {
        let config = &self.shared().config;
        let (name_max, all) = (config.last_value_name_bytes_max.get(), past.len());
        let past: Vec<_> = past.into_iter().filter(|past| past.name.len() <= name_max).collect();
        self.shared().left_out.add(Why::Name, device, all - past.len());
        let room = (config.unwritten_values_max.get(), config.unwritten_values_bytes_max.get());
        self.shared().history.put(device, past, room);
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

impl Store {
    /// What is wanted of a device's past. The last values of its properties are of it in any case: they may be older than what
    /// is kept, or than its being kept.
    pub(crate) async fn past_of(&self, device: &DeviceKey, wanted: &PastWanted) -> Result<Vec<Past>, JournalError> {
        let mut found = Vec::new();
        if self.remembers() {
            // Before the database is read: what is written in between is in both.
            found = self.shared().history.of(device, wanted);
            let kept = self.shared().reads.past(device, wanted).await;
            // What stands there first stays.
            found.splice(0..0, kept.map_err(|problem| JournalError::Store(problem.to_string()))?);
        }
        if wanted.kind == PastKind::Property {
            let last = self.of(device).await?.into_iter();
            let last = last.map(|LastValue { property: name, value, at }| Past { kind: wanted.kind, name, value, at });
            found.extend(last.filter(|past| wanted.wants(past)));
        }
        Ok(wanted.put_in_order(found))
    }
}
