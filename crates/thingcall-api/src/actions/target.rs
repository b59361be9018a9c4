//! Which product or device a request means.
//!
//! **Invariant:** IotId wins where it is given; the pair is then not even looked at.

use thingcall_core::{DeviceKey, DeviceName, DeviceRef, ErrorCode, IotId, Outcome, ProductKey};

use crate::error::ActionError;
use crate::params::Params;

/// The device of `IotId`, else of `ProductKey` and `DeviceName`.
pub(super) fn device(params: &Params<'_>) -> Result<DeviceRef, ActionError> {
    if let Some(text) = params.get("IotId") {
        return iot_id(text);
    }
    let product = product_or(params, "; give ProductKey and DeviceName, or IotId")?;
    let name = params.get("DeviceName").ok_or_else(|| {
        missing(ErrorCode::NullDeviceName, "DeviceName is missing; give ProductKey and DeviceName, or IotId")
    })?;
    Ok(DeviceRef::Key(DeviceKey { product, name: device_name(name)? }))
}

/// Whether a topic is many devices' of a product, which it names next.
pub(crate) fn is_of_many(topic: &str) -> bool {
    topic.starts_with("/broadcast/")
}

/// The product of `ProductKey`, where nothing else can be given.
pub(super) fn product_itself(params: &Params<'_>) -> Result<ProductKey, ActionError> {
    if params.get("ProductKey").is_none() {
        return Err(missing(ErrorCode::NullProductKey, "ProductKey is missing"));
    }
    product(params)
}

/// The product of `ProductKey`.
pub(super) fn product(params: &Params<'_>) -> Result<ProductKey, ActionError> {
    product_or(params, "")
}

/// The same; where it is missing, this is said behind that.
pub(super) fn product_or(params: &Params<'_>, instead: &str) -> Result<ProductKey, ActionError> {
    let text = params
        .get("ProductKey")
        .ok_or_else(|| missing(ErrorCode::NullProductKey, &format!("ProductKey is missing{instead}")))?;
    ProductKey::try_from(text).map_err(|why| ActionError::malformed(ErrorCode::InvalidFormattedProductKey, &why))
}

/// A device's name.
pub(super) fn device_name(text: &str) -> Result<DeviceName, ActionError> {
    DeviceName::try_from(text).map_err(|why| ActionError::malformed(ErrorCode::InvalidFormattedDeviceName, &why))
}

/// A device by its IotId.
pub(super) fn iot_id(text: &str) -> Result<DeviceRef, ActionError> {
    let id = IotId::try_from(text).map_err(|why| ActionError::malformed(ErrorCode::InvalidIotId, &why))?;
    Ok(DeviceRef::IotId(id))
}

fn missing(code: ErrorCode, text: &str) -> ActionError {
    ActionError::service(code, Outcome::UnknownTarget, text)
}
