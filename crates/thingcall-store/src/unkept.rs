//! The last values of properties that wait to be written.
//!
//! **Invariants:** a value stays here until it is committed, so whoever looks here first and then at the database misses none.
//! What waits is bounded in values; another value of a property that waits already takes no room.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::{DeviceKey, LastValue};

use crate::database::WriteConnection;
use crate::failure::Failure;
use crate::left_out::{LeftOut, Why};

/// Values of so many properties are written in one transaction.
const BATCH_VALUES_MAX: usize = 4096;

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Unkept(Mutex<Values>);

#[derive(Debug, Default)]
struct Values {
    of: HashMap<DeviceKey, HashMap<String, LastValue>>,
    len: usize,
}

impl Unkept {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len
    }

    /// Takes values in, among so many. `false` if there is no room for one of them.
    pub(crate) fn put(&self, device: &DeviceKey, new: Vec<LastValue>, max: usize) -> bool {
        let mut all_are_kept = true;
        let mut all = self.lock();
        let Values { of, len } = &mut *all;
        let known = of.entry(device.clone()).or_default();
        for value in new {
            match known.get_mut(&value.property) {
                Some(before) if before.at <= value.at => *before = value,
                Some(_) => {}
                None if *len < max => {
                    known.insert(value.property.clone(), value);
                    *len += 1;
                }
                None => all_are_kept = false,
            }
        }
        if known.is_empty() {
            of.remove(device);
        }
        all_are_kept
    }

    /// What of a device is not written yet.
    pub(crate) fn of(&self, device: &DeviceKey) -> Vec<LastValue> {
        self.lock().of.get(device).map_or_else(Vec::new, |known| known.values().cloned().collect())
    }

    fn all(&self) -> Vec<(DeviceKey, LastValue)> {
        let all = self.lock();
        let each =
            all.of.iter().flat_map(|(device, known)| known.values().map(|value| (device.clone(), value.clone())));
        each.collect()
    }

    /// These are written; what came since stays.
    fn wrote(&self, written: &[(DeviceKey, LastValue)]) {
        let mut all = self.lock();
        let Values { of, len } = &mut *all;
        for (device, value) in written {
            let Some(known) = of.get_mut(device) else { continue };
            if known.get(&value.property) == Some(value) {
                known.remove(&value.property);
                *len = len.saturating_sub(1);
            }
            if known.is_empty() {
                of.remove(device);
            }
        }
    }

    /// Nothing that is done under this lock can panic half way.
    fn lock(&self) -> MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what there is. What cannot be written waits for the next time.
pub(crate) async fn write(
    unkept: &Unkept,
    conn: &mut dyn WriteConnection,
    (per_device_max, left_out): (usize, &LeftOut),
) -> Result<(), Failure> {
    for batch in unkept.all().chunks(BATCH_VALUES_MAX) {
        let mut tx = conn.begin().await?;
        let full = tx.keep_values(batch, per_device_max).await?;
        tx.commit().await?;
        unkept.wrote(batch);
        full.iter().for_each(|(device, values)| left_out.add(Why::Device, device, *values));
    }
    Ok(())
}
