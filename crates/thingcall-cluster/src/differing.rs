//! Whether all instances run the same plugins.

use std::collections::{BTreeMap, BTreeSet};

use enum_map::Enum;
use strum::IntoStaticStr;
use thingcall_core::Instance;

/// In what a plugin is not the same on all instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Unlike {
    /// Its file is another, or an instance has none.
    Sha256,
    /// The file is the same, and was loaded another number of times: an instance has another history.
    Generation,
}

/// A plugin that is not the same on all instances.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Differing {
    /// Its name.
    pub plugin: String,
    /// In what it differs; the graver of both.
    pub unlike: Unlike,
    /// What each instance has, by their names: the generation and the file's SHA-256.
    pub has: Vec<(String, Option<(u64, String)>)>,
}

/// The plugins that are not the same on all of these instances.
pub fn differing(instances: &[&Instance]) -> Vec<Differing> {
    let names: BTreeSet<&str> =
        instances.iter().flat_map(|one| &one.plugins).map(|plugin| plugin.name.as_str()).collect();
    names.into_iter().filter_map(|plugin| one(plugin, instances)).collect()
}

fn one(plugin: &str, instances: &[&Instance]) -> Option<Differing> {
    let of = |instance: &Instance| {
        let found = instance.plugins.iter().find(|one| one.name == plugin)?;
        Some((found.generation, found.sha256.clone()))
    };
    let has: Vec<_> = instances.iter().map(|instance| (instance.name.clone(), of(instance))).collect();
    let files: BTreeSet<_> = has.iter().map(|(_, has)| has.as_ref().map(|(_, sha256)| sha256)).collect();
    let generations: BTreeSet<_> = has.iter().map(|(_, has)| has.as_ref().map(|(generation, _)| generation)).collect();
    let unlike = match (files.len(), generations.len()) {
        (0 | 1, 0 | 1) => return None,
        (0 | 1, _) => Unlike::Generation,
        _ => Unlike::Sha256,
    };
    Some(Differing { plugin: plugin.to_owned(), unlike, has })
}

/// The instances among these holders, each once.
pub(crate) fn each_once<'a>(holders: impl Iterator<Item = &'a Instance>) -> Vec<&'a Instance> {
    let by_run: BTreeMap<u64, &Instance> = holders.map(|one| (one.run, one)).collect();
    by_run.into_values().collect()
}

#[cfg(test)]
mod tests;
