//! Who a connecting device is: client id, user name and password of an MQTT CONNECT.
//!
//! Client id `{clientId}|k=v,k=v,...|`, user name `{deviceName}&{productKey}`, password the hexadecimal HMAC of
//! `clientId{clientId}deviceName{dn}productKey{pk}`, with `timestamp{ts}` behind it if a time stamp was given, keyed with
//! the device secret. Source: `PROTOCOL.md` 6.1.

use hmac::{Hmac, KeyInit, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::Sha256;
use subtle::ConstantTimeEq;
use thingcall_core::{DeviceKey, DeviceName, ProductKey, Secret};

/// The longest client id taken, in bytes. 64 characters may stand before the bars (`PROTOCOL.md` 6.1); SDKs
/// add some 100 behind.
const CLIENT_ID_BYTES_MAX: usize = 512;

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
    /// The user name is not of the documented form.
    #[error("user name {0:?} is not of the form deviceName&productKey")]
    Username(String),
    /// The client id is too long.
    #[error("client id has {0} bytes; at most {CLIENT_ID_BYTES_MAX} are allowed")]
    ClientId(usize),
    /// `signmethod` names none of the documented methods.
    #[error("signmethod {0:?} is unknown; right is hmacmd5, hmacsha1 or hmacsha256")]
    SignMethod(String),
    /// No such device.
    #[error("device {0} is not registered")]
    UnknownDevice(DeviceKey),
    /// The password is not the HMAC of this client id.
    #[error("device {0} sent a wrong password: its secret, or the client id it signed, differs")]
    Password(DeviceKey),
}

/// Who a CONNECT says it is of, before its password was looked at.
#[derive(Debug)]
pub struct Claimed<'a> {
    device: DeviceKey,
    id: ClientId<'a>,
    methods: &'static [Method],
}

impl<'a> Claimed<'a> {
    /// Reads client id and user name.
    ///
    /// # Errors
    /// What of them is wrong.
    pub fn read(client_id: &'a str, username: &str) -> Result<Self, Refusal> {
        ClientId::check_length(client_id)?;
        let device = device_of(username).ok_or_else(|| Refusal::Username(username.chars().take(80).collect()))?;
        let id = ClientId::parse(client_id);
        let methods = Method::accepted(id.sign_method)?;
        Ok(Self { device, id, methods })
    }

    /// The device whose secret is to be looked up.
    pub const fn device(&self) -> &DeviceKey {
        &self.device
    }

    /// Checks the password against the device's secret; `None` if there is no such device.
    ///
    /// # Errors
    /// `UnknownDevice` or `Password`.
    pub fn verify(self, password: &[u8], secret: Option<&Secret>) -> Result<Login, Refusal> {
        let Self { device, id, methods } = self;
        let Some(secret) = secret else { return Err(Refusal::UnknownDevice(device)) };
        let content = id.content(&device);
        let given = password.to_ascii_lowercase();
        let is = |right: String| bool::from(right.as_bytes().ct_eq(&given));
        let right = match id.auth {
            Auth::Token => is(token_of(&device, id.own, secret)),
            Auth::Secret | Auth::Register | Auth::RegisterForToken => {
                methods.iter().any(|method| is(method.digest(secret, &content)))
            }
        };
        if right { Ok(Login { device, ext_rrpc: id.ext & 1 == 1 }) } else { Err(Refusal::Password(device)) }
    }
}

/// The client id that a simulated device sends, with HMAC-SHA256 and this time stamp.
pub fn client_id(device: &DeviceKey, ext_rrpc: bool, timestamp_ms: i64) -> String {
    let ext = if ext_rrpc { ",ext=1" } else { "" };
    format!("{}.{}|securemode=3,signmethod=hmacsha256,timestamp={timestamp_ms}{ext}|", device.product, device.name)
}

/// The user name of a device.
pub fn username(device: &DeviceKey) -> String {
    format!("{}&{}", device.name, device.product)
}

/// The password that goes with `client_id`.
pub fn password(device: &DeviceKey, client_id: &str, secret: &Secret) -> String {
    let id = ClientId::parse(client_id);
    let method = Method::named(id.sign_method).unwrap_or(Method::Md5);
    method.digest(secret, &id.content(device))
}

/// The password of a device that got a token in place of a secret, for what stands before the bar of its client id. A token
/// is made of the device's secret, so nothing has to be kept of it.
pub(crate) fn token_of(device: &DeviceKey, client_id: &str, secret: &Secret) -> String {
    let content = format!("deviceToken{client_id}deviceName{}productKey{}", device.name, device.product);
    Method::Sha256.digest(secret, &content)
}

/// The device a user name is of, by its form alone.
pub fn device_of(username: &str) -> Option<DeviceKey> {
    let (name, product) = username.split_once('&')?;
    key(product, name)
}

