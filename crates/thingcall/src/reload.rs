//! `thingcall reload`: a running server reads its configuration anew, and says what of it is in force.

use std::process::ExitCode;
use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::output::{self, Output};
use crate::running::{Running, ask};
use crate::tool::Place;

/// Plugins may take their time to be created.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(120);

/// Which server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall reload\n  thingcall reload --data /var/lib/thingcall --json\n\nThe server reads the file that it was started \
    with, and checks it as `thingcall check` does. What may change while it runs does: [log] level, the quotas of [api], sections [plugins.NAME] (the \
    plugin gets a new generation). What needs a restart is named. A configuration that is wrong changes nothing. Then plugins' files that are new or \
    changed are loaded. Certificates need no reload: their files are looked at by themselves. SIGHUP does the same.\n\nExit status: 0 if all of it could \
    be read and every plugin took it, also where something needs a restart; 1 if not; 2 for wrong use."
)]
pub(crate) struct Args {
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall reload`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { running, output, place } = args;
    let (status, told) = ask(running.address(&place)?, Method::POST, "/reload", ANSWER_TIMEOUT).await?;
    anyhow::ensure!(
        [StatusCode::OK, StatusCode::UNPROCESSABLE_ENTITY].contains(&status),
        "the server answered HTTP {}: {}",
        status.as_u16(),
        told.get("error").and_then(Value::as_str).unwrap_or("no reason given")
    );
    let plugins = list(&told, "plugins");
    let refused = plugins.iter().any(|plugin| plugin.get("error").is_some());
    if output.json {
        let mut members = told.as_object().cloned().unwrap_or_default();
        members.insert("done".to_owned(), json!(status == StatusCode::OK));
        output::object(Value::Object(members));
    } else {
        lines(&told).into_iter().for_each(output::line);
        let problems = list(&told, "problems");
        problems.iter().filter_map(Value::as_str).for_each(output::note);
        if !problems.is_empty() {
            output::note("nothing was changed");
        }
        list(&told, "doubts")
            .iter()
            .filter_map(Value::as_str)
            .for_each(|doubt| output::note(format_args!("warning: {doubt}")));
        for plugin in plugins.iter().filter(|plugin| plugin.get("error").is_some()) {
            output::note(format_args!("{}: not loaded: {}", text(plugin, "file"), text(plugin, "error")));
        }
    }
    Ok(if status == StatusCode::OK && !refused { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// What changed, and what needs a restart, key by key.
fn lines(told: &Value) -> Vec<String> {
    let (changed, restart) = (list(told, "changed"), list(told, "needRestart"));
    let mut lines: Vec<_> = changed.iter().map(|one| format!("changed: {}", change(one))).collect();
    lines.extend(restart.iter().map(|one| format!("needs a restart: {}", change(one))));
    let loaded = list(told, "plugins").into_iter().filter(|plugin| plugin.get("changed") == Some(&Value::Bool(true)));
    lines.extend(loaded.map(|plugin| format!("loaded: {} {}", text(&plugin, "name"), text(&plugin, "version"))));
    if lines.is_empty() && list(told, "problems").is_empty() {
        lines.push("nothing is other than before".to_owned());
    }
    lines
}

fn change(one: &Value) -> String {
    let value = |name: &str| one.get(name).and_then(Value::as_str).unwrap_or("(not set)").to_owned();
    format!("{}: {} -> {} ({})", text(one, "name"), value("before"), value("after"), text(one, "place"))
}

fn list(of: &Value, name: &str) -> Vec<Value> {
    of.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    //! What is printed of an answer.

    use super::*;

    #[test]
    fn each_key_is_told_with_what_it_was_and_is() {
        let one = |key: &str, before: Value| json!({ "key": "x", "name": key, "before": before, "after": "b", "place": "t.toml:3" });
        let told = json!({
            "changed": [one("[log] level", json!("a"))], "needRestart": [one("[api] listen", Value::Null)], "problems": [],
            "plugins": [{ "name": "p", "version": "1.0.0", "changed": true }, { "name": "q", "version": "1.0.0", "changed": false }],
        });
        let expected = [
            "changed: [log] level: a -> b (t.toml:3)",
            "needs a restart: [api] listen: (not set) -> b (t.toml:3)",
            "loaded: p 1.0.0",
        ];
        assert_eq!(lines(&told), expected);
        assert_eq!(lines(&json!({})), ["nothing is other than before"]);
        assert_eq!(lines(&json!({ "problems": ["x"] })), <[&str; 0]>::default());
    }
}
