//! What instances of one store must not have in common, and what they must.

use std::collections::{BTreeMap, BTreeSet};

use thingcall_core::Instance;

/// What is wrong between these instances, each in words that say what to change; nothing where all is well. An instance of a
/// release that does not tell is left out.
pub fn at_odds(instances: &[&Instance]) -> Vec<String> {
    let mut all = Vec::new();
    let names = instances.iter().map(|one| (one.name.as_str(), one.api.as_str()));
    for (name, addresses) in several(names) {
        all.push(format!(
            "the instances at {} are both named {name}, so logs and records do not tell them apart: give each an [instance] name",
            addresses.join(" and ")
        ));
    }
    let clients =
        instances.iter().flat_map(|one| one.clients.iter().map(|client| (client.as_str(), one.name.as_str())));
    for (client, names) in several(clients) {
        all.push(format!(
            "{} connect as one, {client}: the broker closes the one's connection for the other's, and calls fail; give each \
             a client_id of its own",
            names.join(" and ")
        ));
    }
    let telling = || instances.iter().filter(|one| !one.shares.is_empty());
    if telling().map(|one| &one.shares).collect::<BTreeSet<_>>().len() > 1 {
        let each: Vec<_> = telling().map(|one| format!("{} has {}", one.name, one.shares)).collect();
        all.push(format!(
            "the instances do not share the same, so a signed request may act once at each, and a quota is not one: {}; \
             give all the same [shared] and api.calls_per_second_max",
            each.join(", ")
        ));
    }
    all
}

/// Those words that are said more than once, with what is said of each.
fn several<'a>(said: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, Vec<&'a str>)> {
    let mut by_word: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (word, of) in said {
        by_word.entry(word).or_default().push(of);
    }
    by_word.into_iter().filter(|(_, of)| of.len() > 1).collect()
}

#[cfg(test)]
mod tests;
