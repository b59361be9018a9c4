//! Pages of a product's devices, and how many there are of each status.
//!
//! **Invariant:** a device has one status (`DeviceRecord::status`), whoever asks; the counts of a product add up to all its devices.

use thingcall_core::{DeviceName, UnixMillis};

/// Whether a device may connect, and whether it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceStatus {
    /// It was never there.
    Unactive,
    /// It is connected.
    Online,
    /// It was there and is not connected.
    Offline,
    /// It may not connect.
    Disabled,
}

/// A page of a product's devices. Those that were registered last come first, and of several registered at once those with the
/// last names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePage {
    /// Those of this status, or all.
    pub status: Option<DeviceStatus>,
    /// Where it begins.
    pub start: PageStart,
    /// So many at most.
    pub max: usize,
}

/// Where a page of devices begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageStart {
    /// So many are left out.
    Skip(u64),
    /// With the one that comes after this one.
    Behind(DeviceMark),
}

/// A device's place among those of its product.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceMark {
    /// When it was registered.
    pub created_at: UnixMillis,
    /// Its name.
    pub name: DeviceName,
}

/// How many devices there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DeviceCounts {
    /// Those that were ever there, whatever they are now.
    pub activated: u64,
    /// Of status [`DeviceStatus::Unactive`].
    pub unactive: u64,
    /// Of status [`DeviceStatus::Online`].
    pub online: u64,
    /// Of status [`DeviceStatus::Offline`].
    pub offline: u64,
    /// Of status [`DeviceStatus::Disabled`].
    pub disabled: u64,
}

impl DeviceCounts {
    /// All of them.
    pub const fn all(&self) -> u64 {
        let Self { activated: _, unactive, online, offline, disabled } = self;
        *unactive + *online + *offline + *disabled
    }

    /// Those of this status.
    pub const fn of(&self, status: DeviceStatus) -> u64 {
        match status {
            DeviceStatus::Unactive => self.unactive,
            DeviceStatus::Online => self.online,
            DeviceStatus::Offline => self.offline,
            DeviceStatus::Disabled => self.disabled,
        }
    }
}

impl std::iter::Sum for DeviceCounts {
    fn sum<I: Iterator<Item = Self>>(all: I) -> Self {
        all.fold(Self::default(), |sum, one| Self {
            activated: sum.activated + one.activated,
            unactive: sum.unactive + one.unactive,
            online: sum.online + one.online,
            offline: sum.offline + one.offline,
            disabled: sum.disabled + one.disabled,
        })
    }
}
