//! Tags of devices. Nobody calls by them, so they are in the database alone.

use std::collections::BTreeMap;

use async_trait::async_trait;
use thingcall_core::{DeviceKey, DeviceRef};
use thingcall_tsl::{DirectoryError, TAGS_PER_DEVICE_MAX, Tags};

use crate::Store;
use crate::directory::unreadable;
use crate::failure::Stop;
use crate::registry_tables::Tagged;
use crate::shared::WriteSide;

#[async_trait]
impl Tags for Store {
    async fn tags(&self, device: &DeviceKey) -> Result<BTreeMap<String, String>, DirectoryError> {
        self.shared().reads.tags(device).await.map_err(|failure| unreadable(&failure))
    }

    async fn save_tags(&self, device: &DeviceKey, tags: &BTreeMap<String, String>) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let saved = put(&mut side, device, tags).await;
        self.shared().ended(&mut side, saved)
    }

    async fn remove_tag(&self, device: &DeviceKey, name: &str) -> Result<(), DirectoryError> {
        let mut side = self.shared().write.lock().await;
        let removed = remove(&mut side, device, name).await;
        self.shared().ended(&mut side, removed)
    }
}

async fn put(
    side: &mut WriteSide,
    device: &DeviceKey,
    tags: &BTreeMap<String, String>,
) -> Result<(), Stop<DirectoryError>> {
    let mut tx = side.conn.begin().await?;
    match tx.put_tags(device, tags).await? {
        Tagged::NoDevice => Err(Stop::Refused(DirectoryError::NoDevice(DeviceRef::Key(device.clone())))),
        Tagged::With(tags) if tags > TAGS_PER_DEVICE_MAX => {
            Err(Stop::Refused(DirectoryError::TooManyTags { tags, max: TAGS_PER_DEVICE_MAX }))
        }
        Tagged::With(_) => Ok(tx.commit().await?),
    }
}

async fn remove(side: &mut WriteSide, device: &DeviceKey, name: &str) -> Result<(), Stop<DirectoryError>> {
    let mut tx = side.conn.begin().await?;
    tx.remove_tag(device, name).await?;
    Ok(tx.commit().await?)
}
