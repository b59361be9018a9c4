//! Thing models: ImportThingModelTsl, QueryThingModel, GetThingModelTsl, GetThingModelTslPublished.
//!
//! **Invariant:** a model is stored whole or not at all, with every change that others made at the same time; a module that does not
//! fit leaves the model as it was. A TSL that is read is the text that was imported: `Simple` is ignored, since the whole holds all
//! that the short form does. QueryThingModel says the same in words of its own.

use std::sync::Arc;

use serde_json::Value;
use thingcall_core::{CallError, ModuleId, ProductKey};
use thingcall_tsl::{Directory, Edited, Product, ThingModel};

use super::model_json::{self, Beside};
use super::target;
use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::gateway::GatewayError;
use crate::params::Params;

/// ImportThingModelTsl: the default module, or the custom one of `FunctionBlockId`. It is in force at once.
pub(super) async fn import(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let tsl = params.need("TslStr")?;
    let module = module(params)?;
    if module.is_some() && params.get("FunctionBlockName").is_none() {
        return Err(GatewayError::Missing("FunctionBlockName").into());
    }
    if let Some(id) = named_module(tsl).filter(|_| module.is_none()) {
        return Err(ActionError::illegal(format!(
            "TslStr is the file of a custom module, whose functionBlockId is {id:?}; right is to give that as the parameter \
             FunctionBlockId, with FunctionBlockName"
        )));
    }
    change(directory, &key, |product| with_module(product, module.as_ref(), tsl, "TslStr")).await
}

/// Sets a product's model, made from what it is: nobody else changes the product meanwhile.
pub(super) async fn change(
    directory: &dyn Directory,
    key: &ProductKey,
    edit: impl FnOnce(&Product) -> Result<ThingModel, ActionError> + Send,
) -> Result<Fields, ActionError> {
    let (mut edit, mut refused) = (Some(edit), None);
    let mut once = |product: &Product| match edit.take()?(product) {
        Ok(model) => Some(Edited::Model(model)),
        Err(error) => {
            refused = Some(error);
            None
        }
    };
    directory.edit_product(key, &mut once).await?;
    refused.map_or_else(|| Ok(Fields::new()), Err)
}

/// QueryThingModel.
pub(super) async fn query(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let model = stored(directory, &key, params).await?;
    let versions = directory.model_versions(&key).await?;
    let number = params.get("ModelVersion").filter(|number| model.version() != Some(number));
    let version = versions.iter().find(|version| number.is_none_or(|number| version.number == number));
    let module = module(params)?;
    let file = serde_json::from_str(module_of(&model, module.as_ref())?);
    let file: Value = file.map_err(|why| CallError::Internal(format!("thing model of {key}: {why}")))?;
    let names = model.module_texts().filter(|_| module.is_none()).map(|(id, file)| (id.to_string(), name_of(file)));
    let beside = Beside {
        product: key.as_str(),
        version: version
            .filter(|version| version.published_at.is_some())
            .map(|version| (&*version.number, version.description.as_deref())),
        modules: names.collect(),
    };
    let data = vec![("ThingModelJson", text(model_json::module(&file, &beside).to_string()))];
    Ok(vec![("Data", Node::Object(data)), ("ProductKey", text(key.as_str()))])
}

/// GetThingModelTsl and GetThingModelTslPublished.
pub(super) async fn get_tsl(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let model = stored(directory, &key, params).await?;
    let tsl = module_of(&model, module(params)?.as_ref())?;
    Ok(vec![("Data", Node::Object(vec![("TslStr", text(tsl))]))])
}

/// The custom module that a request means; the default one, if it says none.
pub(super) fn module(params: &Params<'_>) -> Result<Option<ModuleId>, ActionError> {
    let id = params.get("FunctionBlockId").map(ModuleId::try_from).transpose();
    id.map_err(|why| ActionError::illegal(format!("FunctionBlockId: {why}")))
}

/// A product that is there.
pub(super) fn product(directory: &dyn Directory, key: &ProductKey) -> Result<Arc<Product>, ActionError> {
    directory.product(key).ok_or_else(|| CallError::UnknownProduct(key.to_string()).into())
}

/// The product's model with this module in it, in place of the one of the same id; it comes from this parameter.
pub(super) fn with_module(
    product: &Product,
    module: Option<&ModuleId>,
    tsl: &str,
    parameter: &str,
) -> Result<ThingModel, ActionError> {
    let old = product.model.as_deref();
    let others = old.into_iter().flat_map(ThingModel::module_texts).filter(|(id, _)| Some(*id) != module);
    let mut modules: Vec<&str> = others.map(|(_, text)| text).collect();
    let main = match (module, old) {
        (None, _) => tsl,
        (Some(_), Some(old)) => old.main_text(),
        (Some(_), None) => &empty(&product.key),
    };
    modules.extend(module.map(|_| tsl));
    let model = ThingModel::parse(main, &modules)
        .map_err(|problems| ActionError::illegal(format!("{parameter}: {problems}")))?;
    match module {
        Some(id) if model.module_json(Some(id)).is_none() => Err(ActionError::illegal(format!(
            "FunctionBlockId is {id}, but {parameter} does not have it as its functionBlockId"
        ))),
        _ => Ok(model),
    }
}

/// The custom module whose file a text is.
fn named_module(tsl: &str) -> Option<String> {
    let file: Value = serde_json::from_str(tsl).ok()?;
    file.get("functionBlockId")?.as_str().map(|id| id.chars().take(64).collect())
}

/// A default module with nothing in it, for a product whose first module is a custom one.
pub(super) fn empty(product: &ProductKey) -> String {
    format!(
        r#"{{"profile":{{"version":"1.5","productKey":"{product}"}},"properties":[],"events":[],"services":[],"functionBlocks":[]}}"#
    )
}

/// The model that is asked for.
async fn stored(
    directory: &dyn Directory,
    key: &ProductKey,
    params: &Params<'_>,
) -> Result<Arc<ThingModel>, ActionError> {
    let product = product(directory, key)?;
    let model = product.model.clone().ok_or_else(|| CallError::NoModel(key.to_string()))?;
    match params.get("ModelVersion").filter(|wanted| model.version() != Some(wanted)) {
        None => Ok(model),
        Some(number) => Ok(Arc::new(version(directory, key, number).await?)),
    }
}

/// What a module is called in its file.
fn name_of(file: &str) -> String {
    let file: Value = serde_json::from_str(file).unwrap_or_default();
    file.get("functionBlockName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The text of a module.
fn module_of<'m>(model: &'m ThingModel, module: Option<&ModuleId>) -> Result<&'m str, ActionError> {
    model.module_json(module).ok_or_else(|| {
        let ids: Vec<_> = model.module_texts().map(|(id, _)| id.as_str()).collect();
        let module = module.map_or("", ModuleId::as_str);
        let ids = ids.join(", ");
        ActionError::illegal(format!("FunctionBlockId {module:?} does not exist; the model's modules are [{ids}]"))
    })
}

/// An earlier model.
async fn version(directory: &dyn Directory, key: &ProductKey, number: &str) -> Result<ThingModel, ActionError> {
    if let Some(model) = directory.model_of(key, number).await? {
        return Ok(model);
    }
    let kept = directory.model_versions(key).await?;
    let kept: Vec<_> = kept.iter().map(|version| version.number.as_str()).collect();
    let shown: String = number.chars().take(64).collect();
    Err(ActionError::illegal(format!("ModelVersion {shown:?} is not kept; those that are: {}", kept.join(", "))))
}
