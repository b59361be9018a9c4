//! A device as the directory tells it.

use thingcall_core::{Device, Secret, SyncTopic, TransportName, UnixMillis};

use crate::{DeviceMark, DeviceStatus};

/// Everything that is known of a device.
#[derive(Debug, Clone)]
pub struct DeviceRecord {
    /// Who it is.
    pub device: Device,
    /// What it proves itself with.
    pub secret: Secret,
    /// For people.
    pub nickname: Option<String>,
    /// When it was registered.
    pub created_at: UnixMillis,
    /// When it first connected.
    pub activated_at: Option<UnixMillis>,
    /// Whether it is connected now.
    pub online: bool,
    /// When it was last seen.
    pub last_seen_at: Option<UnixMillis>,
    /// Where it last connected from.
    pub address: Option<String>,
    /// The transport it last came from.
    pub came_from: Option<TransportName>,
    /// Where it takes synchronous calls, as its last login at an external broker or its last answer said.
    pub sync_topic: Option<SyncTopic>,
}

impl DeviceRecord {
    /// Whether it may connect, and whether it does.
    pub fn status(&self) -> DeviceStatus {
        match self {
            record if !record.device.enabled => DeviceStatus::Disabled,
            record if record.online => DeviceStatus::Online,
            record if record.activated_at.is_none() => DeviceStatus::Unactive,
            _ => DeviceStatus::Offline,
        }
    }

    /// Its place among the devices of its product.
    pub fn mark(&self) -> DeviceMark {
        DeviceMark { created_at: self.created_at, name: self.device.key.name.clone() }
    }
}
