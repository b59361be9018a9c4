//! A service: its parameters, its results, and the checks against them.

use thingcall_core::Identifier;

use crate::check::{self, Writer};
use crate::json::{Json, Members};
use crate::limits::ARGS_DEPTH_MAX;
use crate::sample::{self, Source};
use crate::{Field, Violation, ViolationKind};

/// Whether a service's caller waits for the result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallType {
    /// It does.
    Sync,
    /// It does not.
    Async,
}

impl CallType {
    /// The word in thing models.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sync => "sync",
            Self::Async => "async",
        }
    }
}

/// A service of a thing model.
///
/// Every parameter and every result must be there: Alibaba's files have no word for optional parameters, and a missing
/// one is far more often a slip than meant. One that says `"required": false` may be left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    pub(crate) id: Identifier,
    pub(crate) name: String,
    pub(crate) call_type: CallType,
    pub(crate) inputs: Vec<Field>,
    pub(crate) outputs: Vec<Field>,
}

impl Service {
    /// Its identifier within its module.
    pub fn id(&self) -> &Identifier {
        &self.id
    }

    /// Its name, for people.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its caller waits.
    pub fn call_type(&self) -> CallType {
        self.call_type
    }

    /// Its parameters (`inputData`).
    pub fn inputs(&self) -> &[Field] {
        &self.inputs
    }

    /// Its results (`outputData`).
    pub fn outputs(&self) -> &[Field] {
        &self.outputs
    }

    /// Checks a call's arguments: one JSON object that has what the model asks for and nothing else.
    ///
    /// # Errors
    /// The first violation found; faults of the text itself come before faults against the model.
    pub fn check_args(&self, args: &str) -> Result<(), Violation> {
        fits(&self.inputs, args, Writer::Caller)
    }

    /// Checks the `data` of a device's reply. A device may write 1 for 1.0 and `true` for 1.
    ///
    /// # Errors
    /// The first violation found; faults of the text itself come before faults against the model.
    pub fn check_reply(&self, data: &str) -> Result<(), Violation> {
        fits(&self.outputs, data, Writer::Device)
    }

    /// Arguments that fit, as an example.
    pub fn sample_args(&self) -> String {
        sample::object(&self.inputs, &mut Source::Example)
    }

    /// A reply that fits, for simulated devices: the same for the same seed.
    pub fn sample_output(&self, seed: u64) -> String {
        sample::object(&self.outputs, &mut Source::Random(seed))
    }
}

/// Checks that the text is one JSON object within limits, and nothing else: for verification-free products.
///
/// # Errors
/// What is not right about it.
pub fn check_object(text: &str) -> Result<(), Violation> {
    object(text, Writer::Caller).map(drop)
}

fn fits(fields: &[Field], text: &str, writer: Writer) -> Result<(), Violation> {
    check::fields(fields, &object(text, writer)?, writer).map_err(|mut violation| {
        violation.path.insert_str(0, root(writer));
        violation
    })
}

/// The one object that the text is.
fn object(text: &str, writer: Writer) -> Result<Members<'_>, Violation> {
    let (path, found) = match Json::read(text, ARGS_DEPTH_MAX) {
        Ok(Json::Object(members)) => return Ok(members),
        Err(fault) => {
            let at = format!(" at {}", fault.place(text));
            let found = format!("{}; {}", fault.wrong(text, &at), fault.right(text));
            (fault.path, found)
        }
        Ok(other) => {
            let found = other.kind();
            (String::new(), format!("is {found}; write an object such as {{\"name\": 1}}, or {{}} for nothing"))
        }
    };
    Err(Violation { kind: ViolationKind::Syntax, path: format!("{}{path}", root(writer)), text: found })
}

/// What the outermost object is called where it comes from.
fn root(writer: Writer) -> &'static str {
    match writer {
        Writer::Caller => "Args",
        Writer::Device => "data",
    }
}

#[cfg(test)]
mod tests;
