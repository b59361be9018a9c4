//! Which product or device a request means.
//!
//! **Invariant:** IotId wins where it is given; the pair is then not even looked at.

use thingcall_core::{DeviceKey, DeviceName, DeviceRef, ErrorCode, IotId, Outcome, ProductKey};

use crate::error::Failure;
use crate::params::Params;

/// The device of `IotId`, else of `ProductKey` and `DeviceName`.
pub(crate) fn device(params: &Params<'_>) -> Result<DeviceRef, Failure> {
    if let Some(text) = params.get("IotId") {
        return iot_id(text);
    }
    let product = product(params)?;
    let name = params.get("DeviceName").ok_or_else(|| {
        missing(ErrorCode::NullDeviceName, "DeviceName is missing; give ProductKey and DeviceName, or IotId")
    })?;
    Ok(DeviceRef::Key(DeviceKey { product, name: device_name(name)? }))
}

/// The product of `ProductKey`.
pub(crate) fn product(params: &Params<'_>) -> Result<ProductKey, Failure> {
    let text = params.get("ProductKey").ok_or_else(|| {
        missing(ErrorCode::NullProductKey, "ProductKey is missing; a device may be given by IotId instead")
    })?;
    ProductKey::try_from(text).map_err(|why| Failure::malformed(ErrorCode::InvalidFormattedProductKey, &why))
}

/// A device's name.
pub(crate) fn device_name(text: &str) -> Result<DeviceName, Failure> {
    DeviceName::try_from(text).map_err(|why| Failure::malformed(ErrorCode::InvalidFormattedDeviceName, &why))
}

/// A device by its IotId.
pub(crate) fn iot_id(text: &str) -> Result<DeviceRef, Failure> {
    let id = IotId::try_from(text).map_err(|why| Failure::malformed(ErrorCode::InvalidIotId, &why))?;
    Ok(DeviceRef::IotId(id))
}

fn missing(code: ErrorCode, text: &str) -> Failure {
    Failure::service(code, Outcome::UnknownTarget, text)
}
