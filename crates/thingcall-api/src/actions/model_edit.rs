//! Features of thing models, one by one: CreateThingModel, UpdateThingModel, DeleteThingModel.
//!
//! **Invariant:** each is an import of the whole module with the change in it: what an import would refuse, these refuse, and
//! the model is as it was.

use std::collections::BTreeMap;

use serde_json::{Map, Value};
use thingcall_core::{CallError, ModuleId, ProductKey};
use thingcall_tsl::{Directory, Product, ThingModel};

use super::{model, model_json, target};
use crate::answer::Fields;
use crate::error::{ActionError, shown};
use crate::gateway::GatewayError;
use crate::params::Params;

/// How many features CreateThingModel takes. Source: Alibaba's reference.
const FEATURES_MAX: usize = 10;
/// How many DeleteThingModel takes of each kind.
const NAMES_MAX: usize = 100;

/// The members of a module's file that hold features.
const KINDS: [&str; 3] = ["properties", "services", "events"];

/// A module's file, to be changed.
struct File {
    rest: Map<String, Value>,
    features: BTreeMap<&'static str, Vec<Value>>,
}

/// CreateThingModel.
pub(super) async fn create(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let features = features(params)?;
    let module = module(params)?;
    change(directory, &key, module.as_ref(), params, |file| {
        for (kind, id, feature) in features {
            let all = list(file, kind);
            if all.iter().any(|other| other["identifier"] == id) {
                let text = format!("ThingModelJson: {kind} has {id:?} already; UpdateThingModel changes it");
                return Err(ActionError::illegal(text));
            }
            all.push(feature);
        }
        Ok(())
    })
    .await
}

/// UpdateThingModel: a feature, which may get another identifier, or the name of a custom module.
pub(super) async fn update(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let module = module(params)?;
    must_be_there(directory, &key, module.as_ref())?;
    let named = module.is_some() && params.get("FunctionBlockName").is_some();
    if params.get("ThingModelJson").is_none() && named {
        return change(directory, &key, module.as_ref(), params, |_| Ok(())).await;
    }
    let mut features = features(params)?;
    let (Some((kind, id, feature)), true) = (features.pop(), features.is_empty()) else {
        return Err(ActionError::illegal("ThingModelJson has several features; right is one of them"));
    };
    let old = params.get("Identifier").map_or_else(|| id.clone(), str::to_owned);
    change(directory, &key, module.as_ref(), params, |file| {
        let place = list(file, kind).iter_mut().find(|other| other["identifier"] == *old);
        let place =
            place.ok_or_else(|| ActionError::illegal(format!("Identifier: {kind} has no {:?}", shown(&old))))?;
        *place = feature;
        Ok(())
    })
    .await
}

/// DeleteThingModel: the named features, or a custom module; without any name all custom modules and all features.
pub(super) async fn delete(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let key = target::product(params)?;
    let module = module(params)?;
    must_be_there(directory, &key, module.as_ref())?;
    let names =
        [("properties", "PropertyIdentifier"), ("services", "ServiceIdentifier"), ("events", "EventIdentifier")];
    let [properties, services, events] =
        names.map(|(kind, parameter)| Ok::<_, GatewayError>((kind, parameter, params.list(parameter)?)));
    let names = [properties?, services?, events?];
    if names.iter().all(|(_, _, names)| names.is_empty()) {
        for parameter in ["PropertyIdentifier", "ServiceIdentifier", "EventIdentifier"] {
            params.has_none(parameter, "it is blank, and without any name all of them would go")?;
        }
        return delete_all(directory, &key, module.as_ref()).await;
    }
    if let Some((_, parameter, _)) = names.iter().find(|(_, _, names)| names.len() > NAMES_MAX) {
        return Err(ActionError::illegal(format!("{parameter}.N: more than {NAMES_MAX} features are named")));
    }
    change(directory, &key, module.as_ref(), params, |file| {
        for (kind, parameter, names) in names {
            for name in names {
                let all = list(file, kind);
                let before = all.len();
                all.retain(|feature| feature["identifier"] != name);
                if all.len() == before {
                    return Err(ActionError::illegal(format!("{parameter}: {kind} has no {:?}", shown(name))));
                }
            }
        }
        Ok(())
    })
    .await
}

