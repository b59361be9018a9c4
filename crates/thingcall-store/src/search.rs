//! Devices that are looked for by how their names begin.
//!
//! **Invariant:** a search looks at so many devices at most, however few it finds, and says where to go on.

use thingcall_core::{DeviceName, ProductKey};
use thingcall_tsl::{DeviceRecord, DeviceStatus, DirectoryError};

use crate::Store;
use crate::directory::unreadable;
use crate::memory::DeviceEntry;

/// How many devices are read at once.
const PAGE: usize = 500;
/// How many one search looks at.
const LOOKED_AT_MAX: usize = 10_000;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub struct DeviceSearch<'a> {
    /// How their names begin.
    pub prefix: &'a str,
    /// Behind this one.
    pub after: Option<&'a DeviceName>,
    /// Of this status, or all.
    pub status: Option<DeviceStatus>,
    /// So many at most.
    pub max: usize,
}

/// What was found.
#[derive(Debug, Clone)]
pub struct DevicesFound {
    /// They, by name.
    pub devices: Vec<DeviceRecord>,
    /// Behind which one to go on; `None` if nothing is there.
    pub next: Option<DeviceName>,
}

impl Store {
    /// A product's devices whose names begin so.
    ///
    /// # Errors
    /// `NoProduct`, or `Unwritable` when nothing could be read.
    pub async fn search(
        &self,
        product: &ProductKey,
        wanted: &DeviceSearch<'_>,
    ) -> Result<DevicesFound, DirectoryError> {
        self.must_have(product)?;
        let mut found = DevicesFound { devices: Vec::new(), next: wanted.after.cloned() };
        let Some(to) = behind_all(wanted.prefix) else { return Ok(DevicesFound { next: None, ..found }) };
        for _ in 0..LOOKED_AT_MAX / PAGE {
            let after = found.next.as_ref().map_or("", DeviceName::as_str);
            let page = self.shared().reads.named(product, (wanted.prefix, &to), after, PAGE).await;
            let page = page.map_err(|failure| unreadable(&failure))?;
            page.iter().for_each(|entry| self.shared().devices.add_heard(entry));
            for record in page.iter().map(DeviceEntry::record) {
                if found.devices.len() == wanted.max {
                    return Ok(found);
                }
                found.next = Some(record.device.key.name.clone());
                if wanted.status.is_none_or(|status| record.status() == status) {
                    found.devices.push(record);
                }
            }
            if page.len() < PAGE {
                return Ok(DevicesFound { next: None, ..found });
            }
        }
        Ok(found)
    }
}

/// The first text behind all that begin so, where names can.
fn behind_all(prefix: &str) -> Option<String> {
    let Some(last) = prefix.chars().last() else { return Some("\u{7f}".to_owned()) };
    // Names are of these characters and no others, so there is one behind each.
    if DeviceName::try_from(prefix).is_err() {
        return None;
    }
    let next = char::from_u32(u32::from(last) + 1)?;
    Some(prefix.chars().take(prefix.chars().count() - 1).chain([next]).collect())
}
