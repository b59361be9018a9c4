//! Who a connecting device is: client id, user name and password of an MQTT CONNECT (`wire.md` f).

use thingcall_core::{DeviceKey, Secret};

/// A device that proved who it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// The device.
    pub device: DeviceKey,
    /// `ext` bit 0 of the client id: it takes synchronous calls on `/ext/rrpc/...`.
    pub ext_rrpc: bool,
}

/// Why a CONNECT is refused; for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// placeholder
    #[error("{0}")]
    Form(String),
}

/// Checks a CONNECT against the device's secret, which `secret_of` looks up.
pub fn verify(
    client_id: &str,
    username: &str,
    password: &[u8],
    secret_of: impl FnOnce(&DeviceKey) -> Option<Secret>,
) -> Result<Login, Refusal> {
    let _ = (client_id, username, password, secret_of);
    Err(Refusal::Form(String::new()))
}

/// The client id a device of ours sends (simulated devices), and the password for it.
pub fn client_id(device: &DeviceKey, ext_rrpc: bool, timestamp_ms: i64) -> String {
    let _ = (device, ext_rrpc, timestamp_ms);
    String::new()
}

/// The password that goes with `client_id`.
pub fn password(device: &DeviceKey, client_id: &str, secret: &Secret) -> String {
    let _ = (device, client_id, secret);
    String::new()
}
