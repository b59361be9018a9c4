//! Reads the files of a thing model (`TSL`): one of the default module, one of each custom module.
//!
//! What is not known is skipped with a warning: exports of several years have members of their own. What is known must be
//! right. What is missing, `null` or, for a bound, an empty text is taken as not said. A file that is no thing model, or
//! one in another notation, is refused with what it seems to be.
//!
//! **Invariant:** every problem is collected, and reading goes on after it as well as it can; what comes out counts
//! only if there was none.

use std::collections::BTreeMap;
use std::sync::Arc;

use thingcall_core::{Identifier, ModuleId};

use crate::Service;
use crate::json::{FaultKind, Json};
use crate::limits::{FEATURES_MAX, MODEL_FILE_BYTES_MAX, MODEL_FILE_DEPTH_MAX, MODULES_MAX};
use crate::problem::Collected;
use crate::reported::Reported;

mod data_type;
mod feature;
mod node;
mod shape;

use node::Node;

/// What a file says.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// `functionBlockId`: a custom module's id.
    pub(crate) module: Option<ModuleId>,
    /// `profile.version`.
    pub(crate) version: Option<String>,
    /// `functionBlocks`: the custom modules that the default module's file names.
    pub(crate) named: Vec<ModuleId>,
    /// The services that can be called.
    pub(crate) services: BTreeMap<Identifier, Arc<Service>>,
    /// What devices report.
    pub(crate) reported: Reported,
}

/// Reads the default module's file.
pub(crate) fn main_file(text: &str, problems: &mut Collected) -> File {
    let Some(json) = json(text, problems) else { return File::default() };
    let root = Node::root(&json);
    if !shape::is_model(&root, problems) {
        return File::default();
    }
    if let Some(id) = root.member("functionBlockId") {
        problems.add(&id.place, "makes this the file of a custom module", "give the default module's file first");
    }
    File { module: None, named: named(&root, problems), ..file(&root, problems) }
}

/// Reads a custom module's file, the `nth` one given, from 1 on.
pub(crate) fn module_file(text: &str, nth: usize, problems: &mut Collected) -> File {
    problems.in_file(format!("module file {nth}: "));
    let Some(json) = json(text, problems) else { return File::default() };
    let root = Node::root(&json);
    if !shape::is_model(&root, problems) {
        return File::default();
    }
    let Some(id) = root.member("functionBlockId") else {
        let right = "write the module's id, or give the default module's file first and once";
        problems.add("$", "has no functionBlockId", right);
        return File::default();
    };
    let module = module_id(&id, problems);
    if let Some(module) = &module {
        problems.in_file(format!("module {module}: "));
    }
    File { module, ..file(&root, problems) }
}

fn json<'t>(text: &'t str, problems: &mut Collected) -> Option<Json<'t>> {
    if text.len() > MODEL_FILE_BYTES_MAX {
        let right = format!("a file may have {MODEL_FILE_BYTES_MAX}");
        problems.add("$", format!("has {} bytes", text.len()), right);
        return None;
    }
    // Editors on Windows put a byte order mark before the text.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match Json::read(text, MODEL_FILE_DEPTH_MAX) {
        Ok(json @ Json::Object(_)) => Some(json),
        Ok(other) => {
            problems.add("$", format!("is {}", other.kind()), "a thing model's file is one JSON object");
            None
        }
        Err(fault) if matches!(fault.kind, FaultKind::Twice { .. }) => {
            problems.add(&format!("${}", fault.path), fault.wrong(text, ""), fault.right(text));
            None
        }
        Err(fault) => {
            let right = match fault.kind == FaultKind::Empty {
                true => "write a thing model's file, which is one JSON object".to_owned(),
                false => fault.right(text),
            };
            problems.add(&fault.place(text), format!("the file {}", fault.wrong(text, "")), right);
            None
        }
    }
}

/// What both kinds of files have.
fn file(root: &Node<'_>, problems: &mut Collected) -> File {
    root.known(&ROOT_MEMBERS, problems);
    let version = root.member("profile").and_then(|profile| profile.member("version")?.scalar());
    let (properties, property_count) = feature::properties(root, problems);
    let (events, event_count) = feature::events(root, problems);
    let (services, service_count) = feature::services(root, problems);
    let count = property_count + event_count + service_count;
    if count > FEATURES_MAX {
        let right = format!("a module may have {FEATURES_MAX}; move some to another module");
        problems.add("$", format!("has {count} properties, events and services"), right);
    }
    let reported = Reported { properties, events };
    File { version: version.map(str::to_owned), services, reported, ..File::default() }
}

const ROOT_MEMBERS: [&str; 13] = [
    "schema",
    "profile",
    "properties",
    "events",
    "services",
    "functionBlocks",
    "functionBlockId",
    "functionBlockName",
    "productKey",
    "description",
    "desc",
    "link",
    "version",
];

fn named(root: &Node<'_>, problems: &mut Collected) -> Vec<ModuleId> {
    let mut named = Vec::new();
    let mut blocks = root.array("functionBlocks", problems);
    if blocks.len() > MODULES_MAX {
        let right = format!("a model may have {MODULES_MAX}");
        problems.add("$.functionBlocks", format!("names {} modules", blocks.len()), right);
    }
    blocks.truncate(MODULES_MAX);
    for block in blocks {
        let Some(id) = block.required("functionBlockId", "the id of a module", problems) else { continue };
        let Some(module) = module_id(&id, problems) else { continue };
        if named.contains(&module) {
            problems.add(&id.place, format!("names module {module} again"), "name each module once");
        } else {
            named.push(module);
        }
    }
    named
}

fn module_id(id: &Node<'_>, problems: &mut Collected) -> Option<ModuleId> {
    match ModuleId::try_from(id.text(problems)?) {
        Ok(module) => Some(module),
        Err(wrong) => {
            problems.add(&id.place, format!("is {:?}", wrong.text), format!("a {} is {}", wrong.what, wrong.rule));
            None
        }
    }
}

#[cfg(test)]
mod tests;
