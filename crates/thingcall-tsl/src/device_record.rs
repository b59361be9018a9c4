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
    /// When it last came online, where anybody told.
    pub online_at: Option<UnixMillis>,
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

    /// When it last came online; where nobody told, when it was last heard of.
    pub fn came_at(&self) -> Option<UnixMillis> {
        self.online_at.or(self.last_seen_at)
    }

    /// When its status changed last: one that is away was last heard of when it went, as far as anybody told.
    pub fn changed_at(&self) -> Option<UnixMillis> {
        let changed = if self.online { self.came_at() } else { self.last_seen_at };
        changed.or(self.activated_at)
    }

    /// Its place among the devices of its product.
    pub fn mark(&self) -> DeviceMark {
        DeviceMark { created_at: self.created_at, name: self.device.key.name.clone() }
    }
}
