//! Whether devices are connected: GetDeviceStatus and BatchGetDeviceState.
//!
//! **Invariant:** one rule for a device's status, whoever asks.

use std::net::SocketAddr;

use thingcall_core::{DeviceKey, DeviceRef};
use thingcall_tsl::{DeviceRecord, DeviceStatus, Directory};

use super::{many, target};
use crate::answer::{Fields, Node, text};
use crate::clock;
use crate::error::ActionError;
use crate::params::Params;

/// How many devices BatchGetDeviceState takes. Source: Alibaba's reference.
const DEVICES_MAX: usize = 50;

/// `UNACTIVE`, `DISABLE`, `ONLINE` or `OFFLINE`.
pub(super) fn word(record: &DeviceRecord) -> &'static str {
    match record.status() {
        DeviceStatus::Disabled => "DISABLE",
        DeviceStatus::Online => "ONLINE",
        DeviceStatus::Unactive => "UNACTIVE",
        DeviceStatus::Offline => "OFFLINE",
    }
}

/// Where it last connected from, without a port.
pub(super) fn ip(record: &DeviceRecord) -> Option<String> {
    let address = record.address.as_deref()?;
    Some(address.parse::<SocketAddr>().map_or_else(|_| address.to_owned(), |address| address.ip().to_string()))
}

/// GetDeviceStatus.
pub(super) async fn one(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let record = target::record(directory, params).await?;
    let mut data = vec![("Status", text(word(&record)))];
    data.extend(changed(&record));
    Ok(vec![("Data", Node::Object(data))])
}

/// BatchGetDeviceState. A device that does not exist fails the whole request: an answer that leaves one out is easily
/// misread.
pub(super) async fn several(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let mut states = Vec::new();
    for device in devices(params)? {
        states.push(Node::Object(state(&target::known(directory, &device).await?)));
    }
    Ok(vec![("DeviceStatusList", Node::Object(vec![("DeviceStatus", Node::List(states))]))])
}

/// The devices of `IotId.N`, else of `ProductKey` and `DeviceName.N`.
fn devices(params: &Params<'_>) -> Result<Vec<DeviceRef>, ActionError> {
    let ids = params.list("IotId")?;
    let devices: Vec<DeviceRef> = if ids.is_empty() {
        let product = target::product_or(params, "; give ProductKey and DeviceName.1, ..., or IotId.1, ...")?;
        let names = params.list("DeviceName")?.into_iter();
        let key = |text| Ok(DeviceRef::Key(DeviceKey { product: product.clone(), name: target::device_name(text)? }));
        names.map(key).collect::<Result<_, ActionError>>()?
    } else {
        ids.into_iter().map(target::iot_id).collect::<Result<_, _>>()?
    };
    match devices.len() {
        0 => Err(many::none_named("give DeviceName.1, DeviceName.2, ... or IotId.1, IotId.2, ...")),
        count if count > DEVICES_MAX => Err(many::too_many(DEVICES_MAX)),
        _ => Ok(devices),
    }
}

fn state(record: &DeviceRecord) -> Fields {
    let device = &record.device;
    let mut fields = vec![
        ("IotId", text(device.iot_id.as_str())),
        ("DeviceId", text(device.iot_id.as_str())),
        ("DeviceName", text(device.key.name.as_str())),
        ("Status", text(word(record))),
    ];
    fields.extend(ip(record).map(|address| ("AsAddress", text(address))));
    fields.extend(record.came_at().map(|at| ("LastOnlineTime", text(clock::utc(at)))));
    fields.extend(changed(record));
    fields
}

/// When its status changed; nothing for a device that was never heard of.
fn changed(record: &DeviceRecord) -> Option<(&'static str, Node)> {
    record.changed_at().map(|at| ("Timestamp", Node::Number(at.0)))
}
