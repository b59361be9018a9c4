//! A service: its parameters, its results, and the checks against them.

use thingcall_core::Identifier;

use crate::check::{self, Writer};
use crate::json::{Fault, Json, Members};
use crate::limits::ARGS_DEPTH_MAX;
use crate::sample::{self, Source};
use crate::{ArgsCheck, Field, Violation, ViolationKind, mend};

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
/// Every result must be there, and with [`ArgsCheck::Strict`] every parameter, unless it says `"required": false`.
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

    /// Checks a call's arguments: one JSON object with what the model has and nothing else. Gives the right text where
    /// the caller's had to be mended.
    ///
    /// # Errors
    /// The first violation found; faults of the text itself come before faults against the model.
    pub fn check_args(&self, args: &str, check: ArgsCheck) -> Result<Option<String>, Violation> {
        let writer = match check {
            ArgsCheck::Strict => Writer::Caller,
            ArgsCheck::Weak => Writer::BriefCaller,
        };
        match (fits(&self.inputs, args, writer), check) {
            (Ok(()), _) => Ok(None),
            (Err(violation), ArgsCheck::Strict) => Err(violation),
            (Err(_), ArgsCheck::Weak) => self.mended_args(args).map(Some),
        }
    }

    #[cold]
    fn mended_args(&self, args: &str) -> Result<String, Violation> {
        let mended = mend::args(&self.inputs, &object(args, root(Writer::BriefCaller), Json::read_loose)?);
        fits(&self.inputs, &mended, Writer::BriefCaller).map(|()| mended)
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

/// Checks that the text is one JSON object within limits, and nothing else: for verification-free products. Gives the
/// right text where the caller's had to be mended. `name` is what the text is called where it comes from.
///
/// # Errors
/// What is not right about it.
pub fn check_object(name: &str, text: &str, check: ArgsCheck) -> Result<Option<String>, Violation> {
    match (object(text, name, Json::read), check) {
        (Ok(_), _) => Ok(None),
        (Err(violation), ArgsCheck::Strict) => Err(violation),
        (Err(_), ArgsCheck::Weak) => object(text, name, Json::read_loose).map(|members| Some(mend::object(&members))),
    }
}

fn fits(fields: &[Field], text: &str, writer: Writer) -> Result<(), Violation> {
    if check::fits(fields, text, ARGS_DEPTH_MAX, writer) { Ok(()) } else { why_not(fields, text, writer) }
}

/// What is wrong with a text that does not fit. It is read into a tree for that.
#[cold]
fn why_not(fields: &[Field], text: &str, writer: Writer) -> Result<(), Violation> {
    check::fields(fields, &object(text, root(writer), Json::read)?, writer).map_err(|mut violation| {
        violation.path.insert_str(0, root(writer));
        violation
    })
}

pub(crate) type Read<'t> = fn(&'t str, usize) -> Result<Json<'t>, Box<Fault>>;

/// The one object that the text is, which is called `root` where it comes from.
pub(crate) fn object<'t>(text: &'t str, root: &str, read: Read<'t>) -> Result<Members<'t>, Violation> {
    let (path, found) = match read(text, ARGS_DEPTH_MAX) {
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
    Err(Violation { kind: ViolationKind::Syntax, path: format!("{root}{path}"), text: found })
}

/// What the outermost object is called where it comes from.
fn root(writer: Writer) -> &'static str {
    match writer {
        Writer::Caller | Writer::BriefCaller => "Args",
        Writer::Setter => "Items",
        Writer::Device | Writer::Reporter => "data",
    }
}

#[cfg(test)]
mod tests;
