//! Devices that are named twice, by the same name or once by name and once by IotId.
//!
//! **Invariant:** where some are given by name, and it cannot be known whether an IotId is one of them, nothing is called.

use std::collections::{HashSet, VecDeque};

use anyhow::bail;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::Deserialize;
use thingcall_core::{DeviceKey, DeviceRef};

use super::Fleet;
use super::pool::Pool;

/// How many are asked for at once.
const AT_ONCE: usize = 16;
/// How the codes of those begin that are not there, or whose IotId is none: their calls say so.
const OF_THE_DEVICE: &str = "iot.";

/// An answer of QueryDeviceDetail.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Detail {
    success: bool,
    code: Option<String>,
    data: Option<Named>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Named {
    product_key: String,
    device_name: String,
}

/// The devices in their order, each once, by its name where the server tells it.
///
/// # Errors
/// If it does not, and another one is given by name.
pub(super) async fn each_once(fleet: &Fleet, given: Vec<DeviceRef>) -> anyhow::Result<VecDeque<DeviceRef>> {
    let has_names = given.iter().any(|device| matches!(device, DeviceRef::Key(_)));
    let pool = Pool::new(fleet.url.clone(), fleet.trust.clone(), fleet.signer.clone(), AT_ONCE);
    let named = stream::iter(given).map(|device| named(fleet, &pool, device, has_names)).buffered(AT_ONCE);
    let named: Vec<DeviceRef> = named.try_collect().await?;
    let mut seen = HashSet::new();
    Ok(named.into_iter().filter(|device| seen.insert(device.to_string())).collect())
}

/// A device by its name.
async fn named(fleet: &Fleet, pool: &Pool, device: DeviceRef, must_be: bool) -> anyhow::Result<DeviceRef> {
    let DeviceRef::IotId(id) = &device else { return Ok(device) };
    let instance = fleet.params.iter().filter(|(name, _)| *name == "IotInstanceId");
    let mut params: Vec<_> = instance.map(|(name, value)| (*name, value.as_str())).collect();
    params.push(("IotId", id.as_str()));
    let answered = pool.ask("QueryDeviceDetail", &params).await?;
    let Detail { success, code, data } = serde_json::from_slice(&answered.text).unwrap_or_default();
    if let (true, Some(Named { product_key, device_name })) = (success, data) {
        let key = DeviceKey { product: product_key.as_str().try_into()?, name: device_name.as_str().try_into()? };
        return Ok(DeviceRef::Key(key));
    }
    let code = code.unwrap_or_else(|| answered.status.to_string());
    if must_be && !code.starts_with(OF_THE_DEVICE) {
        bail!(
            "whether {id} is a device that another line names is not known (QueryDeviceDetail: {code}), so nothing was called; \
             let the key do that, or give all devices by name, or all by IotId"
        );
    }
    Ok(device)
}
