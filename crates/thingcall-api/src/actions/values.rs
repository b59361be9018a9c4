//! What devices reported: QueryDevicePropertyStatus.
//!
//! **Invariant:** a value is told as the device wrote it, a text without its quotes.

use std::collections::HashMap;

use thingcall_core::{ErrorCode, LastValue, ModuleId, Outcome};
use thingcall_tsl::{Directory, ThingModel};

use super::target;
use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::params::Params;

/// QueryDevicePropertyStatus: the properties of a module with their last values. One that was never reported has neither
/// value nor time.
pub(super) async fn status(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let module = module(params)?;
    let device = target::record(directory, params).await?.device;
    let last = directory.last_values(&device.key).await?;
    let model = directory.product(&device.key.product).and_then(|product| product.model.clone());
    let all = match &model {
        Some(model) => of_model(model, module.as_ref(), &last)?,
        None => of_no_model(module.as_ref(), &last),
    };
    let list = Node::Object(vec![("PropertyStatusInfo", Node::List(all))]);
    Ok(vec![("Data", Node::Object(vec![("List", list)]))])
}

fn of_model(model: &ThingModel, module: Option<&ModuleId>, last: &[LastValue]) -> Result<Vec<Node>, ActionError> {
    let by_name: HashMap<&str, &LastValue> = last.iter().map(|value| (value.property.as_str(), value)).collect();
    let properties = model.properties_of(module).ok_or_else(|| {
        let module = module.map_or("", ModuleId::as_str);
        let text = format!("the thing model has no module {module}; without FunctionBlockId it is the default one");
        ActionError::service(ErrorCode::QueryDeviceAttrStatusFailed, Outcome::UnknownTarget, text)
    })?;
    Ok(properties
        .map(|(id, property)| {
            let full = module.map_or_else(|| id.to_string(), |module| format!("{module}:{id}"));
            let mut fields = vec![
                ("Identifier", text(id.as_str())),
                ("Name", text(property.name())),
                ("DataType", text(property.data_type().word())),
                ("Unit", text(property.unit())),
            ];
            fields.extend(by_name.get(full.as_str()).copied().into_iter().flat_map(said));
            Node::Object(fields)
        })
        .collect())
}

/// Of a product without a model nothing is known but what was reported.
fn of_no_model(module: Option<&ModuleId>, last: &[LastValue]) -> Vec<Node> {
    let of_module = last.iter().filter_map(|value| {
        let name = value.property.as_str();
        let (of, id) = name.split_once(':').map_or((None, name), |(of, id)| (Some(of), id));
        (of == module.map(ModuleId::as_str)).then(|| {
            let mut fields =
                vec![("Identifier", text(id)), ("Name", text("")), ("DataType", text("")), ("Unit", text(""))];
            fields.extend(said(value));
            Node::Object(fields)
        })
    });
    of_module.collect()
}

fn said(value: &LastValue) -> [(&'static str, Node); 2] {
    [("Value", text(plain(&value.value))), ("Time", text(value.at.0.to_string()))]
}

/// A value of JSON, a text without its quotes.
pub(super) fn plain(json: &str) -> String {
    let quoted = json.starts_with('"').then(|| serde_json::from_str(json).ok()).flatten();
    quoted.unwrap_or_else(|| json.to_owned())
}

fn module(params: &Params<'_>) -> Result<Option<ModuleId>, ActionError> {
    let id = params.get("FunctionBlockId").map(ModuleId::try_from).transpose();
    id.map_err(|why| ActionError::illegal(format!("FunctionBlockId: {why}")))
}
