//! `thingcall instances`: the servers that share a store, and whether they run the same plugins.

use std::time::Duration;

use anyhow::Context;
use hyper::Method;
use serde_json::Value;
use thingcall_cluster::{at_odds, differing};
use thingcall_core::PeerText;

use crate::fellows::{Row, as_json, in_words, rows};
use crate::output::{self, Output, moment};
use crate::running::{Running, ask};
use crate::tool::Place;

const ANSWER_TIMEOUT: Duration = Duration::from_secs(3);

/// Which store.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "On PostgreSQL these are the instances that hold a lease there now; on a store of its own, the one \
    server that runs on it. Plugins that are not the same on all, and what else is wrong between them (equal names or \
    client ids, unlike [shared]) are told in words, and in the metrics thingcall_plugins_differing and \
    thingcall_instances_at_odds. Exit status: 0 if it could be told, else 1."
)]
pub(crate) struct Args {
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall instances`.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { running, output, place } = args;
    let store = place.open_existing().await?;
    let (rows, orphans) = match store.leases()? {
        Some(leases) => {
            let slots = leases.all().await;
            store.close().await;
            rows(slots?)
        }
        None => {
            store.close().await;
            (vec![alone(&running, &place).await?], Vec::new())
        }
    };
    let instances: Vec<_> = rows.iter().map(|row| &row.instance).collect();
    let differing = differing(&instances);
    if rows.is_empty() && !output.json {
        output::note("no instance lives in this store");
    } else {
        output::list(output, &rows, |row| as_json(row, &differing), HEADING, row);
    }
    for one in differing.iter().filter(|_| !output.json) {
        output::note(PeerText::at_most(&in_words(one), usize::MAX));
    }
    for one in at_odds(&instances).iter().filter(|_| !output.json) {
        output::note(format_args!("warning: {}", PeerText::at_most(one, usize::MAX)));
    }
    for slot in orphans {
        output::note(format_args!(
            "slot {slot}: nobody holds it, and calls or results in it wait; an instance that lives takes it over within seconds"
        ));
    }
    Ok(())
}

/// The server of a store that one has alone.
async fn alone(running: &Running, place: &Place) -> anyhow::Result<Row> {
    let (_, mut told) = ask(running.address(place)?, Method::GET, "/instance", ANSWER_TIMEOUT).await?;
    let slot = told.get("slot").and_then(Value::as_u64).and_then(|slot| u8::try_from(slot).ok());
    let instance = told.get_mut("instance").map(Value::take).unwrap_or_default();
    let instance =
        serde_json::from_value(instance).context("the server tells of itself in words that are not known here")?;
    Ok(Row { instance, slot, taken_over: Vec::new(), left: None })
}

const HEADING: &[&str] = &["INSTANCE", "SLOT", "ADDRESS", "OPERATOR", "VERSION", "SINCE", "CALLS", "LEASE"];

fn row(row: &Row) -> Vec<String> {
    let Row { instance, slot, taken_over, left } = row;
    let slots = slot.iter().map(u8::to_string).chain(taken_over.iter().map(|slot| format!("+{slot}")));
    let slots: Vec<_> = slots.collect();
    vec![
        instance.name.clone(),
        if slots.is_empty() { "-".to_owned() } else { slots.join(" ") },
        instance.api.clone(),
        instance.operator.clone(),
        instance.version.clone(),
        moment(instance.since).to_string(),
        instance.calls.to_string(),
        left.map_or_else(|| "-".to_owned(), |left| format!("{:.1} s", left.as_secs_f64())),
    ]
}

#[cfg(test)]
mod tests;
