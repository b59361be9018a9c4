//! What devices report: the properties and events of a module, and the checks against them.

use std::collections::BTreeMap;

use strum::IntoStaticStr;
use thingcall_core::Identifier;

use crate::check::{self, Writer};
use crate::json::Json;
use crate::limits::ARGS_DEPTH_MAX;
use crate::{DataType, Field, ReplyCheck, Validation, Violation, ViolationKind};

/// The properties and events of a module.
#[derive(Debug, Default)]
pub(crate) struct Reported {
    pub(crate) properties: BTreeMap<Identifier, Property>,
    pub(crate) events: BTreeMap<Identifier, Event>,
}

/// A property of a thing model.
#[derive(Debug, Clone, PartialEq)]
pub struct Property {
    pub(crate) name: String,
    pub(crate) access: Access,
    pub(crate) unit: String,
    pub(crate) data_type: DataType,
}

/// Who sets a property (`accessMode`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// The device alone.
    Read,
    /// The cloud too.
    #[default]
    ReadWrite,
    /// The cloud, and the device does not report it.
    Write,
}

/// An event of a thing model.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    pub(crate) name: String,
    pub(crate) level: EventLevel,
    pub(crate) outputs: Vec<Field>,
}

/// How much an event matters (`type`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum EventLevel {
    /// Worth knowing.
    #[default]
    Info,
    /// Somebody should look.
    Alert,
    /// Something is broken.
    Error,
}

/// How exact a report must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReportCheck {
    /// Nothing is checked.
    Off,
    /// Names and types count, bounds and lengths do not, and what is not there is not missed: Alibaba's "weak".
    Weak,
    /// Bounds and lengths count too.
    Exact,
}

impl ReportCheck {
    /// How reports of a product's devices are checked: as its answers are, and weakly by default.
    pub const fn of(validation: Validation, replies: ReplyCheck) -> Self {
        match (validation, replies) {
            (Validation::Free, _) | (_, ReplyCheck::Off) => Self::Off,
            (Validation::Model, ReplyCheck::Warn) => Self::Weak,
            (Validation::Model, ReplyCheck::Reject) => Self::Exact,
        }
    }

    /// Whose letter a report is held to.
    const fn writer(self) -> Option<Writer> {
        match self {
            Self::Off => None,
            Self::Weak => Some(Writer::Reporter),
            Self::Exact => Some(Writer::Device),
        }
    }
}

impl Access {
    /// The word in thing models.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "r",
            Self::ReadWrite => "rw",
            Self::Write => "w",
        }
    }
}

impl EventLevel {
    /// The level of this name; `info` where there is none.
    pub(crate) fn of(name: Option<&str>) -> Self {
        match name {
            Some("alert") => Self::Alert,
            Some("error") => Self::Error,
            Some(_) | None => Self::Info,
        }
    }

    /// The word in thing models.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Property {
    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Who sets it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The unit of its values, for people; empty where the model names none.
    pub fn unit(&self) -> &str {
        &self.unit
    }

    /// What it may be.
    pub fn data_type(&self) -> &DataType {
        &self.data_type
    }

    /// Checks a value, which is JSON.
    ///
    /// # Errors
    /// The first violation found.
    pub fn check(&self, value: &str, check: ReportCheck) -> Result<(), Violation> {
        let Some(writer) = check.writer() else { return Ok(()) };
        check::value(&self.data_type, &read(value)?, writer).map_err(from_value)
    }
}

impl Event {
    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How much it matters.
    pub fn level(&self) -> EventLevel {
        self.level
    }

    /// What it brings (`outputData`).
    pub fn outputs(&self) -> &[Field] {
        &self.outputs
    }

    /// Checks what it brings, which is JSON.
    ///
    /// # Errors
    /// The first violation found.
    pub fn check(&self, value: &str, check: ReportCheck) -> Result<(), Violation> {
        let Some(writer) = check.writer() else { return Ok(()) };
        let json = read(value)?;
        let Json::Object(members) = json else {
            return Err(of_syntax(format!("is {}; the model wants an object", json.kind())));
        };
        check::fields(&self.outputs, &members, writer).map_err(from_value)
    }
}

/// The violation, with a path that begins where the value does.
fn from_value(mut violation: Violation) -> Violation {
    violation.path.insert_str(0, VALUE);
    violation
}

const VALUE: &str = "value";

fn read(value: &str) -> Result<Json<'_>, Violation> {
    Json::read(value, ARGS_DEPTH_MAX).map_err(|fault| {
        let at = format!(" at {}", fault.place(value));
        of_syntax(format!("{}; {}", fault.wrong(value, &at), fault.right(value)))
    })
}

fn of_syntax(text: String) -> Violation {
    Violation { kind: ViolationKind::Syntax, path: VALUE.to_owned(), text }
}

#[cfg(test)]
mod tests;
