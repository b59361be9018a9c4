//! Tags of devices: SaveDeviceProp, QueryDeviceProp, DeleteDeviceProp.
//!
//! **Invariant:** a tag is a name and a text; what a request cannot say in these is refused, and none of its tags is kept.

use std::collections::BTreeMap;

use serde_json::Value;
use thingcall_core::{ErrorCode, Outcome};
use thingcall_tsl::{Directory, TAGS_PER_DEVICE_MAX};

use super::device::found;
use crate::answer::{Fields, text};
use crate::error::ActionError;
use crate::params::Params;

/// How long `Props` may be. Source: Alibaba's reference.
const PROPS_BYTES_MAX: usize = 5 * 1024;
/// How long a tag's name may be: no more than that is a name.
const NAME_CHARACTERS_MAX: usize = 64;
/// The platform's own: kept, and not shown. Source: Alibaba's reference.
const RESERVED: &str = "abc";

/// SaveDeviceProp.
pub(super) async fn save(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let device = found(directory, params).await?;
    let missing = "Props is missing; right is JSON, such as {\"color\":\"red\"}";
    let props = params.get("Props").ok_or_else(|| refused(ErrorCode::NullDevicePropertiesString, missing))?;
    directory.save_tags(&device, &read(props)?).await?;
    Ok(Fields::new())
}

/// QueryDeviceProp.
pub(super) async fn query(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let mut tags = directory.tags(&found(directory, params).await?).await?;
    tags.remove(RESERVED);
    let object = tags.into_iter().map(|(name, value)| (name, Value::String(value)));
    Ok(vec![("Props", text(Value::Object(object.collect()).to_string()))])
}

/// DeleteDeviceProp. A tag that the device does not have is no failure.
pub(super) async fn delete(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let device = found(directory, params).await?;
    let missing = "PropKey is missing; it is the name of the tag";
    let name = params.get("PropKey").ok_or_else(|| refused(ErrorCode::NullDevicePropertyKey, missing))?;
    directory.remove_tag(&device, name).await?;
    Ok(Fields::new())
}

fn read(props: &str) -> Result<BTreeMap<String, String>, ActionError> {
    if props.len() > PROPS_BYTES_MAX {
        let right = format!("Props has {} bytes; {PROPS_BYTES_MAX} are allowed", props.len());
        return Err(refused(ErrorCode::LongDevicePropertiesString, right));
    }
    let malformed = |why: String| refused(ErrorCode::InvalidFormattedDevicePropertiesString, why);
    let object: BTreeMap<String, Value> = serde_json::from_str(props)
        .map_err(|why| malformed(format!("Props is no JSON object, such as {{\"color\":\"red\"}}: {why}")))?;
    if object.is_empty() {
        return Err(refused(ErrorCode::NoneDeviceProperties, "Props has no tag in it"));
    }
    if object.len() > TAGS_PER_DEVICE_MAX {
        let many = format!("Props has {} tags; {TAGS_PER_DEVICE_MAX} are allowed", object.len());
        return Err(refused(ErrorCode::TooManyDevicePropertiesPerTime, many));
    }
    let tag = |(name, value): (String, Value)| {
        if name.is_empty() || name.chars().count() > NAME_CHARACTERS_MAX || name.chars().any(char::is_control) {
            let right = format!("a tag's name in Props is not 1 to {NAME_CHARACTERS_MAX} characters that can be seen");
            return Err(refused(ErrorCode::InvalidFormattedDevicePropertyKey, right));
        }
        match value {
            Value::String(value) => Ok((name, value)),
            Value::Number(number) => Ok((name, number.to_string())),
            Value::Bool(flag) => Ok((name, flag.to_string())),
            Value::Null | Value::Array(_) | Value::Object(_) => {
                Err(malformed(format!("the value of {name:?} in Props is neither a text nor a number")))
            }
        }
    };
    object.into_iter().map(tag).collect()
}

fn refused(code: ErrorCode, why: impl Into<String>) -> ActionError {
    ActionError::service(code, Outcome::InvalidArgs, why)
}
