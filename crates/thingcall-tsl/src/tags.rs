//! Tags of devices: what people say of one, in pairs of a name and a text.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thingcall_core::DeviceKey;

use crate::DirectoryError;

/// How many tags a device may have. Source: Alibaba's reference.
pub const TAGS_PER_DEVICE_MAX: usize = 100;

/// Keeps tags of devices.
#[async_trait]
pub trait Tags: Send + Sync {
    /// A device's tags.
    ///
    /// # Errors
    /// `Store`.
    async fn tags(&self, device: &DeviceKey) -> Result<BTreeMap<String, String>, DirectoryError>;

    /// Adds tags to a device, or gives those that it has another text: all of them or none.
    ///
    /// # Errors
    /// `NoDevice`, `TooManyTags`, or `Store` when nothing was written.
    async fn save_tags(&self, device: &DeviceKey, tags: &BTreeMap<String, String>) -> Result<(), DirectoryError>;

    /// Takes a tag from a device, if it has it.
    ///
    /// # Errors
    /// `Store` when nothing was written.
    async fn remove_tag(&self, device: &DeviceKey, name: &str) -> Result<(), DirectoryError>;
}
