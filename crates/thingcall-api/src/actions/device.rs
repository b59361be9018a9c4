//! The life of a device: RegisterDevice, QueryDeviceDetail, DisableThing, EnableThing, DeleteDevice.
//!
//! **Invariant:** a device's secret is shown where it is registered and where it is read, as Alibaba's API does, and nowhere
//! else.

use thingcall_core::{CallError, DeviceKey, DeviceRef, UnixMillis};
use thingcall_tsl::{DeviceRecord, Directory, NewDevice};

use super::{status, target};
use crate::answer::{Fields, Node, text};
use crate::clock;
use crate::error::ActionError;
use crate::params::Params;

/// The longest nickname. Source: Alibaba's reference says 4 to 64 characters.
pub(super) const NICKNAME_CHARACTERS_MAX: usize = 64;

/// RegisterDevice. Without a `DeviceName` one is made up.
pub(super) async fn register(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let nickname = params.get("Nickname");
    if nickname.is_some_and(|name| name.chars().count() > NICKNAME_CHARACTERS_MAX) {
        return Err(ActionError::illegal(format!("Nickname is longer than {NICKNAME_CHARACTERS_MAX} characters")));
    }
    let new = NewDevice {
        product: target::product(params)?,
        name: params.get("DeviceName").map(target::device_name).transpose()?,
        secret: None,
        nickname: nickname.map(str::to_owned),
        transport: None,
    };
    let record = directory.register(new).await?;
    Ok(vec![("Data", Node::Object(identity(&record)))])
}

/// QueryDeviceDetail.
pub(super) async fn detail(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let record = target::record(directory, params).await?;
    let mut data = detailed(directory, &record);
    data.extend([("Owner", Node::Flag(true)), ("IpAddress", text(status::ip(&record).unwrap_or_default()))]);
    data.extend(times("GmtOnline", "UtcOnline", record.came_at()));
    Ok(vec![("Data", Node::Object(data))])
}

/// What is told of a device, whether alone or with others.
pub(super) fn detailed(directory: &dyn Directory, record: &DeviceRecord) -> Fields {
    let product = directory.product(&record.device.key.product);
    let mut data = identity(record);
    data.extend([
        ("ProductName", text(product.map(|product| product.name.clone()).unwrap_or_default())),
        ("NodeType", Node::Number(0)),
        ("Region", text("")),
        ("Status", text(status::word(record))),
    ]);
    data.extend(times("GmtCreate", "UtcCreate", Some(record.created_at)));
    data.extend(times("GmtActive", "UtcActive", record.activated_at));
    data
}

/// DisableThing.
pub(super) async fn disable(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    directory.set_enabled(&found(directory, params).await?, false).await?;
    Ok(Fields::new())
}

/// EnableThing.
pub(super) async fn enable(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    directory.set_enabled(&found(directory, params).await?, true).await?;
    Ok(Fields::new())
}

/// DeleteDevice.
pub(super) async fn delete(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    directory.remove(&found(directory, params).await?).await?;
    Ok(Fields::new())
}

/// The device that a request names.
pub(super) async fn found(directory: &dyn Directory, params: &Params<'_>) -> Result<DeviceKey, ActionError> {
    let target = target::device(params)?;
    match (directory.find(&target).await.map_err(CallError::from)?, target) {
        (Some(found), _) => Ok(found.device.key.clone()),
        (None, DeviceRef::IotId(id)) => Err(CallError::UnknownIotId(id.to_string()).into()),
        (None, DeviceRef::Key(key)) if directory.product(&key.product).is_none() => {
            Err(CallError::UnknownProduct(key.product.to_string()).into())
        }
        (None, DeviceRef::Key(key)) => Err(CallError::UnknownDevice(key.to_string()).into()),
    }
}

/// Who it is, and what it proves that with.
pub(super) fn identity(record: &DeviceRecord) -> Fields {
    vec![
        ("ProductKey", text(record.device.key.product.as_str())),
        ("DeviceName", text(record.device.key.name.as_str())),
        ("DeviceSecret", text(record.secret.expose())),
        ("IotId", text(record.device.iot_id.as_str())),
        ("Nickname", text(record.nickname.as_deref().unwrap_or_default())),
    ]
}

/// One time in the two forms the API writes; empty where it never was.
pub(super) fn times(gmt: &'static str, utc: &'static str, at: Option<UnixMillis>) -> Fields {
    vec![(gmt, text(at.map(clock::gmt).unwrap_or_default())), (utc, text(at.map(clock::utc).unwrap_or_default()))]
}
