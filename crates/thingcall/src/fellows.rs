//! The instances that share a store, as `thingcall instances`, operators and the console are told of them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};
use thingcall_cluster::{Differing, Unlike, at_odds, differing};
use thingcall_core::{Instance, SlotState};
use thingcall_store::Store;

use crate::output::moment;

/// An instance and what it holds.
#[derive(Debug)]
pub(crate) struct Row {
    /// What it says of itself.
    pub(crate) instance: Instance,
    /// Of its new calls.
    pub(crate) slot: Option<u8>,
    /// Of others, whose calls it brings to their end.
    pub(crate) taken_over: Vec<u8>,
    /// Of the lease; none on a store of its own.
    pub(crate) left: Option<Duration>,
}

/// The instances that share a store, and what is wrong between them; `None` where one has it alone.
///
/// # Errors
/// If the store cannot be asked.
pub(crate) async fn sharing(store: &Store) -> anyhow::Result<Option<Value>> {
    let Some(leases) = store.leases()? else { return Ok(None) };
    let (rows, orphans) = rows(leases.all().await?);
    let instances: Vec<_> = rows.iter().map(|row| &row.instance).collect();
    let differing = differing(&instances);
    let words = differing.iter().map(in_words);
    let words: Vec<_> = words.chain(at_odds(&instances).iter().map(ToString::to_string)).collect();
    let told: Vec<_> = rows.iter().map(|row| as_json(row, &differing)).collect();
    Ok(Some(json!({ "instances": told, "problems": words, "slotsOfNobody": orphans })))
}

/// The instances, and slots with work that nobody holds.
pub(crate) fn rows(slots: Vec<SlotState>) -> (Vec<Row>, Vec<u8>) {
    let mut rows: BTreeMap<u64, Row> = BTreeMap::new();
    let mut orphans = Vec::new();
    for SlotState { slot, holder, taken_over, left, .. } in slots {
        let Some(instance) = holder else {
            orphans.push(slot);
            continue;
        };
        let row = rows.entry(instance.run);
        let row = row.or_insert_with(|| Row { instance, slot: None, taken_over: Vec::new(), left: Some(left) });
        if taken_over { row.taken_over.push(slot) } else { (row.slot, row.left) = (Some(slot), Some(left)) }
    }
    let mut rows: Vec<_> = rows.into_values().collect();
    rows.sort_by_key(|row| row.slot);
    (rows, orphans)
}

/// As JSON, with what differs of its plugins.
pub(crate) fn as_json(row: &Row, differing: &[Differing]) -> Value {
    let Row { instance, slot, taken_over, left } = row;
    let plugins = instance.plugins.iter().map(|plugin| {
        let unlike = differing.iter().find(|one| one.plugin == plugin.name).map(|one| <&str>::from(one.unlike));
        json!({
            "name": plugin.name, "generation": plugin.generation, "sha256": plugin.sha256, "differsIn": unlike,
        })
    });
    json!({
        "name": instance.name,
        "slot": slot,
        "slotsTakenOver": taken_over,
        "api": instance.api,
        "operator": instance.operator,
        "version": instance.version,
        "since": moment(instance.since),
        "calls": instance.calls,
        "leaseSeconds": left.map(|left| left.as_secs_f64()),
        "embeddedBroker": instance.embedded,
        "plugins": plugins.collect::<Vec<_>>(),
    })
}

/// What differs, in words.
pub(crate) fn in_words(one: &Differing) -> String {
    let Differing { plugin, unlike, has } = one;
    let each = has.iter().map(|(name, has)| match (has, unlike) {
        (None, _) => format!("{name} has none"),
        (Some((_, sha256)), Unlike::Sha256) => format!("{name} has {}", sha256.get(..12).unwrap_or(sha256)),
        (Some((generation, _)), Unlike::Generation) => format!("{name} loaded it {generation} times"),
    });
    let each = each.collect::<Vec<_>>().join(", ");
    match unlike {
        Unlike::Sha256 => format!("warning: plugin {plugin} is not the same file on all instances: {each}"),
        Unlike::Generation => {
            format!("plugin {plugin} is the same file on all instances, with another history: {each}")
        }
    }
}
