//! Calls that are kept, as `thingcall calls`, `thingcall explain` and the operator's listener show them.

use serde_json::{Map, Value, json};
use thingcall_core::{CallSource, CallStep, KeptCall, KeptLate, Outcome, RecordState, UnixMillis};

use crate::output::moment;

/// How wide the bar of a time line is.
const BAR_COLUMNS: u64 = 24;

/// A call as JSON. What is not known is left out.
pub(crate) fn as_json(call: &KeptCall) -> Value {
    let parsed = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
    let named = |text: &String| (!text.is_empty()).then(|| text.clone());
    let mut value = json!({
        "acceptedAt": moment(call.accepted_at),
        "at": elapsed(call).map(|micros| moment(UnixMillis(call.accepted_at.0 + i64::try_from(micros / 1000).unwrap_or(0)))),
        "requestId": call.request_id,
        "messageId": call.call_id.map(|id| id.to_string()),
        "action": call.action,
        "device": named(&call.device),
        "identifier": named(&call.service),
        "accessKeyId": call.key_id,
        "mode": call.mode,
        "state": call.state.map(RecordState::as_str),
        "outcome": call.outcome.map(Outcome::as_str),
        "code": call.code,
        "executed": call.executed,
        "stage": call.stage,
        "transport": call.transport,
        "plugin": call.plugin,
        "instance": call.instance,
        "text": call.text,
        "hint": call.hint,
        "elapsedMs": elapsed(call).map(|micros| micros / 1000),
        "elapsedUs": elapsed(call),
        "timesUs": times(call),
        "args": call.args.as_ref().map(parsed),
        "replyCode": call.reply_code,
        "data": call.data.as_ref().map(parsed),
        "lateAnswer": call.late.as_ref().map(late),
        "traceId": call.trace_id,
    });
    if let Value::Object(members) = &mut value {
        members.retain(|_, value| !value.is_null());
    }
    value
}

/// An answer that came after the end.
fn late(late: &KeptLate) -> Value {
    let parsed = |text: &String| serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.clone()));
    let mut value = json!({
        "at": moment(late.at),
        "afterEndMs": u64::try_from(late.after_end.as_millis()).unwrap_or(u64::MAX),
        "code": late.code,
        "message": late.message,
        "data": late.data.as_ref().map(parsed),
    });
    if let Value::Object(members) = &mut value {
        members.retain(|_, value| !value.is_null());
    }
    value
}

/// When its steps were, in microseconds since its request came.
pub(crate) fn times(call: &KeptCall) -> Map<String, Value> {
    call.times.steps().into_iter().map(|(step, at)| (step.as_str().to_owned(), at.into())).collect()
}

/// When it ended, or it is now.
pub(crate) fn ended_at(call: &KeptCall) -> UnixMillis {
    let after = elapsed(call).map(|micros| i64::try_from(micros / 1000).unwrap_or(0));
    after.map_or_else(UnixMillis::now, |after| UnixMillis(call.accepted_at.0.saturating_add(after)))
}

/// From its request to its end, in microseconds.
fn elapsed(call: &KeptCall) -> Option<u64> {
    call.outcome?;
    call.times.steps().last().map(|(_, at)| *at)
}

/// The columns of a table of calls.
pub(crate) const COLUMNS: [&str; 9] = ["AT", "ID", "ACTION", "DEVICE", "SERVICE", "MODE", "OUTCOME", "MS", "KEY"];

/// A call as a row of it.
pub(crate) fn as_row(call: &KeptCall) -> Vec<String> {
    let id = call.call_id.map_or_else(|| call.request_id.clone(), |id| id.to_string());
    let outcome = call.outcome.map(Outcome::as_str).or_else(|| call.state.map(RecordState::as_str)).unwrap_or_default();
    let outcome = if is_answered_late(call) { format!("{outcome}, answered late") } else { outcome.to_owned() };
    vec![
        moment(call.accepted_at),
        id,
        call.action.clone().unwrap_or_default(),
        call.device.clone(),
        call.service.clone(),
        call.mode.clone().unwrap_or_default(),
        outcome,
        elapsed(call).map(|micros| in_millis(call, CallStep::Told, micros)).unwrap_or_default(),
        call.key_id.clone().unwrap_or_default(),
    ]
}

