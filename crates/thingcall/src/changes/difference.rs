//! What differs between two thing models, field by field, and whom that breaks.
//!
//! **Invariant:** what is told to break nobody lets every call, answer and report through that was right before.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;
use serde_json::Value;
use thingcall_tsl::{Access, Bounds, DataType, Event, Field, Property, Service, ThingModel};

use super::parts;

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Difference {
    /// What it belongs to, in words: `service testFb:testService`.
    pub(crate) part: String,
    /// The field, from the part on: `input level`, `output window[].from`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) field: Option<String>,
    /// What of it differs.
    pub(crate) aspect: Aspect,
    /// What it was; nothing if it is new.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// What it is; nothing if it is gone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<String>,
    /// Whom it breaks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) breaks: Option<Breaks>,
}

/// What of a part or a field differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Aspect {
    /// It is new.
    Added,
    /// It is gone.
    Removed,
    /// What its values may be.
    Type,
    /// Whether it must be there.
    Required,
    /// Whether a service's caller waits.
    Mode,
    /// Who sets a property.
    Access,
    /// How much an event matters.
    Level,
    /// What its values are counted in.
    Unit,
    /// Names, descriptions and the like.
    Words,
}

/// Whom a difference breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Breaks {
    /// Callers: calls as before are refused, or have no result.
    Calls,
    /// Callers where arguments are checked strictly.
    StrictCalls,
    /// Those who read answers and reports: what they read is not there any more, or is something else.
    Readers,
    /// Devices: answers and reports as before do not fit.
    Devices,
}

/// Which way a field's values go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    ToDevice,
    FromDevice,
}

/// What differs from the old model to the new one; everything is new where there is no old one.
pub(crate) fn between(old: Option<&ThingModel>, new: &ThingModel) -> Vec<Difference> {
    let mut found = Found::default();
    let (old_parts, new_parts) = (old.map(parts).unwrap_or_default(), parts(new));
    for name in old_parts.keys().filter(|name| !new_parts.contains_key(*name)) {
        found.tell(name, None, Aspect::Removed, Some(removed(name, old)));
    }
    for name in new_parts.keys().filter(|name| !old_parts.contains_key(*name)) {
        found.tell(name, None, Aspect::Added, None);
    }
    let Some(old) = old else { return found.0 };
    let differs = |(name, new): &(&String, &Value)| old_parts.get(*name).is_some_and(|old| old != *new);
    for (name, _) in new_parts.iter().filter(differs) {
        let before = found.0.len();
        match name.split_once(' ') {
            Some(("service", id)) => found.services(name, service(old, id), service(new, id)),
            Some(("property", id)) => found.properties(name, old.property(id), new.property(id)),
            Some(("event", id)) => found.events(name, old.event(id), new.event(id)),
            _ => {}
        }
        if found.0.len() == before {
            found.tell(name, None, Aspect::Words, None);
        }
    }
    found.0
}

/// Whom it breaks that a part is gone.
fn removed(name: &str, old: Option<&ThingModel>) -> Breaks {
    match name.split_once(' ') {
        Some(("event", _)) => Breaks::Readers,
        Some(("property", id)) => match old.and_then(|old| old.property(id)).map(Property::access) {
            Some(Access::Read) => Breaks::Readers,
            Some(Access::ReadWrite | Access::Write) | None => Breaks::Calls,
        },
        _ => Breaks::Calls,
    }
}

fn service<'m>(model: &'m ThingModel, id: &str) -> Option<&'m Service> {
    model.service(&id.try_into().ok()?).ok()
}

#[derive(Default)]
struct Found(Vec<Difference>);

impl Found {
    fn tell(&mut self, part: &str, field: Option<&str>, aspect: Aspect, breaks: Option<Breaks>) {
        self.0.push(Difference {
            part: part.to_owned(),
            field: field.map(str::to_owned),
            aspect,
            from: None,
            to: None,
            breaks,
        });
    }

    fn turned(&mut self, part: &str, (from, to): (&str, &str), aspect: Aspect, breaks: Option<Breaks>) {
        self.tell(part, None, aspect, breaks);
        self.values(from, to);
    }

    /// Says what the last one was, and is.
    fn values(&mut self, from: &str, to: &str) {
        if let Some(last) = self.0.last_mut() {
            (last.from, last.to) = (Some(from.to_owned()), Some(to.to_owned()));
        }
    }

    fn services(&mut self, part: &str, old: Option<&Service>, new: Option<&Service>) {
        let (Some(old), Some(new)) = (old, new) else { return };
        if old.call_type() != new.call_type() {
            let words = (old.call_type().as_str(), new.call_type().as_str());
            self.turned(part, words, Aspect::Mode, Some(Breaks::Calls));
        }
        self.fields((part, "input ", Way::ToDevice), old.inputs(), new.inputs());
        self.fields((part, "output ", Way::FromDevice), old.outputs(), new.outputs());
    }

    fn properties(&mut self, part: &str, old: Option<&Property>, new: Option<&Property>) {
        let (Some(old), Some(new)) = (old, new) else { return };
        if old.access() != new.access() {
            let (was_set, is_set) = (old.access() != Access::Read, new.access() != Access::Read);
            let (was_read, is_read) = (old.access() != Access::Write, new.access() != Access::Write);
            let breaks = (was_read && !is_read).then_some(Breaks::Readers);
            let breaks = (was_set && !is_set).then_some(Breaks::Calls).or(breaks);
            self.turned(part, (old.access().as_str(), new.access().as_str()), Aspect::Access, breaks);
        }
        if old.unit() != new.unit() {
            self.turned(part, (old.unit(), new.unit()), Aspect::Unit, Some(Breaks::Readers));
        }
        let way = if old.access() == Access::Read { Way::FromDevice } else { Way::ToDevice };
        self.types((part, "", way), (old.data_type(), new.data_type()));
    }