/// Refuses a custom module that the model does not have: only CreateThingModel makes one.
fn must_be_there(directory: &dyn Directory, key: &ProductKey, module: Option<&ModuleId>) -> Result<(), ActionError> {
    let Some(module) = module else { return Ok(()) };
    let product = model::product(directory, key)?;
    if product.model.as_ref().is_some_and(|model| model.module_json(Some(module)).is_some()) {
        return Ok(());
    }
    Err(ActionError::illegal(format!("FunctionBlockId is {module}, which the model does not have")))
}

async fn delete_all(
    directory: &dyn Directory,
    key: &ProductKey,
    module: Option<&ModuleId>,
) -> Result<Fields, ActionError> {
    model::change(directory, key, |product| emptied(product, module)).await
}

/// A product's model without this module, or without anything.
fn emptied(product: &Product, module: Option<&ModuleId>) -> Result<ThingModel, ActionError> {
    let old = product.model.as_ref().ok_or_else(|| CallError::NoModel(product.key.to_string()))?;
    let empty = model::empty(&product.key);
    let (main, others) = match module {
        None => (empty.as_str(), Vec::new()),
        Some(module) => {
            let others = old.module_texts().filter(|(id, _)| *id != module).map(|(_, text)| text);
            (old.main_text(), others.collect())
        }
    };
    ThingModel::parse(main, &others).map_err(|problems| ActionError::illegal(problems.to_string()))
}

/// Changes a module's file, and sets the model with it.
async fn change(
    directory: &dyn Directory,
    key: &ProductKey,
    module: Option<&ModuleId>,
    params: &Params<'_>,
    edit: impl FnOnce(&mut File) -> Result<(), ActionError> + Send,
) -> Result<Fields, ActionError> {
    model::change(directory, key, |product| edited(product, module, params, edit)).await
}

fn edited(
    product: &Product,
    module: Option<&ModuleId>,
    params: &Params<'_>,
    edit: impl FnOnce(&mut File) -> Result<(), ActionError>,
) -> Result<ThingModel, ActionError> {
    let old = product.model.as_ref().and_then(|model| model.module_json(module)).map(str::to_owned);
    let old = old.unwrap_or_else(|| model::empty(&product.key));
    let unread = |why| ActionError::illegal(format!("the module cannot be read: {why}; import it anew"));
    let mut file = read(&old).map_err(unread)?;
    if let Some(module) = module {
        file.rest.remove("functionBlocks");
        file.rest.insert("functionBlockId".to_owned(), module.as_str().into());
        if let Some(name) = params.get("FunctionBlockName") {
            file.rest.insert("functionBlockName".to_owned(), name.into());
        }
        if !file.rest.contains_key("functionBlockName") {
            return Err(GatewayError::Missing("FunctionBlockName").into());
        }
    }
    edit(&mut file)?;
    model::with_module(product, module, &write(file), "ThingModelJson")
}

/// The features of a kind.
fn list<'f>(file: &'f mut File, kind: &'static str) -> &'f mut Vec<Value> {
    file.features.entry(kind).or_default()
}

/// What stands in a module's file, with its features beside the rest.
fn read(text: &str) -> Result<File, serde_json::Error> {
    let mut rest: Map<String, Value> = serde_json::from_str(text)?;
    let mut features = BTreeMap::new();
    for kind in KINDS {
        let all = rest.remove(kind).map_or(Ok(Vec::new()), serde_json::from_value)?;
        features.insert(kind, all);
    }
    Ok(File { rest, features })
}

fn write(file: File) -> String {
    let File { mut rest, features } = file;
    rest.extend(features.into_iter().map(|(kind, all)| (kind.to_owned(), Value::Array(all))));
    Value::Object(rest).to_string()
}
/// The features of `ThingModelJson`: of which kind each is, what it is called, and what it is in a model's file.
fn features(params: &Params<'_>) -> Result<Vec<(&'static str, String, Value)>, ActionError> {
    let given: Value = serde_json::from_str(params.need("ThingModelJson")?)
        .map_err(|why| ActionError::illegal(format!("ThingModelJson is no JSON: {why}")))?;
    let features =
        model_json::features(&given).map_err(|why| ActionError::illegal(format!("ThingModelJson: {why}")))?;
    match features.len() {
        0 => Err(ActionError::illegal("ThingModelJson has no feature in properties, services or events")),
        many if many > FEATURES_MAX => {
            Err(ActionError::illegal(format!("ThingModelJson has {many} features; at most {FEATURES_MAX} are allowed")))
        }
        _ => Ok(features),
    }
}

fn module(params: &Params<'_>) -> Result<Option<ModuleId>, ActionError> {
    model::module(params)
}