/// A time in milliseconds. Of an asynchronous call those of its way are known in whole ones.
fn in_millis(call: &KeptCall, step: CallStep, micros: u64) -> String {
    match (call.source, step) {
        (CallSource::Journal, CallStep::Sent | CallStep::Acked | CallStep::Answered | CallStep::Told) => {
            (micros / 1000).to_string()
        }
        (CallSource::Journal, CallStep::Checked | CallStep::HandlerBegan | CallStep::Turn | CallStep::HandlerEnded)
        | (CallSource::Records, _) => format!("{}.{:03}", micros / 1000, micros % 1000),
    }
}

/// What `thingcall explain` tells beside how the call ended.
pub(crate) fn more(call: &KeptCall) -> Vec<String> {
    let by = [("signed with key", &call.key_id), ("taken by instance", &call.instance)];
    let by: Vec<_> = by.into_iter().filter_map(|(what, name)| Some(format!("{what} {}", name.as_ref()?))).collect();
    let by = (!by.is_empty()).then(|| format!("  {}", by.join("; ")));
    let args = call.args.as_ref().map(|args| format!("  arguments: {args}"));
    let code = call.reply_code.map(|code| format!(" ({code})")).unwrap_or_default();
    let answer = |data: &String| format!("  answer{code}: {data}");
    [by, args, call.data.as_ref().map(answer), call.late.as_ref().map(late_in_words)].into_iter().flatten().collect()
}

/// Whether an answer came after its end. In the journal it stands beside that.
fn is_answered_late(call: &KeptCall) -> bool {
    let by_answer = matches!(call.outcome, None | Some(Outcome::Ok | Outcome::DeviceError | Outcome::InvalidReply));
    call.late.is_some() || (!by_answer && call.reply_code.is_some())
}

fn late_in_words(late: &KeptLate) -> String {
    let what = match (late.code, &late.message, &late.data) {
        (Some(code), _, Some(data)) => format!("answered ({code}): {data}"),
        (Some(code), Some(message), None) => format!("answered ({code}): {message:?}"),
        (Some(code), None, None) => format!("answered ({code})"),
        (None, message, _) => format!("answered what cannot be read: {}", message.as_deref().unwrap_or_default()),
    };
    format!("  {}  {} ms after the call had ended the device {what}", moment(late.at), late.after_end.as_millis())
}

/// The steps of a call, each with its share of the whole: one line each, as it was in time. Empty where no step but the last is
/// known.
pub(crate) fn time_line(call: &KeptCall) -> Vec<String> {
    let steps = call.times.steps();
    let Some((_, whole)) = steps.last().copied().filter(|_| steps.len() > 1) else { return Vec::new() };
    let mut lines = vec![format!("  {:>12}  {:>12} {:>6}  accepted", "0 ms", "", "")];
    let mut before = 0;
    for (step, at) in steps {
        // Of steps that are known in whole milliseconds only, one may seem to be before one that is known better.
        let took = at.saturating_sub(before);
        let share = |of: u64| (took * of).checked_div(whole).unwrap_or(0);
        let (from, wide) = ((before * BAR_COLUMNS).checked_div(whole).unwrap_or(0), share(BAR_COLUMNS).max(1));
        let from = usize::try_from(from.min(BAR_COLUMNS - 1)).unwrap_or(0);
        let bar = "#".repeat(usize::try_from(wide).unwrap_or(0));
        let (at_text, took_text) = (in_millis(call, step, at), in_millis(call, step, took));
        let (at_text, took_text) = (format!("{at_text} ms"), format!("+{took_text} ms"));
        let (percent, word) = (format!("{}%", share(100)), words(call.source, step));
        let line = format!("  {at_text:>12}  {took_text:>12} {percent:>6}  {word:<28} {}{bar}", " ".repeat(from));
        lines.push(line.trim_end().to_owned());
        before = at;
    }
    lines
}

const fn words(source: CallSource, step: CallStep) -> &'static str {
    match step {
        CallStep::Checked => "checked",
        CallStep::HandlerBegan => "given to the plugin",
        CallStep::Turn => "had its turn",
        CallStep::Sent => "sent",
        CallStep::Acked => "acknowledged",
        CallStep::Answered => "answered by the device",
        CallStep::HandlerEnded => "the plugin was done",
        CallStep::Told => match source {
            // Its caller was told long before that it is on its way.
            CallSource::Journal => "ended",
            CallSource::Records => "told",
        },
    }
}

#[cfg(test)]
mod tests;