    fn events(&mut self, part: &str, old: Option<&Event>, new: Option<&Event>) {
        let (Some(old), Some(new)) = (old, new) else { return };
        if old.level() != new.level() {
            self.turned(part, (old.level().as_str(), new.level().as_str()), Aspect::Level, None);
        }
        self.fields((part, "output ", Way::FromDevice), old.outputs(), new.outputs());
    }

    fn fields(&mut self, (part, before, way): (&str, &str, Way), old: &[Field], new: &[Field]) {
        let by_id = |fields: &[Field]| fields.iter().map(|field| (field.id().to_string(), field.clone())).collect();
        let (old, new): (BTreeMap<_, _>, BTreeMap<_, _>) = (by_id(old), by_id(new));
        for (id, _) in old.iter().filter(|(id, _)| !new.contains_key(*id)) {
            let breaks = match way {
                Way::ToDevice => Breaks::Calls,
                Way::FromDevice => Breaks::Readers,
            };
            self.tell(part, Some(&format!("{before}{id}")), Aspect::Removed, Some(breaks));
        }
        for (id, field) in &new {
            let name = format!("{before}{id}");
            let Some(old) = old.get(id) else {
                self.tell(part, Some(&name), Aspect::Added, field.required().then_some(wanted(way)));
                continue;
            };
            if old.required() != field.required() {
                let breaks = match (field.required(), way) {
                    (true, _) => Some(wanted(way)),
                    (false, Way::FromDevice) => Some(Breaks::Readers),
                    (false, Way::ToDevice) => None,
                };
                self.tell(part, Some(&name), Aspect::Required, breaks);
                self.values(&old.required().to_string(), &field.required().to_string());
            }
            self.types((part, &name, way), (old.data_type(), field.data_type()));
        }
    }

    fn types(&mut self, (part, name, way): (&str, &str, Way), (old, new): (&DataType, &DataType)) {
        match (old, new) {
            (DataType::Struct(old), DataType::Struct(new)) if !old.is_empty() && !new.is_empty() => {
                let before = if name.is_empty() { String::new() } else { format!("{name}.") };
                self.fields((part, &before, way), old, new);
            }
            (
                DataType::Array { items_max: old_max, item: old_item },
                DataType::Array { items_max: new_max, item: new_item },
            ) if old_max == new_max => self.types((part, &format!("{name}[]"), way), (old_item, new_item)),
            (old, new) if old != new => {
                let breaks = match way {
                    Way::ToDevice => (!takes(new, old)).then_some(Breaks::Calls),
                    Way::FromDevice if old.word() != new.word() => Some(Breaks::Readers),
                    Way::FromDevice => (!takes(new, old)).then_some(Breaks::Devices),
                };
                self.tell(part, Some(name).filter(|name| !name.is_empty()), Aspect::Type, breaks);
                self.values(&old.to_string(), &new.to_string());
            }
            _ => {}
        }
    }
}

/// Whom it breaks that a field must be there from now on.
fn wanted(way: Way) -> Breaks {
    match way {
        Way::ToDevice => Breaks::StrictCalls,
        Way::FromDevice => Breaks::Devices,
    }
}

/// Whether every value of the old type is one of the new type.
fn takes(new: &DataType, old: &DataType) -> bool {
    let within = |new: &Bounds, old: &Bounds| new.min <= old.min && new.max >= old.max;
    match (new, old) {
        (DataType::Any, _) => true,
        (DataType::Int { min, max }, DataType::Int { min: old_min, max: old_max }) => min <= old_min && max >= old_max,
        (DataType::Float(new), DataType::Float(old))
        | (DataType::Double(new), DataType::Double(old) | DataType::Float(old)) => within(new, old),
        (DataType::Text { bytes_max }, DataType::Text { bytes_max: old }) => bytes_max >= old,
        (DataType::Date, DataType::Date) | (DataType::Bool { .. }, DataType::Bool { .. }) => true,
        (DataType::Enum(new), DataType::Enum(old)) => {
            let known = |key: &i32| new.iter().any(|(other, _)| other == key);
            new.is_empty() || (!old.is_empty() && old.iter().all(|(key, _)| known(key)))
        }
        (DataType::Array { items_max, item }, DataType::Array { items_max: old_max, item: old_item }) => {
            items_max >= old_max && takes(item, old_item)
        }
        (DataType::Struct(new), DataType::Struct(old)) => {
            let place = |old: &Field| new.iter().find(|new| new.id() == old.id());
            let known = |old: &Field| place(old).is_some_and(|new| takes(new.data_type(), old.data_type()));
            let there = |new: &Field| !new.required() || old.iter().any(|old| old.id() == new.id() && old.required());
            new.is_empty() || (!old.is_empty() && old.iter().all(known) && new.iter().all(there))
        }
        _ => false,
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { part, field, aspect, from, to, .. } = self;
        f.write_str(part)?;
        if let Some(field) = field {
            write!(f, " {field}")?;
        }
        match aspect {
            Aspect::Added => f.write_str(" is new"),
            Aspect::Removed => f.write_str(" is gone"),
            Aspect::Words => f.write_str(" has other words"),
            Aspect::Type | Aspect::Required | Aspect::Mode | Aspect::Access | Aspect::Level | Aspect::Unit => {
                let shown = |value: &Option<String>| value.clone().unwrap_or_default();
                write!(f, " was {}, is {}", shown(from), shown(to))
            }
        }
    }
}

#[cfg(test)]
mod tests;
