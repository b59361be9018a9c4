//! The last values of properties that wait to be written.
//!
//! **Invariants:** a value stays here until it is committed, so whoever looks here first and then at the database misses none.
//! What waits is bounded in values and in bytes; another value of a property that waits already takes no room but its bytes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use thingcall_core::{DeviceKey, LastValue};

use crate::database::WriteConnection;
use crate::failure::Failure;
use crate::left_out::{LeftOut, Why};

/// Values of so many properties are written in one transaction, or of about so many bytes.
const BATCH_VALUES_MAX: usize = 4096;
const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// What a value takes beside itself and its name.
const VALUE_BYTES: usize = 256;

/// What may wait.
pub(crate) struct Room {
    pub(crate) values: usize,
    pub(crate) bytes: usize,
}

/// What is not written yet.
#[derive(Debug, Default)]
pub(crate) struct Unkept(Mutex<Values>);

#[derive(Debug, Default)]
struct Values {
    of: HashMap<DeviceKey, HashMap<String, LastValue>>,
    len: usize,
    bytes: usize,
}

fn bytes_of(value: &LastValue) -> usize {
    value.property.len() + value.value.len() + VALUE_BYTES
}

impl Unkept {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.lock().len
    }

    /// How many bytes they take.
    pub(crate) fn bytes(&self) -> usize {
        self.lock().bytes
    }

    /// Takes values in, where they have room. `false` if there is none for one of them.
    pub(crate) fn put(&self, device: &DeviceKey, new: Vec<LastValue>, room: &Room) -> bool {
        let mut all_are_kept = true;
        let mut all = self.lock();
        let Values { of, len, bytes } = &mut *all;
        let known = of.entry(device.clone()).or_default();
        for value in new {
            let before = known.get(&value.property);
            if before.is_some_and(|before| before.at > value.at) {
                continue;
            }
            let instead = before.map(bytes_of);
            let bytes_then = *bytes - instead.unwrap_or(0) + bytes_of(&value);
            if bytes_then > room.bytes || (instead.is_none() && *len >= room.values) {
                all_are_kept = false;
                continue;
            }
            *bytes = bytes_then;
            *len += usize::from(instead.is_none());
            known.insert(value.property.clone(), value);
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

    /// As many as are written at once.
    fn some(&self) -> Vec<(DeviceKey, LastValue)> {
        let all = self.lock();
        let each = all.of.iter().flat_map(|(device, known)| known.values().map(move |value| (device, value)));
        let mut bytes = 0;
        let some = each.take(BATCH_VALUES_MAX).take_while(|(_, value)| {
            let fits = bytes < BATCH_BYTES_MAX;
            bytes += bytes_of(value);
            fits
        });
        some.map(|(device, value)| (device.clone(), value.clone())).collect()
    }

    /// These are written; what came since stays.
    fn wrote(&self, written: &[(DeviceKey, LastValue)]) {
        let mut all = self.lock();
        let Values { of, len, bytes } = &mut *all;
        for (device, value) in written {
            let Some(known) = of.get_mut(device) else { continue };
            if known.get(&value.property) == Some(value) {
                known.remove(&value.property);
                *len = len.saturating_sub(1);
                *bytes = bytes.saturating_sub(bytes_of(value));
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

/// Writes what there is; what comes meanwhile, and what cannot be written, waits for the next time.
pub(crate) async fn write(
    unkept: &Unkept,
    conn: &mut dyn WriteConnection,
    (per_device_max, left_out): (usize, &LeftOut),
) -> Result<(), Failure> {
    let mut left = unkept.len();
    while left > 0 {
        let some = unkept.some();
        let mut tx = conn.begin().await?;
        let full = tx.keep_values(&some, per_device_max).await?;
        tx.commit().await?;
        unkept.wrote(&some);
        full.iter().for_each(|(device, values)| left_out.add(Why::Device, device, *values));
        left = if some.is_empty() { 0 } else { left.saturating_sub(some.len()) };
    }
    Ok(())
}
