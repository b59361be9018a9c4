//! Which product or device a request means.
//!
//! **Invariant:** IotId wins where it is given; the pair is then not even looked at.

use thingcall_core::{DeviceKey, DeviceName, DeviceRef, ErrorCode, IotId, Outcome, ProductKey};
use thingcall_tsl::{DeviceRecord, Directory, DirectoryError};

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

/// What is known of the device that a request means.
pub(super) async fn record(directory: &dyn Directory, params: &Params<'_>) -> Result<DeviceRecord, ActionError> {
    known(directory, &device(params)?).await
}

/// What is known of a device. Of one whose product does not exist that is what is told.
pub(super) async fn known(directory: &dyn Directory, device: &DeviceRef) -> Result<DeviceRecord, ActionError> {
    match (directory.device(device).await, device) {
        (Err(DirectoryError::NoDevice(_)), DeviceRef::Key(key)) if directory.product(&key.product).is_none() => {
            Err(DirectoryError::NoProduct(key.product.clone()).into())
        }
        (found, _) => Ok(found?),
    }
}

/// Whether a topic is many devices' of a product, which it names next.
pub(crate) fn is_of_many(topic: &str) -> bool {
    topic.starts_with("/broadcast/")
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
    ProductKey::try_from(text)
        .map_err(|why| ActionError::malformed(ErrorCode::InvalidFormattedProductKey, "ProductKey", &why))
}

/// A device's name.
pub(super) fn device_name(text: &str) -> Result<DeviceName, ActionError> {
    let code = ErrorCode::InvalidFormattedDeviceName;
    DeviceName::try_from(text).map_err(|why| ActionError::malformed(code, "DeviceName", &why))
}

/// A device by its IotId.
pub(super) fn iot_id(text: &str) -> Result<DeviceRef, ActionError> {
    let id = IotId::try_from(text).map_err(|why| ActionError::malformed(ErrorCode::InvalidIotId, "IotId", &why))?;
    Ok(DeviceRef::IotId(id))
}

fn missing(code: ErrorCode, text: &str) -> ActionError {
    ActionError::service(code, Outcome::UnknownTarget, text)
}