/// The devices a client id may be named after, the most literal reading first; none for an id of free text. SDKs write
/// `{pk}&{dn}` and `{pk}.{dn}`, and one puts its own name behind.
pub fn named_in(client_id: &str) -> Vec<DeviceKey> {
    let own = ClientId::parse(client_id).own.trim();
    let read = |text: &str| text.split_once(['&', '.']).and_then(|(product, name)| key(product, name));
    [Some(own), own.strip_suffix("_aliyun-iot-device-sdk-js")].into_iter().flatten().filter_map(read).collect()
}

fn key(product: &str, name: &str) -> Option<DeviceKey> {
    Some(DeviceKey { product: ProductKey::try_from(product).ok()?, name: DeviceName::try_from(name).ok()? })
}

/// A client id, taken apart. One SDK writes line feeds and blanks between the items, so both sides are trimmed; items
/// without a value and unknown ones are passed over.
#[derive(Debug, Default)]
pub(crate) struct ClientId<'a> {
    /// What stands before the first bar.
    own: &'a str,
    pub(crate) sign_method: Option<&'a str>,
    pub(crate) auth: Auth,
    pub(crate) random: Option<&'a str>,
    timestamp: Option<&'a str>,
    ext: u32,
}

/// How a CONNECT says that it is proved (`authType`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Auth {
    /// By the device's secret.
    #[default]
    Secret,
    /// By its product's, for want of one of its own.
    Register,
    /// By its product's; it wants a token.
    RegisterForToken,
    /// By the token that it got.
    Token,
}

impl<'a> ClientId<'a> {
    pub(crate) fn check_length(text: &str) -> Result<(), Refusal> {
        if text.len() > CLIENT_ID_BYTES_MAX { Err(Refusal::ClientId(text.len())) } else { Ok(()) }
    }

    pub(crate) fn parse(text: &'a str) -> Self {
        let (own, items) = text.split_once('|').unwrap_or((text, ""));
        let mut id = Self { own, ..Self::default() };
        for item in items.trim().trim_end_matches('|').split(',') {
            let Some((key, value)) = item.split_once('=') else { continue };
            match (key.trim(), value.trim()) {
                ("signmethod", value) => id.sign_method = Some(value),
                ("timestamp", value) if !value.is_empty() => id.timestamp = Some(value),
                ("random", value) => id.random = Some(value),
                ("authType", "register") => id.auth = Auth::Register,
                ("authType", "regnwl") => id.auth = Auth::RegisterForToken,
                ("authType", "connwl") => id.auth = Auth::Token,
                ("ext", value) => id.ext = value.parse().unwrap_or(0),
                _ => {}
            }
        }
        id
    }

    /// What the password signs.
    fn content(&self, device: &DeviceKey) -> String {
        let mut content = format!("clientId{}deviceName{}productKey{}", self.own, device.name, device.product);
        if let Some(timestamp) = self.timestamp {
            content.push_str("timestamp");
            content.push_str(timestamp);
        }
        content
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Md5,
    Sha1,
    Sha256,
}

impl Method {
    /// The documented default is HMAC-MD5.
    pub(crate) fn named(name: Option<&str>) -> Option<Self> {
        match name {
            None | Some("hmacmd5") => Some(Self::Md5),
            Some("hmacsha1") => Some(Self::Sha1),
            Some("hmacsha256" | "sha256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    /// The digests taken under a name. The Node SDK can be told another name but always computes SHA-1, so that digest is
    /// taken too: it is keyed with the same secret and no weaker than what the name may choose anyway.
    fn accepted(name: Option<&str>) -> Result<&'static [Self], Refusal> {
        match (Self::named(name), name) {
            (Some(Self::Md5), None) => Ok(&[Self::Md5]),
            (Some(Self::Md5), Some(_)) => Ok(&[Self::Md5, Self::Sha1]),
            (Some(Self::Sha1), _) => Ok(&[Self::Sha1]),
            (Some(Self::Sha256), _) => Ok(&[Self::Sha256, Self::Sha1]),
            (None, name) => Err(Refusal::SignMethod(name.unwrap_or_default().chars().take(40).collect())),
        }
    }

    pub(crate) fn digest(self, secret: &Secret, content: &str) -> String {
        let (key, content) = (secret.expose().as_bytes(), content.as_bytes());
        match self {
            Self::Md5 => hex_mac::<Hmac<Md5>>(key, content),
            Self::Sha1 => hex_mac::<Hmac<Sha1>>(key, content),
            Self::Sha256 => hex_mac::<Hmac<Sha256>>(key, content),
        }
    }
}

fn hex_mac<M: Mac + KeyInit>(key: &[u8], content: &[u8]) -> String {
    // An HMAC takes a key of any length; an empty digest would match no password of a device.
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return String::new() };
    mac.update(content);
    hex::encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests;
