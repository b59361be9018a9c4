//! `thingcall explain`: what became of a call. Of an asynchronous one the store tells, in the order it happened; of others
//! the running server does, where they failed or were slow.

use std::process::ExitCode;

use anyhow::bail;
use serde_json::{Value, json};
use thingcall_core::{
    CallFilter, CallOrder, CallPlaces, CallRecords, CallSource, DeviceRef, Journal, KeptCall, Outcome, Record,
    RecordState, TransportKind, UnixMillis,
};
use thingcall_store::Store;

use crate::kept;
use crate::named::{Named, named};
use crate::output::{self, Output, moment};
use crate::running::{Running, dropped_in_words, ended_in_words};
use crate::tool::{Place, device_ref};

/// So many calls of one id are told.
const FOUND_MAX: usize = 20;
/// What a device sent so long before a call or after it may have to do with it.
const BESIDE_MS: i64 = 5000;

/// Which call.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall explain 1139\n  thingcall explain \
    57FE6B44-6B7B-4F5A-8A3B-0C1D2E3F4A5B\n\nAsynchronous calls are in the store, and so are those that [records] keep of the \
    configuration says: by default the ones that failed, and requests that were refused. Of others a running server remembers the \
    latest that were slow.\n\nExit status: 0 if anything is \
    known of the call, else 1.")]
