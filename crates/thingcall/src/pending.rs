//! `thingcall pending` and `thingcall cancel`: calls that have not ended, and the end of one of them.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use hyper::{Method, StatusCode};
use serde_json::Value;
use thingcall_core::CallId;

use crate::output::{self, Output};
use crate::running::{Operator, Running, ask_at};
use crate::tool::Place;

/// The store is asked, too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// How many of them.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall pending\n  thingcall pending --oldest 100 --json\n\nCalls that wait for their device or for their turn at it, or that a plugin has \
    in hand, of every instance that can be reached, and asynchronous ones of the store that have not ended. `thingcall cancel ID` \
    ends one."
)]
pub(crate) struct Args {
    /// So many of the oldest
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    oldest: u32,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Which one.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  thingcall cancel 100686\n\nIts caller is told that an operator ended the call, and whether the device may have \
    executed it. What the device answers later is late, and is told by `thingcall explain`. One that waits for its turn never reaches \
    its device. An asynchronous command that waits for its device is withdrawn.\n\nExit \
    status: 0 if the call was ended so, else 1."
)]
pub(crate) struct Cancel {
    /// The call's MessageId, as `thingcall pending` lists it
    id: CallId,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

const HEADING: [&str; 7] = ["ID", "DEVICE", "SERVICE", "MODE", "AGE", "WAITS FOR", "REQUEST"];

/// Runs `thingcall pending`.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { oldest, running, output, place } = args;
    let mut all: Vec<Value> = Vec::new();
    let path = format!("/pending?oldest={oldest}");
    for address in addresses(running, &place, None).await? {
        match asked(&address, Method::GET, &path).await {
            Ok((_, body)) => {
                let new = body.as_array().cloned().unwrap_or_default();
                // All instances tell the store's.
                let known = |call: &Value| all.iter().any(|other| other.get("messageId") == call.get("messageId"));
                let new: Vec<_> = new.into_iter().filter(|call| !known(call)).collect();
                all.extend(new);
            }
            Err(error) => output::note(format_args!("an instance is left out: {error:#}")),
        }
    }
    let age = |call: &Value| call.get("ageMs").and_then(Value::as_u64).unwrap_or_default();
    all.sort_by_key(|call| std::cmp::Reverse(age(call)));
    all.truncate(oldest as usize);
    output::list(output, &all, Clone::clone, &HEADING, row);
    Ok(())
}

fn row(call: &Value) -> Vec<String> {
    let text = |name: &str| call.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let age = call.get("ageMs").and_then(Value::as_u64).unwrap_or_default();
    let by = [text("transport"), text("plugin")].into_iter().find(|by| !by.is_empty()).unwrap_or_default();
    vec![
        text("messageId"),
        text("device"),
        text("identifier"),
        text("mode"),
        format!("{}.{:03} s", age / 1000, age % 1000),
        format!("{} {by}", text("waitsFor")).trim_end().to_owned(),
        text("requestId"),
    ]
}

/// Runs `thingcall cancel`.
pub(crate) async fn cancel(args: Cancel) -> anyhow::Result<ExitCode> {
    let Cancel { id, running, output, place } = args;
    let mut why = "no instance of the store could be asked".to_owned();
    for address in addresses(running, &place, Some(id)).await? {
        let (status, body) = asked(&address, Method::POST, &format!("/calls/{id}/cancel")).await?;
        if status == StatusCode::OK {
            let done = body.get("cancelled") == Some(&Value::Bool(true));
            let member = |name| (name, body.get(name).cloned().unwrap_or(Value::Null));
            let members = ["messageId", "mode", "cancelled", "outcome", "text"].map(member);
            output::one(output, &members);
            return Ok(if done { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        why = body.get("error").and_then(Value::as_str).unwrap_or("no reason given").to_owned();
    }
    bail!("{why}")
}

async fn asked(address: &Operator, method: Method, path: &str) -> anyhow::Result<(StatusCode, Value)> {
    ask_at(address, method, path, ANSWER_TIMEOUT).await
}

/// The operator's listeners to be asked: of every instance, or of those that may have this call.
pub(crate) async fn addresses(running: Running, place: &Place, id: Option<CallId>) -> anyhow::Result<Vec<Operator>> {
    if running.metrics.is_some() {
        return Ok(vec![running.address(place)?]);
    }
    let store = place.open_existing().await?;
    let slots = match store.leases()? {
        Some(leases) => leases.all().await,
        None => Ok(Vec::new()),
    };
    store.close().await;
    let mut all = Vec::new();
    for slot in slots? {
        let of_call = id.is_none_or(|id| id.slot() == slot.slot);
        if let Some(instance) = slot.holder.filter(|_| of_call)
            && !all.contains(&instance.operator)
        {
            all.push(instance.operator);
        }
    }
    if all.is_empty() {
        return Ok(vec![running.address(place)?]);
    }
    // Others speak TLS where the one beside this folder does.
    let own = running.address(place).ok();
    let tls = own.as_ref().map_or_else(|| running.trust.is_tls().then(|| running.trust.clone()), |own| own.tls.clone());
    let of = |address: String| match &own {
        Some(own) if own.address == address => own.clone(),
        Some(_) | None => Operator { address, tls: tls.as_ref().map(|trust| trust.of_server(None)) },
    };
    Ok(all.into_iter().map(of).collect())
}
