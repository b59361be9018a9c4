//! What a product's thing model says of the inputs of a service and of the properties that can be set.
//!
//! **Invariant:** a model is read as far as forms need it, and nothing is judged: what cannot be read is written as JSON, and the server says
//! what is wrong with it.

use serde_json::Value;

use crate::refused::Refused;
use crate::seat::Seat;
use crate::shown::{list, text};

/// So many modules are read for one page.
const MODULES_MAX: usize = 20;
/// How many structures of a list have fields; more are written as JSON.
pub(super) const ROWS: usize = 2;
/// So deep structures and lists are shown as fields.
const DEPTH_MAX: u8 = 4;

/// What can be called or set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Model {
    /// Services with their inputs.
    pub(super) services: Vec<Service>,
    /// Properties that can be set.
    pub(super) properties: Vec<Input>,
}

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Service {
    /// With its module before it, as a call names it.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) is_sync: bool,
    pub(super) inputs: Vec<Input>,
    pub(super) outputs: Vec<Input>,
}

/// A value with a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Input {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) kind: Kind,
}

/// What a value may be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    /// A whole number.
    Int(Range),
    /// A number that is written with its point.
    Decimal(Range),
    Text {
        length: String,
    },
    /// One of these numbers, each with its name.
    Named(Vec<(String, String)>),
    /// Milliseconds since 1970, as a text.
    Date,
    Struct(Vec<Input>),
    Array {
        size: String,
        of: Box<Kind>,
    },
    /// Anything else.
    Json(String),
}

/// As the model writes it; empty where it does not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Range {
    pub(super) min: String,
    pub(super) max: String,
    pub(super) unit: String,
}

impl Model {
    /// That of a product.
    ///
    /// # Errors
    /// If it is not told.
    pub(super) async fn of(seat: &Seat, product: &str) -> Result<Self, Refused> {
        let (main, modules) = tsl(seat, product, "").await?;
        let mut model = Self::default();
        model.take("", &main);
        for module in modules.iter().take(MODULES_MAX) {
            let (file, _) = tsl(seat, product, module).await?;
            model.take(module, &file);
        }
        Ok(model)
    }

    fn take(&mut self, module: &str, file: &Value) {
        let full = |id: String| if module.is_empty() { id } else { format!("{module}:{id}") };
        let own = |it: &&Value| !["set", "get"].contains(&text(it, "identifier").as_str());
        for service in list(file, &["services"]).iter().filter(own) {
            self.services.push(Service {
                id: full(text(service, "identifier")),
                name: text(service, "name"),
                is_sync: text(service, "callType") == "sync",
                inputs: inputs(list(service, &["inputData"]), 0),
                outputs: inputs(list(service, &["outputData"]), 0),
            });
        }
        let writable = list(file, &["properties"]).iter().filter(|it| text(it, "accessMode").contains('w'));
        for property in writable {
            let input = input(property, 0);
            self.properties.push(Input { id: full(input.id), ..input });
        }
    }

    /// The service that a call names so.
    pub(super) fn service(&self, id: &str) -> Option<&Service> {
        self.services.iter().find(|service| service.id == id)
    }
}

/// The file of a module, and the ids of the custom modules that the default one names.
async fn tsl(seat: &Seat, product: &str, module: &str) -> Result<(Value, Vec<String>), Refused> {
    let of_module = [("ProductKey", product), ("FunctionBlockId", module)];
    let params = if module.is_empty() { &of_module[..1] } else { &of_module[..] };
    let answer = seat.performed("GetThingModelTsl", params).await?;
    let file = answer.get("Data").map(|data| text(data, "TslStr")).unwrap_or_default();
    let file: Value = serde_json::from_str(&file).unwrap_or_default();
    if !module.is_empty() {
        return Ok((file, Vec::new()));
    }
    // What the model has is told here; what its default file names may be more or less.
    let known = seat.performed("QueryThingModel", &of_module[..1]).await?;
    let known = known.get("Data").map(|data| text(data, "ThingModelJson")).unwrap_or_default();
    let known: Value = serde_json::from_str(&known).unwrap_or_default();
    let modules = list(&known, &["functionBlocks"]).iter().map(|block| text(block, "functionBlockId")).collect();
    Ok((file, modules))
}

fn inputs(all: &[Value], depth: u8) -> Vec<Input> {
    all.iter().map(|value| input(value, depth)).collect()
}

fn input(value: &Value, depth: u8) -> Input {
    let kind = value.get("dataType").map_or_else(|| Kind::Json(String::new()), |kind| read(kind, depth));
    Input { id: text(value, "identifier"), name: text(value, "name"), kind }
}

fn read(kind: &Value, depth: u8) -> Kind {
    let word = text(kind, "type");
    let specs = kind.get("specs").unwrap_or(&Value::Null);
    let spec = |name: &str| text(specs, name);
    if depth >= DEPTH_MAX {
        return Kind::Json(word);
    }
    match word.as_str() {
        "int" | "long" => Kind::Int(Range { min: spec("min"), max: spec("max"), unit: spec("unit") }),
        "float" | "double" => Kind::Decimal(Range { min: spec("min"), max: spec("max"), unit: spec("unit") }),
        "text" => Kind::Text { length: spec("length") },
        "bool" | "enum" => {
            let named = specs.as_object().into_iter().flatten().map(|(number, _)| (number.clone(), spec(number)));
            let mut named: Vec<_> = named.collect();
            named.sort_by_key(|(number, _)| number.parse::<i64>().unwrap_or(i64::MAX));
            Kind::Named(named)
        }
        "date" => Kind::Date,
        "struct" => Kind::Struct(inputs(specs.as_array().map_or(&[], Vec::as_slice), depth + 1)),
        "array" => {
            let of = specs.get("item").map_or_else(|| Kind::Json(String::new()), |item| read(item, depth + 1));
            Kind::Array { size: spec("size"), of: Box::new(of) }
        }
        _ => Kind::Json(word),
    }
}

impl Kind {
    /// Those of a structure.
    pub(super) fn members(&self) -> Option<&[Input]> {
        if let Self::Struct(members) = self { Some(members) } else { None }
    }
}

/// How many fields a form of these has.
pub(super) fn fields(inputs: &[Input]) -> usize {
    let of = |kind: &Kind| match kind {
        Kind::Struct(members) => fields(members),
        Kind::Array { of, .. } => of.members().map_or(1, |members| ROWS * fields(members)),
        Kind::Int(_) | Kind::Decimal(_) | Kind::Text { .. } | Kind::Named(_) | Kind::Date | Kind::Json(_) => 1,
    };
    inputs.iter().map(|input| of(&input.kind)).sum()
}

#[cfg(test)]
mod tests;
