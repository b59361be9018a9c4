//! What each action is for and which parameters it reads, for forms and samples.
//!
//! **Invariant:** all actions stand here, each once, and no others (`each_action_has_its_sheet`). What the SDKs can send and no action reads is
//! left out. That what is said of a parameter is so, the end-to-end tests hold: they ask with what is here, and without.

mod calls;
mod common;
mod devices;
mod fleet_calls;
mod history;
mod messages;
mod models;
mod products;
mod subscriptions;

use thingcall_core::{ActionGroup, ActionSheet, Bilingual, ParamSheet};

/// All actions, group by group.
pub fn catalogue() -> impl Iterator<Item = &'static ActionSheet> {
    let first = calls::ALL.iter().chain(messages::ALL).chain(fleet_calls::ALL).chain(devices::ALL);
    first.chain(history::ALL).chain(products::ALL).chain(models::ALL).chain(subscriptions::ALL)
}

const fn sheet(name: &'static str, group: ActionGroup, about: Bilingual, params: &'static [ParamSheet]) -> ActionSheet {
    ActionSheet { name, group, about, params }
}

#[cfg(test)]
mod tests;