pub(crate) struct Args {
    /// The MessageId that InvokeThingService answered, or the RequestId of any answer
    #[arg(value_parser = named)]
    id: Named,
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall explain`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { id, running, output, place } = args;
    let store = place.open_existing().await?;
    let records = match &id {
        Named::Message(id) => store.find(*id).await,
        Named::Request(id) => store.find_request(id).await,
    };
    let kept = kept_calls(&store, &id).await;
    store.close().await;
    let (records, kept) = (records?, kept?);
    let remembered = running.calls(&place, &id.to_string()).await;
    let failures = told_beside((&records, &kept), remembered.as_deref().unwrap_or_default());
    for record in &records {
        let time = (record.accepted_at.0, record.ended_at.map(|at| at.0));
        let dropped = running.dropped(&place, &record.device.key).await.ok().flatten().filter(|it| is_beside(it, time));
        if output.json {
            output::object(with(as_json(record), dropped));
        } else {
            output::text(&timeline(record));
            draw(&KeptCall::of_journal(0, record.clone()));
            tell_dropped(dropped.as_ref(), time);
        }
    }
    let recorded = kept.iter().map(|call| (kept::as_json(call), Some(call)));
    for (call, kept) in recorded.chain(failures.iter().map(|failure| (failure.clone(), None))) {
        // A request that became no call waited for no device.
        let device = call.get("messageId").and_then(|_| call.get("device")).and_then(Value::as_str);
        let dropped = match device.and_then(|device| device_ref(device).ok()) {
            Some(DeviceRef::Key(key)) => running.dropped(&place, &key).await.ok().flatten(),
            Some(DeviceRef::IotId(_)) | None => None,
        };
        let dropped = dropped.filter(|dropped| is_beside(dropped, time_of(&call)));
        if output.json {
            output::object(with(call, dropped));
        } else {
            tell_call(&call, kept, dropped.as_ref());
        }
    }
    let ended = running.ended_in(&place, &id.to_string()).await.ok().flatten();
    if let Some(plugin) = &ended {
        tell_ended(plugin, output);
    }
    if records.is_empty() && kept.is_empty() && failures.is_empty() && ended.is_none() {
        bail!(unknown(&id, remembered.err()));
    }
    Ok(ExitCode::SUCCESS)
}

/// What is on record of the call beside the journal.
async fn kept_calls(store: &Store, id: &Named) -> anyhow::Result<Vec<KeptCall>> {
    let mut filter = CallFilter::default();
    id.clone().looked_for(&mut filter);
    let mut found = store.calls(&filter, (CallOrder::NewestFirst, CallPlaces::END), FOUND_MAX).await?;
    found.retain(|call| call.source == CallSource::Records);
    Ok(found)
}

/// A call that the journal does not have, in words.
fn tell_call(call: &Value, kept: Option<&KeptCall>, dropped: Option<&Value>) {
    output::text(&failed(call));
    if let Some(kept) = kept {
        kept::more(kept).iter().for_each(|line| output::text(line));
        draw(kept);
    }
    tell_dropped(dropped, time_of(call));
}

/// When a call that the journal does not have began and ended.
fn time_of(call: &Value) -> (i64, Option<i64>) {
    let ended = millis_at(call);
    let elapsed = call.get("elapsedMs").and_then(Value::as_i64).unwrap_or_default();
    (ended.unwrap_or_default() - elapsed, ended)
}

/// The time line, which is as wide as it is.
fn draw(call: &KeptCall) {
    kept::time_line(call).iter().for_each(output::line);
}

/// What the server remembers and no record tells.
fn told_beside((records, kept): (&[Record], &[KeptCall]), remembered: &[Value]) -> Vec<Value> {
    let recorded = |failure: &&Value| {
        let member = |name| failure.get(name).and_then(Value::as_str).unwrap_or_default();
        kept.iter().any(|call| call.request_id == member("requestId"))
            || records.iter().any(|record| {
                record.id.to_string() == member("messageId") && record.device.key.to_string() == member("device")
            })
    };
    remembered.iter().filter(|failure| !recorded(failure)).cloned().collect()
}

fn with(mut call: Value, dropped: Option<Value>) -> Value {
    if let (Value::Object(members), Some(dropped)) = (&mut call, dropped) {
        members.insert("lastDropped".to_owned(), dropped);
    }
    call
}

fn tell_dropped(dropped: Option<&Value>, time: (i64, Option<i64>)) {
    if let Some(dropped) = dropped {
        output::text(&beside(dropped, time));
    }
}

/// Whether a message that led to nothing came while a call was under way, or shortly before it or after it: others are not
/// about that call.
fn is_beside(dropped: &Value, (began, ended): (i64, Option<i64>)) -> bool {
    millis_at(dropped).is_some_and(|at| at >= began - BESIDE_MS && ended.is_none_or(|ended| at <= ended + BESIDE_MS))
}

/// When a message led to nothing, beside a call: a hint only while the call waited.
fn beside(dropped: &Value, (began, ended): (i64, Option<i64>)) -> String {
    let words = dropped_in_words(dropped);
    match (millis_at(dropped), ended) {
        (Some(at), _) if at < began => {
            format!("  {} ms before this call the device sent what led to nothing: {words}", began - at)
        }
        (Some(at), Some(ended)) if at > ended => {
            format!("  {} ms after this call the device sent what led to nothing: {words}", at - ended)
        }
        _ => format!("  hint: while this call waited, the device sent what led to nothing: {words}"),
    }
}

fn millis_at(value: &Value) -> Option<i64> {
    value.get("at")?.as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The plugin whose code ended the server in this call.
fn tell_ended(plugin: &Value, output: Output) {
    if output.json {
        return output::object(plugin.clone());
    }
    let name = plugin.get("name").and_then(Value::as_str).unwrap_or_default();
    let ended = plugin.get("endedServer").map(ended_in_words).unwrap_or_default();
    output::line(format_args!("plugin {name} {ended}"));
}

/// A failed or slow call in words.
fn failed(failure: &Value) -> String {
    let text = |name: &str| failure.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let part = |name| text(name).unwrap_or("-");
    let call = text("messageId").map_or_else(|| "a request".to_owned(), |id| format!("call {id}"));
    let elapsed = failure.get("elapsedMs").and_then(Value::as_u64).unwrap_or_default();
    let code = text("code").map(|code| format!(" ({code})")).unwrap_or_default();
    let on = text("device").map(|device| format!(" on {device}")).unwrap_or_default();
    let mut lines = vec![
        format!("{call} for {}{on}, request {}", asked(&text), part("requestId")),
        format!("  {}  ended after {elapsed} ms as {}{code}", part("at"), part("outcome")),
    ];
    lines.extend(text("text").map(|text| format!("  {text}")));
    let (plugin, transport) = (text("plugin"), text("transport"));
    let by =
        [("plugin", plugin), ("transport", transport)].map(|(what, name)| name.map(|name| format!("{what} {name}")));
    let by: Vec<_> = by.into_iter().flatten().collect();
    let by = if by.is_empty() { String::new() } else { format!("; by {}", by.join(", ")) };
    lines.push(format!("  it came as far as: {}; executed by the device: {}{by}", part("stage"), part("executed")));
    lines.extend(text("hint").map(|hint| format!("  hint: {hint}")));
    lines.extend(text("traceId").map(|id| format!("  trace: {id}")));
    lines.join("\n")
}

/// What was asked for: the service, and the action that asked for it.
fn asked<'a>(text: &impl Fn(&str) -> Option<&'a str>) -> String {
    match (text("identifier"), text("action")) {
        (Some(service), Some(action)) if service != action => format!("{service} ({action})"),
        (Some(what), _) | (None, Some(what)) => what.to_owned(),
        (None, None) => "an action that is not known".to_owned(),
    }
}

/// What to look for when nothing is known.
fn unknown(id: &Named, silent: Option<anyhow::Error>) -> String {
    let memory = match silent {
        None => {
            "The running server remembers no failed or slow call of that name: it succeeded, or recent_failures_max \
             newer ones\n  came after it, or the server was started since."
                .to_owned()
        }
        Some(error) => format!(
            "A running server remembers the latest that failed or were slow, and none was asked: {error:#}.\n  --metrics ADDR names \
             its operator's listener."
        ),
    };
    format!(
        "no call {id} in this store, and nothing else is known of it\n  A call that succeeded is on record only if it was \
         asynchronous, or made while the configuration said\n  [records] keep = \"all\"; by itself it is \"failed_and_async\".\n  \
         Is this the store of the server that took the call? --data or --config names it.\n  The oldest records are dropped \
         as [records] says, and those of asynchronous calls when the journal is full.\n  {memory}"
    )
}

/// The record in words, one event a line, each with the time since the call was accepted.
pub(crate) fn timeline(record: &Record) -> String {
    let Record { id, device, service, qos, .. } = record;
    let mut lines = vec![format!("call {id} of {service} on {} ({}), QoS {qos}", device.key, device.iot_id)];
    let mut event = |at: Option<UnixMillis>, what: &str| {
        if let Some(at) = at {
            let since = format!("+{} ms", at.0.saturating_sub(record.accepted_at.0));
            lines.push(format!("  {}  {since:>10}  {what}", moment(at)));
        }
    };
    let by = record.action.as_ref().map(|action| format!(", {action},")).unwrap_or_default();
    let accepted = format!("accepted as request {}{by} with {}", record.request_id, record.params);
    event(Some(record.accepted_at), &accepted);
    let way = record.transport.map_or("an unknown way", |transport| transport.as_str());
    let by_plugin = record.transport == Some(TransportKind::Plugin);
    event(record.sent_at.filter(|_| !by_plugin), &format!("sent to the device through {way}"));
    let by_broker = matches!(record.transport, Some(TransportKind::Mqtt | TransportKind::Amqp));
    let acked = if by_broker {
        "the broker took the message; whether the device got it is not known"
    } else {
        "the device acknowledged the message"
    };
    event(record.acked_at, acked);
    let by = record.taken_over.as_ref().map(|taken| taken.by.as_str()).unwrap_or_default();
    let taken = format!("taken over by {by}, since whoever accepted it had ended");
    event(record.taken_over.as_ref().map(|taken| taken.at), &taken);
    event(record.ended_at, &ending(record));
    lines.extend(traced(record).map(|id| format!("  trace: {id}")));
    if record.state != RecordState::Ended {
        lines.push(format!("  {}", waiting(record)));
    }
    lines.join("\n")
}

/// The trace that it is recorded in.
fn traced(record: &Record) -> Option<String> {
    let hop = record.trace.as_ref().filter(|hop| hop.context.is_sampled)?;
    Some(hop.context.trace_id.to_string())
}

fn ending(record: &Record) -> String {
    let message = record.message.as_ref().map(|message| format!(", {message:?}")).unwrap_or_default();
    let data = record.data.as_deref().unwrap_or("{}");
    let who = if record.transport == Some(TransportKind::Plugin) { "the plugin" } else { "the device" };
    match (record.outcome, record.code) {
        (Some(Outcome::Ok), _) => format!("{who} answered: {data}"),
        (Some(Outcome::DeviceError), Some(code)) => format!("{who} refused with code {code}{message}: {data}"),
        (Some(outcome), None) => format!("ended as {outcome}{message}"),
        // It came after the end, and beside it.
        (Some(outcome), Some(code)) => {
            format!("ended as {outcome}{message}; {who} answered later with code {code}: {data}")
        }
        (None, _) => format!("ended{message}"),
    }
}

fn waiting(record: &Record) -> &'static str {
    let by_broker = matches!(record.transport, Some(TransportKind::Mqtt | TransportKind::Amqp));
    match (record.state, record.qos) {
        (RecordState::Queued, 0) => "it has not left",
        (RecordState::Queued, _) => "it is kept until the device connects",
        (RecordState::Sent, 0) => "no answer yet; at QoS 0 nobody says whether the message arrived",
        (RecordState::Sent, _) => "not acknowledged yet; it is sent again when the device connects again",
        (RecordState::Acked, _) if by_broker => "the broker has it or gave it to the device, which has not answered",
        (RecordState::Acked, _) => "the device has it and has not answered",
        (RecordState::Ended, _) => "it has ended",
    }
}

fn as_json(record: &Record) -> Value {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    json!({
        "messageId": record.id.to_string(),
        "requestId": record.request_id,
        "action": record.action,
        "accessKeyId": record.key_id,
        "productKey": record.device.key.product.as_str(),
        "deviceName": record.device.key.name.as_str(),
        "iotId": record.device.iot_id.as_str(),
        "identifier": record.service.to_string(),
        "args": parsed(&record.params),
        "qos": record.qos,
        "state": record.state.as_str(),
        "outcome": record.outcome.map(Outcome::as_str),
        "transport": record.transport.map(|transport| transport.as_str()),
        "code": record.code,
        "message": record.message,
        "data": record.data.as_deref().map(parsed),
        "acceptedAt": moment(record.accepted_at),
        "timesUs": kept::times(&KeptCall::of_journal(0, record.clone())),
        "sentAt": record.sent_at.map(moment),
        "ackedAt": record.acked_at.map(moment),
        "endedAt": record.ended_at.map(moment),
        "takenOverBy": record.taken_over.as_ref().map(|taken| &taken.by),
        "takenOverAt": record.taken_over.as_ref().map(|taken| moment(taken.at)),
        "traceId": traced(record),
    })
}

#[cfg(test)]
mod tests;
