//! `thingcall explain`: what became of an asynchronous call, told in the order it happened.

use std::process::ExitCode;

use serde_json::{Value, json};
use thingcall_core::{CallId, Journal, Outcome, Record, RecordState, UnixMillis};

use crate::output::{self, Output, moment};
use crate::tool::Place;

/// Which call.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  thingcall explain 1139\n\nExit status: 0 if there is a record, else 1.")]
pub(crate) struct Args {
    /// The MessageId that InvokeThingService answered
    id: CallId,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall explain`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let store = args.place.open_existing().await?;
    let records = store.find(args.id).await;
    store.close().await;
    let records = records?;
    for record in &records {
        if args.output.json {
            output::line(as_json(record));
        } else {
            output::line(timeline(record));
        }
    }
    if records.is_empty() {
        output::note(unknown(args.id));
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// What to look for when there is no record.
fn unknown(id: CallId) -> String {
    format!(
        "no asynchronous call {id} in this store\n  A synchronous call leaves no record: its answer, or the server's log \
         with `id={id}`, tells what became of it.\n  Is this the store of the server that took the call? --data or \
         --config names it.\n  The oldest records are dropped when the journal is full."
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
    event(Some(record.accepted_at), &format!("accepted as request {} with {}", record.request_id, record.params));
    let way = record.transport.map_or("an unknown way", |transport| transport.as_str());
    event(record.sent_at, &format!("sent to the device through {way}"));
    event(record.acked_at, "the device acknowledged the message");
    event(record.ended_at, &ending(record));
    if record.state != RecordState::Ended {
        lines.push(format!("  {}", waiting(record)));
    }
    lines.join("\n")
}

fn ending(record: &Record) -> String {
    let message = record.message.as_ref().map(|message| format!(", {message:?}")).unwrap_or_default();
    let data = record.data.as_deref().unwrap_or("{}");
    match (record.outcome, record.code) {
        (Some(Outcome::Ok), _) => format!("the device answered: {data}"),
        (Some(Outcome::DeviceError), Some(code)) => format!("the device refused with code {code}{message}: {data}"),
        (Some(outcome), _) => format!("ended as {outcome}{message}"),
        (None, _) => format!("ended{message}"),
    }
}

fn waiting(record: &Record) -> &'static str {
    match (record.state, record.qos) {
        (RecordState::Queued, 0) => "it has not left",
        (RecordState::Queued, _) => "it is kept until the device connects",
        (RecordState::Sent, 0) => "no answer yet; at QoS 0 nobody says whether the message arrived",
        (RecordState::Sent, _) => "not acknowledged yet; it is sent again when the device connects again",
        (RecordState::Acked, _) => "the device has it and has not answered",
        (RecordState::Ended, _) => "it has ended",
    }
}

fn as_json(record: &Record) -> Value {
    let parsed = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    json!({
        "messageId": record.id.to_string(),
        "requestId": record.request_id,
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
        "sentAt": record.sent_at.map(moment),
        "ackedAt": record.acked_at.map(moment),
        "endedAt": record.ended_at.map(moment),
    })
}

#[cfg(test)]
mod tests;
