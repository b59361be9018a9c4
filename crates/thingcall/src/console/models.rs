//! Thing models that nobody has set yet, and kept versions of them: what is wrong with one, and what it would change.
//!
//! **Invariant:** a key is told of a product what its rules let it read, and sets what they let it set.

use async_trait::async_trait;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use thingcall_console::{Answer, Draft, Models};
use thingcall_core::{AccessKey, ModuleId, ProductKey, Target};
use thingcall_tsl::{Directory, DirectoryError, Edited, ModelProblem, ModelVersions, Product, Registry, ThingModel};

use super::Asks;
use crate::changes::difference;

/// How many differences are told; the others are counted.
const DIFFERENCES_MAX: usize = 200;

/// The actions whose rules count here, too.
const READ: &str = "QueryThingModel";
const SET: &str = "ImportThingModelTsl";
const REMOVE: &str = "DeleteThingModel";

#[async_trait]
impl Models for Asks {
    async fn check_model(&self, key: Arc<AccessKey>, product: &str, draft: &Draft) -> Answer {
        told(self.product(&key, &[READ, SET], product).map(|product| checked(&product, draft)))
    }

    async fn compare_model(&self, key: Arc<AccessKey>, product: &str, version: &str) -> Answer {
        let product = match self.product(&key, &[READ], product) {
            Ok(product) => product,
            Err(why) => return told(Err(why)),
        };
        told(self.version(&product, version).await.map(|model| {
            let old = product.model.as_deref();
            with_differences(json!({ "base": base(old) }), old, &model)
        }))
    }

    async fn restore_model(&self, key: Arc<AccessKey>, product: &str, version: &str, expected: &str) -> Answer {
        let restored = async {
            let product = self.product(&key, &[READ, SET], product)?;
            let model = self.version(&product, version).await?;
            let lost = |old: &ThingModel| old.module_texts().any(|(id, _)| model.module_json(Some(id)).is_none());
            if product.model.as_deref().is_some_and(lost) {
                self.product(&key, &[REMOVE], product.key.as_str())?;
            }
            self.restore(&product.key, model, expected).await
        };
        told(restored.await)
    }
}

impl Asks {
    /// A product, of which a key may do all of these.
    fn product(&self, key: &AccessKey, actions: &[&str], product: &str) -> Result<Arc<Product>, Refusal> {
        let forbidden = actions.iter().find(|action| !key.allows(action, Target::Product(product)));
        if let Some(action) = forbidden {
            let shown: String = product.chars().take(64).collect();
            let text = format!("no rule of this access key allows {action} of product {shown}");
            return Err(Refusal { code: "Forbidden.RAM", text });
        }
        let found = ProductKey::try_from(product).ok().and_then(|key| self.store.product(&key));
        found.ok_or_else(|| Refusal { code: "iot.prod.NotExist", text: "there is no such product".to_owned() })
    }

    /// A version that is kept.
    async fn version(&self, product: &Product, number: &str) -> Result<ThingModel, Refusal> {
        let found = self.store.model_of(&product.key, number).await?;
        found.ok_or_else(|| Refusal {
            code: "iot.prod.NotExist",
            text: "this version is not kept any more; the list of versions has those that are".to_owned(),
        })
    }

    /// Puts a model in force in place of the one that is expected there.
    async fn restore(&self, product: &ProductKey, model: ThingModel, expected: &str) -> Result<Value, Refusal> {
        let (mut model, mut moved) = (Some(model), false);
        let mut edit = |product: &Product| {
            if base(product.model.as_deref()) != expected {
                moved = true;
                return None;
            }
            model.take().map(Edited::Model)
        };
        self.store.edit_product(product, &mut edit).await?;
        if moved {
            let text = "somebody set another model meanwhile; look at what this one changes now, and restore it then";
            return Err(Refusal { code: "Conflict", text: text.to_owned() });
        }
        Ok(json!({}))
    }
}

/// Why something is not told or done, as the API would say it.
struct Refusal {
    code: &'static str,
    text: String,
}

impl From<DirectoryError> for Refusal {
    fn from(error: DirectoryError) -> Self {
        Self { code: "iot.system.SystemException", text: error.to_string() }
    }
}

