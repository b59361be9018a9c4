//! Versions of thing models: ListThingModelVersion, PublishThingModel.
//!
//! **Invariant:** a model is in force as soon as it is set; to publish it is to give it a number and a description, once, which no
//! later edit takes from it.

use thingcall_core::CallError;
use thingcall_tsl::{Directory, DirectoryError, ModelVersion};

use super::target;
use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::params::Params;

/// How long a version's number may be. Source: Alibaba's reference.
const NUMBER_CHARACTERS_MAX: usize = 16;
/// How long its description may be.
const DESCRIPTION_CHARACTERS_MAX: usize = 100;

/// ListThingModelVersion: the one in force comes first.
pub(super) async fn list(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    if directory.product(&key).is_none() {
        return Err(DirectoryError::NoProduct(key).into());
    }
    let versions = directory.model_versions(&key).await?;
    let list = versions.iter().map(described).collect();
    Ok(vec![("Data", Node::Object(vec![("ModelVersions", Node::List(list))]))])
}

/// PublishThingModel.
pub(super) async fn publish(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let product = directory.product(&key).ok_or_else(|| CallError::UnknownProduct(key.to_string()))?;
    if product.model.is_none() {
        return Err(CallError::NoModel(key.to_string()).into());
    }
    let (number, description) = (params.get("ModelVersion"), params.get("Description"));
    let is_number = |number: &str| {
        number.len() <= NUMBER_CHARACTERS_MAX && number.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.')
    };
    if let Some(number) = number.filter(|number| !is_number(number)) {
        let right = format!("1 to {NUMBER_CHARACTERS_MAX} letters, digits and periods");
        return Err(ActionError::wrong("ModelVersion", number, &right));
    }
    if description.is_some_and(|text| text.chars().count() > DESCRIPTION_CHARACTERS_MAX) {
        return Err(ActionError::illegal(format!(
            "Description is longer than {DESCRIPTION_CHARACTERS_MAX} characters"
        )));
    }
    directory.publish_model(&key, number, description).await?;
    Ok(Fields::new())
}

fn described(version: &ModelVersion) -> Node {
    Node::Object(vec![
        ("ModelVersion", text(&version.number)),
        ("Description", text(version.description.as_deref().unwrap_or_default())),
        ("GmtCreate", Node::Number(version.published_at.unwrap_or(version.created_at).0)),
    ])
}
