//! Reads properties, events and services, and the parameters they have.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use thingcall_core::Identifier;

use crate::json::Json;
use crate::limits::{INPUTS_MAX, OUTPUTS_MAX};
use crate::problem::Collected;
use crate::words::quoted;
use crate::{Access, CallType, Event, EventLevel, Field, Property, Service};

use super::data_type::{data_type, fields, identifier, name};
use super::node::Node;

/// Identifiers that Alibaba keeps for itself. Parameters may have them, features not.
const RESERVED: [&str; 7] = ["set", "get", "post", "property", "event", "time", "value"];

/// Reads the properties; says how many there are.
pub(super) fn properties(root: &Node<'_>, problems: &mut Collected) -> (BTreeMap<Identifier, Property>, usize) {
    let nodes = root.array("properties", problems);
    let (mut ids, mut properties) = (BTreeSet::new(), BTreeMap::new());
    for node in &nodes {
        node.known(&["identifier", "name", "accessMode", "required", "desc", "dataType", "custom", "std"], problems);
        let id = feature_id(node, &mut ids, problems);
        let access = access(node, problems);
        let what = "the property's data type";
        let data_type = node.required("dataType", what, problems).and_then(|node| data_type(&node, 0, problems));
        if let (Some(id), Some(data_type)) = (id, data_type) {
            properties.insert(id, Property { name: name(node), access, unit: unit(node), data_type });
        }
    }
    (properties, nodes.len())
}

/// The unit that the data type names.
fn unit(node: &Node<'_>) -> String {
    let unit = node.member("dataType").and_then(|node| node.member("specs")?.member("unit"));
    unit.and_then(|node| node.scalar()).unwrap_or_default().to_owned()
}

/// Who sets a property; everybody where the model does not say.
fn access(node: &Node<'_>, problems: &mut Collected) -> Access {
    let Some(mode) = node.member("accessMode") else { return Access::default() };
    let Some(text) = mode.text(problems) else { return Access::default() };
    let access = [Access::Read, Access::ReadWrite, Access::Write].into_iter().find(|access| access.as_str() == text);
    access.unwrap_or_else(|| {
        problems.add(&mode.place, format!("is {}", quoted(text)), "write \"r\" or \"rw\"");
        Access::default()
    })
}

/// Reads the events; says how many there are besides the built-in one.
pub(super) fn events(root: &Node<'_>, problems: &mut Collected) -> (BTreeMap<Identifier, Event>, usize) {
    let (mut ids, mut count, mut events) = (BTreeSet::new(), 0, BTreeMap::new());
    for node in root.array("events", problems) {
        if is_built_in(&node, &["post"]) {
            continue;
        }
        count += 1;
        node.known(
            &["identifier", "name", "desc", "type", "required", "method", "outputData", "custom", "std"],
            problems,
        );
        let id = feature_id(&node, &mut ids, problems);
        let outputs = parameters(&node, "outputData", OUTPUTS_MAX, problems);
        if let Some(id) = id {
            let level = EventLevel::of(node.member("type").and_then(|node| node.scalar()));
            events.insert(id, Event { name: name(&node), level, outputs });
        }
    }
    (events, count)
}

const SERVICE_MEMBERS: [&str; 10] =
    ["identifier", "name", "desc", "required", "callType", "method", "inputData", "outputData", "custom", "std"];

/// Reads the services; says how many there are besides the built-in ones.
pub(super) fn services(root: &Node<'_>, problems: &mut Collected) -> (BTreeMap<Identifier, Arc<Service>>, usize) {
    let (mut ids, mut count, mut services) = (BTreeSet::new(), 0, BTreeMap::new());
    for node in root.array("services", problems) {
        if is_built_in(&node, &["set", "get"]) {
            continue;
        }
        count += 1;
        node.known(&SERVICE_MEMBERS, problems);
        let id = feature_id(&node, &mut ids, problems);
        let call_type = call_type(&node, problems);
        let inputs = parameters(&node, "inputData", INPUTS_MAX, problems);
        let outputs = parameters(&node, "outputData", OUTPUTS_MAX, problems);
        if let (Some(id), Some(call_type)) = (id, call_type) {
            let service = Service { id, name: name(&node), call_type, inputs, outputs };
            services.insert(service.id.clone(), Arc::new(service));
        }
    }
    (services, count)
}

/// Whether this is one of the features that every exported file has: `set`, `get` and `post` of the properties.
fn is_built_in(node: &Node<'_>, names: &[&str]) -> bool {
    let text = |name| node.member(name).and_then(|node| node.scalar());
    let named = text("identifier").filter(|id| names.contains(id));
    let of_properties = |id: &str| text("method").is_none_or(|method| method.ends_with(&format!("property.{id}")));
    named.is_some_and(of_properties)
}

fn call_type(node: &Node<'_>, problems: &mut Collected) -> Option<CallType> {
    let right = "\"sync\" or \"async\"";
    let Some(node) = node.member("callType") else {
        if let Json::Object(_) = node.json {
            // What the platform shows for models from before it had the word.
            problems.warn(&node.place, "has no callType and is taken as async", format!("write {right}"));
        }
        return Some(CallType::Async);
    };
    let text = node.text(problems)?;
    let call_type = [CallType::Sync, CallType::Async].into_iter().find(|call_type| call_type.as_str() == text);
    if call_type.is_none() {
        problems.add(&node.place, format!("is {}", quoted(text)), format!("write {right}"));
    }
    call_type
}

/// A feature's identifier, which no feature of its kind has and which is not reserved.
fn feature_id(node: &Node<'_>, others: &mut BTreeSet<Identifier>, problems: &mut Collected) -> Option<Identifier> {
    let id = identifier(node, others, problems)?;
    if RESERVED.contains(&id.as_str()) {
        let place = format!("{}.identifier", node.place);
        problems.add(
            &place,
            format!("is {id}, which is reserved"),
            format!("use another than {}", RESERVED.join(", ")),
        );
    }
    Some(id)
}

/// The parameters or results of this name.
fn parameters(node: &Node<'_>, member: &str, max: usize, problems: &mut Collected) -> Vec<Field> {
    let mut nodes = node.array(member, problems);
    if nodes.len() > max {
        let place = format!("{}.{member}", node.place);
        problems.add(&place, format!("has {} elements", nodes.len()), format!("there may be {max}"));
    }
    nodes.truncate(max);
    fields(nodes, 0, problems)
}
