//! What is not as it should be, in words, each with what to do about it.
//!
//! **Invariant:** a server is well if nothing is found that is bad; what is only to be looked at does not change that.

use serde::Serialize;
use thingcall_core::ConditionState;

use super::facts::Facts;
use super::figures::Limit;
use crate::config::{Changed, Config};
use crate::output::second;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Grade {
    /// Something does not work.
    Bad,
    /// It works, and may not for long.
    Look,
}

/// One thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) grade: Grade,
    /// What it is about.
    pub(super) about: String,
    pub(super) why: String,
    /// What to do.
    #[serde(rename = "do")]
    pub(super) todo: String,
}

/// Of so many calls within a minute, so large a part that failed is bad.
const CALLS_MIN: f64 = 10.0;
const FAILED_SHARE: f64 = 0.5;

/// All of them, the bad ones first, and whether the server is well.
pub(super) fn of(facts: &Facts, config: &Config) -> (Vec<Finding>, bool) {
    let mut all: Vec<_> = facts.conditions.iter().filter_map(|state| condition(state, config)).collect();
    all.extend(facts.refused.iter().map(|plugin| {
        let name = plugin.name.clone().unwrap_or_else(|| plugin.file.display().to_string());
        let why = plugin.error.clone().unwrap_or_default();
        let todo = "put a file there that can be loaded, or remove it; `thingcall plugin inspect FILE` says the same of a file before it is put there";
        bad(format!("plugin {name}"), why, todo)
    }));
    all.extend(facts.limits.iter().map(limit));
    all.extend(facts.files.iter().map(|problem| {
        let todo = format!("put a new one in its place: {}", problem.right);
        let ended = problem.value.contains("it ended at") || problem.value.contains("not valid before");
        let make = if ended { bad } else { look };
        make(format!("certificate {}", problem.key), problem.value.clone(), &todo)
    }));
    all.extend(configuration(facts));
    all.extend(calls(facts));
    all.sort_by_key(|finding| finding.grade == Grade::Look);
    let well = all.iter().all(|finding| finding.grade == Grade::Look);
    (all, well)
}

fn bad(about: String, why: String, todo: &str) -> Finding {
    Finding { grade: Grade::Bad, about, why, todo: todo.to_owned() }
}

fn look(about: String, why: String, todo: &str) -> Finding {
    Finding { grade: Grade::Look, ..bad(about, why, todo) }
}

fn condition(state: &ConditionState, config: &Config) -> Option<Finding> {
    let why = state.failure.as_deref()?;
    let (kind, rest) = state.name.split_once(' ').unwrap_or((&state.name, ""));
    let todo = match kind {
        "serving" => "nothing, if it starts or ends by your word; else see its log".to_owned(),
        "store" if config.store.url.is_some() => {
            "see that PostgreSQL runs and lets this server in ([store] url); what waits is written as soon as it does".to_owned()
        }
        "store" => "see that the disk of the data folder has room and can be written; what waits is written as soon as it can".to_owned(),
        "lease" => "see that PostgreSQL can be reached and that clocks are right; `thingcall instances` tells who has which slot".to_owned(),
        "transport" => {
            let key = if rest.is_empty() { "[broker], [mqtt] or [amqp]".to_owned() } else { format!("the section of {rest}") };
            format!("see that the broker runs and that {key} has its address and password; the log names each attempt")
        }
        "plugin" => "`thingcall plugin list` tells more; put its file back, or give its claims up: `thingcall plugin forget NAME`".to_owned(),
        "shared" => "see that what [shared] names (PostgreSQL or Redis) runs and can be reached".to_owned(),
        _ => "see the log at that time".to_owned(),
    };
    Some(bad(state.name.clone(), format!("{why}, since {}", second(state.since)), &todo))
}

fn limit(limit: &Limit) -> Finding {
    let Limit { name, labels, taken, max } = limit;
    let of: String = labels.iter().map(|(_, value)| format!(" {value}")).collect();
    let why = format!("{taken:.0} of {max:.0} ({:.0} %)", 100.0 * taken / max);
    let todo =
        format!("see who takes it (thingcall_{name} in /metrics); if it must be so, raise its key, which ends in _max");
    look(format!("limit {name}{of}"), why, &todo)
}

fn configuration(facts: &Facts) -> Vec<Finding> {
    let failed = facts.reload.as_ref().and_then(|last| Some((last.failed.clone()?, second(last.at))));
    let failed = failed.map(|(why, at)| {
        let todo =
            "mend the file (`thingcall check` says the same of it), then `thingcall reload`; a restart would fail";
        look("configuration".to_owned(), format!("it was read anew at {at}, and nothing was changed: {why}"), todo)
    });
    let names: Vec<_> = facts.restart.iter().map(Changed::named).collect();
    let restart = (!names.is_empty()).then(|| {
        let todo = "restart the server when its calls may wait; until then what it was started with is in force";
        look("needs a restart".to_owned(), names.join(", "), todo)
    });
    failed.into_iter().chain(restart).collect()
}

/// What a person does about calls that end so.
fn remedy(outcome: &str) -> &'static str {
    match outcome {
        "timeout" => {
            "the device or its way is slow, or answers on another topic: `thingcall device show` tells what was dropped of it"
        }
        "offline" => "the device is not connected: `thingcall device show` tells since when",
        "device_error" => "the device refuses: its own code and message are in the record",
        "throttled" => "an account calls more than [api] calls_per_second_max lets it",
        "overloaded" => "a limit of this server is reached: see the limits above, or [engine]",
        "transport_down" | "not_delivered" => "the broker does not take messages: see the transports",
        "plugin_failed" => "`thingcall plugin list` tells which, and the log why",
        "invalid_args" | "too_large" | "unknown_target" | "denied" => {
            "the caller is wrong: the record says what would be right"
        }
        "invalid_reply" => "the device does not answer as its thing model says",
        _ => "the record says why",
    }
}

fn calls(facts: &Facts) -> Option<Finding> {
    let worst = facts.worst.as_ref()?;
    let (all, failed) = facts.minute.counts();
    let count = facts.minute.calls.get(&worst.outcome).copied().unwrap_or_default();
    let device =
        worst.device.as_ref().map(|(name, calls)| format!("; of the latest, {calls} to {name}")).unwrap_or_default();
    let why = format!(
        "{failed:.0} of {all:.0} failed within {} s; {count:.0} by {}{device}",
        facts.minute.seconds, worst.outcome
    );
    let todo = format!("thingcall calls --since 1m --outcome {}: {}", worst.outcome, remedy(&worst.outcome));
    let (right, not_done) = facts.minute.of_right_callers();
    let make = if right >= CALLS_MIN && not_done >= FAILED_SHARE * right { bad } else { look };
    Some(make("calls".to_owned(), why, &todo))
}

#[cfg(test)]
mod tests;
