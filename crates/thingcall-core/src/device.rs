//! Devices: how a caller names one, what is found, and what is known of its connection.

use std::fmt;

use strum::{EnumString, IntoStaticStr};

use crate::{DeviceName, IotId, LookUp, ProductKey, Secret, TransportName, UnixMillis};

/// A device's own name: its product and its name therein.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeviceKey {
    /// The product.
    pub product: ProductKey,
    /// The name within the product.
    pub name: DeviceName,
}

impl fmt::Display for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.product, self.name)
    }
}

/// A device as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeviceRef {
    /// By `ProductKey` and `DeviceName`.
    Key(DeviceKey),
    /// By `IotId`, which wins where a caller gives both.
    IotId(IotId),
}

impl fmt::Display for DeviceRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => fmt::Display::fmt(key, f),
            Self::IotId(id) => fmt::Display::fmt(id, f),
        }
    }
}

/// A device as found in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its product and name.
    pub key: DeviceKey,
    /// Its id across all products.
    pub iot_id: IotId,
    /// `false` after DisableThing: it may not connect and is not called.
    pub enabled: bool,
    /// The transport that an operator set for it; its product's if `None`.
    pub transport: Option<TransportName>,
}

/// The topic on which a device takes a *synchronous* call.
///
/// Source: `PROTOCOL.md` 4.2.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, Default, IntoStaticStr, EnumString, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SyncTopic {
    /// `/ext/rrpc/{id}/sys/{pk}/{dn}/thing/service/{service}`, answered on the same topic: devices whose MQTT client
    /// id says `ext` with bit 0 set (Python linkkit, C Link SDK 4).
    Ext,
    /// `/sys/{pk}/{dn}/rrpc/request/{id}`, answered on `.../rrpc/response/{id}`: devices without `ext` (Node device
    /// SDK, C SDK 3).
    #[default]
    Rrpc,
    /// `/sys/{pk}/{dn}/thing/service/{service}`, answered on `..._reply`: devices that know no RRPC at all.
    Service,
}

impl SyncTopic {
    /// The word in configurations and rows.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// What a transport knows of a device's connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// It is connected now.
    Online,
    /// It is not.
    Offline,
    /// This transport cannot tell: its broker does not say, or said nothing of the device since it is connected to it.
    Unknown,
}

impl Presence {
    /// The word for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Online => "ONLINE",
            Self::Offline => "OFFLINE",
            Self::Unknown => "UNKNOWN",
        }
    }
}

/// What a device proves itself with.
#[derive(Debug, Clone)]
pub struct DeviceCredential {
    /// The device secret, the key of its password's HMAC.
    pub secret: Secret,
    /// `false` after DisableThing.
    pub enabled: bool,
}

/// Where a broker looks up what a device must prove.
pub trait Credentials: Send + Sync {
    /// The credential of a registered device; `None` if there is no such device.
    fn credential(&self, device: &DeviceKey) -> LookUp<'_, DeviceCredential>;
}

/// Takes note of devices coming and going. Never blocks: what is kept is written behind the caller's back.
pub trait PresenceSink: Send + Sync {
    /// The device connected through `transport`, from `address` where the transport knows it.
    fn online(&self, device: &DeviceKey, transport: TransportName, address: Option<&str>, at: UnixMillis);
    /// The device's last connection ended.
    fn offline(&self, device: &DeviceKey, at: UnixMillis);
    /// The device sent something, which came through `transport`.
    fn seen(&self, device: &DeviceKey, transport: TransportName, at: UnixMillis);
    /// The device proved itself to an external broker, which asked us. When it leaves that broker, nobody says.
    fn logged_in(&self, device: &DeviceKey, login: &Login<'_>, at: UnixMillis);

    /// Somebody who said to be this device was not let in. Nobody proved to be it, so nothing is kept of it.
    fn refused(&self, _: &DeviceKey, _: TransportName, _: &dyn fmt::Display) {}

    /// Ready once it is written that the device came, where that must be so before it is let in: it came for the first time, and
    /// its product tells devices their secrets until then. Of all others it is ready at once.
    fn first_is_written<'a>(&'a self, device: &'a DeviceKey) -> LookUp<'a, ()> {
        let _ = device;
        LookUp::known(None)
    }
}

/// What a device's login at an external broker tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Login<'a> {
    /// The transport that reaches devices of that broker.
    pub transport: TransportName,
    /// The topic on which it takes synchronous calls; `None` if it speaks no MQTT.
    pub sync_topic: Option<SyncTopic>,
    /// Where it connects from, if the broker says so.
    pub address: Option<&'a str>,
}
