//! Properties that an application sets, and the check against the model.

use std::borrow::Cow;

use crate::check::{self, Writer};
use crate::json::{Json, Members};
use crate::service::{Read, object};
use crate::words::{in_member, list, nearest};
use crate::{Access, ArgsCheck, Property, ThingModel, Violation, ViolationKind, mend};

/// What the properties are called where they come from.
const ITEMS: &str = "Items";

impl ThingModel {
    /// Checks properties that are to be set: one JSON object of names, `identifier` or `module:identifier`, and values that
    /// fit. Gives the right text where the caller's had to be mended.
    ///
    /// # Errors
    /// The first violation found; faults of the text itself come before faults against the model.
    pub fn check_properties(&self, items: &str, check: ArgsCheck) -> Result<Option<String>, Violation> {
        let writer = match check {
            ArgsCheck::Strict => Writer::Caller,
            ArgsCheck::Weak => Writer::Setter,
        };
        match (self.settable(items, Json::read, writer), check) {
            (Ok(_), _) => Ok(None),
            (Err(violation), ArgsCheck::Strict) => Err(violation),
            (Err(_), ArgsCheck::Weak) => self.mended_properties(items).map(Some),
        }
    }

    #[cold]
    fn mended_properties(&self, items: &str) -> Result<String, Violation> {
        let members = object(items, ITEMS, Json::read_loose)?;
        let mended = mend::members(&members, |name| self.property(name).map(Property::data_type));
        self.settable(&mended, Json::read, Writer::Setter)?;
        Ok(mended)
    }

    fn settable<'t>(&self, items: &'t str, read: Read<'t>, writer: Writer) -> Result<Members<'t>, Violation> {
        let members = object(items, ITEMS, read)?;
        if members.is_empty() {
            return Err(at_root(ViolationKind::Missing, "names no property; write {\"identifier\": value}".to_owned()));
        }
        for (name, value) in &members {
            let property = self.property(name).ok_or_else(|| self.unknown_property(name))?;
            let fits = match property.access() {
                Access::Read => Err(read_only(property)),
                Access::ReadWrite | Access::Write => check::value(property.data_type(), value, writer),
            };
            fits.map_err(|violation| in_items(violation, name))?;
        }
        Ok(members)
    }

    fn unknown_property(&self, name: &str) -> Violation {
        let names: Vec<String> = self.properties().map(|(name, _)| name).collect();
        let all = |first| list(names.iter().map(|name| Cow::from(name.as_str())), first);
        let text = match nearest(name, names.iter().map(String::as_str)) {
            _ if names.is_empty() => "is not in the thing model, which has no properties".to_owned(),
            Some(near) => format!("is not in the thing model; did you mean {near}? It has {}", all(Some(near))),
            None => format!("is not in the thing model, which has {}", all(None)),
        };
        in_items(Violation { kind: ViolationKind::Unknown, path: String::new(), text }, name)
    }
}

fn read_only(property: &Property) -> Violation {
    let mode = property.access().as_str();
    let text = format!("cannot be set: its accessMode is \"{mode}\", so the device alone says what it is");
    Violation { kind: ViolationKind::ReadOnly, path: String::new(), text }
}

fn in_items(mut violation: Violation, name: &str) -> Violation {
    in_member(&mut violation.path, name);
    violation.path.insert_str(0, ITEMS);
    violation
}

fn at_root(kind: ViolationKind, text: String) -> Violation {
    Violation { kind, path: ITEMS.to_owned(), text }
}

#[cfg(test)]
mod tests;