fn told(result: Result<Value, Refusal>) -> Answer {
    match result {
        Ok(body) => Answer { status: 200, body },
        Err(Refusal { code, text }) => {
            Answer { status: 200, body: json!({ "Success": false, "Code": code, "ErrorMessage": text }) }
        }
    }
}

/// What is wrong with a module's file, or what it changes.
fn checked(product: &Product, draft: &Draft) -> Value {
    let old = product.model.as_deref();
    let id = module_of(draft);
    let others =
        old.into_iter().flat_map(ThingModel::module_texts).filter(|(other, _)| Some(other.as_str()) != id.as_deref());
    let mut modules: Vec<&str> = others.map(|(_, text)| text).collect();
    let empty = empty(&product.key);
    let main = match (&id, old) {
        (None, _) => draft.text.as_str(),
        (Some(_), Some(old)) => old.main_text(),
        (Some(_), None) => &empty,
    };
    if id.is_some() {
        modules.push(&draft.text);
    }
    let members = json!({
        "module": id.as_deref().unwrap_or_default(),
        "moduleName": module_name(&draft.text),
        "isNew": id.as_deref().is_some_and(|id| !has_module(old, id)),
        "base": base(old),
    });
    let nth = format!("module file {}: ", modules.len());
    let place = |problem: &ModelProblem| placed(problem, id.as_deref(), &nth);
    match ThingModel::parse_and_warn(main, &modules) {
        Err(problems) => {
            let all: Vec<_> = problems.iter().map(place).collect();
            with(members, json!({ "problems": all, "more": problems.more() }))
        }
        Ok((model, warnings)) => {
            let warnings: Vec<_> = warnings.iter().map(place).collect();
            with_differences(with(members, json!({ "warnings": warnings })), old, &model)
        }
    }
}

/// A problem, with its place in the file, or with all that is said of its place where it is elsewhere.
fn placed(ModelProblem { place, problem, right }: &ModelProblem, id: Option<&str>, nth: &str) -> Value {
    let own = match id {
        None => Some(place.as_str()).filter(|place| !place.starts_with("module ")),
        Some(id) => place.strip_prefix(nth).or_else(|| place.strip_prefix(&format!("module {id}: "))),
    };
    json!({ "place": own.unwrap_or(place), "own": own.is_some(), "problem": problem, "right": right })
}

/// The custom module whose file a text is: the text says it; if it cannot be read, the page that it was written on.
fn module_of(draft: &Draft) -> Option<String> {
    match serde_json::from_str::<Value>(draft.text.trim_start_matches('\u{feff}')) {
        Ok(file) => file.get("functionBlockId")?.as_str().map(str::to_owned),
        Err(_) => Some(draft.module.clone()).filter(|id| !id.is_empty()),
    }
}

fn module_name(text: &str) -> String {
    let file: Value = serde_json::from_str(text.trim_start_matches('\u{feff}')).unwrap_or_default();
    file.get("functionBlockName").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn has_module(model: Option<&ThingModel>, id: &str) -> bool {
    ModuleId::try_from(id).is_ok_and(|id| model.is_some_and(|model| model.module_json(Some(&id)).is_some()))
}

/// A default module with nothing in it, for a product whose first module is a custom one.
fn empty(product: &ProductKey) -> String {
    let profile = json!({ "version": "1.5", "productKey": product.as_str() });
    json!({ "profile": profile, "properties": [], "events": [], "services": [] }).to_string()
}

fn with_differences(members: Value, old: Option<&ThingModel>, new: &ThingModel) -> Value {
    let found = difference::between(old, new);
    let breaking = found.iter().filter(|found| found.breaks.is_some()).count();
    let told: Vec<_> = found.iter().take(DIFFERENCES_MAX).map(|found| json!(found)).collect();
    with(members, json!({ "differences": told, "total": found.len(), "breaking": breaking }))
}

fn with(mut members: Value, more: Value) -> Value {
    if let (Some(members), Value::Object(more)) = (members.as_object_mut(), more) {
        members.extend(more);
    }
    members
}

/// What tells one model from another.
fn base(model: Option<&ThingModel>) -> String {
    let Some(model) = model else { return "none".to_owned() };
    let mut hash = Sha256::new();
    for text in std::iter::once(model.main_text()).chain(model.module_texts().map(|(_, text)| text)) {
        hash.update(text.len().to_le_bytes());
        hash.update(text);
    }
    hex::encode(hash.finalize())
}
