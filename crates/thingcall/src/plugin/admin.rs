//! `thingcall plugin list`, `reload`, `rollback` and `forget`: what a running server has loaded, and what is done to it,
//! through its operator's listener.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use hyper::{Method, StatusCode};
use serde_json::{Value, json};

use crate::exit::WrongUse;
use crate::operator::FORCE;
use crate::output::{self, Output};
use crate::running::{Running, ask, ended_in_words};
use crate::tool::Place;

/// A plugin may take its time to be created.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);

/// Which server.
#[derive(Debug, clap::Args)]
pub(crate) struct Server {
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    output: Output,
}

/// Which plugin.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  thingcall plugin reload test-fb     load its file anew, changed or not\n  \
    thingcall plugin reload             load what is new or changed in the folder\n\nWhat runs stays if its successor \
    is refused. Exit status: 0 if nothing was refused, else 1.")]
pub(crate) struct Reload {
    /// Its name [default: look through the folder]
    name: Option<String>,
    /// Load it also if its file ended the server three times in a row while it was loaded
    #[arg(long, requires = "name")]
    force: bool,
    #[command(flatten)]
    server: Server,
}

/// One plugin of a running server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A plugin that was loaded once keeps its claims when its file is refused or gone: its calls fail \
    and /readyz says so, until it loads again or is forgotten. A rollback holds, after a restart too, until its file \
    changes or it is reloaded. Exit status: 0 if it was done, else 1."
)]
pub(crate) struct Named {
    /// Its name
    name: String,
    #[command(flatten)]
    server: Server,
}

/// Runs `thingcall plugin list`.
pub(super) async fn list(server: Server) -> anyhow::Result<()> {
    let (status, body) = server.ask(Method::GET, "/plugins").await?;
    if status != StatusCode::OK {
        bail!("the server answered HTTP {}: {}", status.as_u16(), words(&body));
    }
    let plugins = body.as_array().cloned().unwrap_or_default();
    if plugins.is_empty() && !server.output.json {
        output::note("no plugin is loaded");
        return Ok(());
    }
    output::list(server.output, &plugins, as_json, HEADING, row);
    let refused = plugins.iter().filter(|plugin| plugin.get("error").is_some_and(Value::is_string));
    for plugin in refused.filter(|_| !server.output.json) {
        output::text(&format!("\n{}: {}", file(plugin).display(), words(plugin)));
    }
    for plugin in plugins.iter().filter(|_| !server.output.json) {
        let Some(ended) = plugin.get("endedServer") else { continue };
        let name = plugin.get("name").and_then(Value::as_str).unwrap_or_default();
        output::text(&format!("\nplugin {name} {}", ended_in_words(ended)));
    }
    Ok(())
}

/// Runs `thingcall plugin reload`.
pub(super) async fn reload(args: Reload) -> anyhow::Result<ExitCode> {
    let Reload { name, force, server } = args;
    let Some(name) = name else { return rescan(&server).await };
    let what = if force { format!("reload?{FORCE}") } else { "reload".to_owned() };
    done(&server, &name, &what, |body| format!("loaded {}", loaded(body))).await?;
    Ok(ExitCode::SUCCESS)
}

/// Runs `thingcall plugin rollback`.
pub(super) async fn rollback(Named { name, server }: Named) -> anyhow::Result<()> {
    done(&server, &name, "rollback", |body| format!("loaded {}", loaded(body))).await
}

/// Runs `thingcall plugin forget`.
pub(super) async fn forget(Named { name, server }: Named) -> anyhow::Result<()> {
    done(&server, &name, "forget", |_| "forgotten: its claims are free".to_owned()).await
}

/// Has something done to one plugin, and says how it went.
async fn done(server: &Server, name: &str, what: &str, told: impl Fn(&Value) -> String) -> anyhow::Result<()> {
    if name.is_empty() || !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-') {
        bail!(WrongUse(format!("{name:?} is not the name of a plugin; `thingcall plugin list` tells them")));
    }
    let (status, body) = server.ask(Method::POST, &format!("/plugins/{name}/{what}")).await?;
    if status != StatusCode::OK {
        let what = what.split('?').next().unwrap_or_default();
        bail!("{name}: {what} failed: {}", words(&body));
    }
    if server.output.json {
        output::object(as_json(&body));
    } else {
        output::line(format_args!("{name}: {}", told(&body)));
    }
    Ok(())
}

async fn rescan(server: &Server) -> anyhow::Result<ExitCode> {
    let (status, body) = server.ask(Method::POST, "/plugins/rescan").await?;
    if status != StatusCode::OK {
        bail!("the server answered HTTP {}: {}", status.as_u16(), words(&body));
    }
    let files = body.as_array().cloned().unwrap_or_default();
    let refused = files.iter().filter(|file| file.get("error").is_some()).count();
    for file in &files {
        let path = file.get("file").and_then(Value::as_str).unwrap_or_default();
        if server.output.json {
            output::object(as_json(file));
        } else if file.get("error").is_some() {
            output::note(format_args!("{path}: not loaded: {}", words(file)));
        } else {
            output::line(format_args!("{path}: loaded {}", loaded(file)));
        }
    }
    if files.is_empty() && !server.output.json {
        output::line("nothing is new or changed");
    }
    Ok(if refused == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl Server {
    async fn ask(&self, method: Method, path: &str) -> anyhow::Result<(StatusCode, Value)> {
        ask(self.running.address(&self.place)?, method, path, ANSWER_TIMEOUT).await
    }
}

const HEADING: &[&str] = &["PLUGIN", "VERSION", "GEN", "CALLS", "STATE", "CLAIMS", "CODECS", "FILE"];

fn row(plugin: &Value) -> Vec<String> {
    let text = |name: &str| match plugin.get(name) {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(words)) if words.is_empty() => "-".to_owned(),
        Some(Value::Array(words)) => words.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        Some(other) => other.to_string(),
    };
    let mut state = text("status");
    if plugin.get("circuitOpen") == Some(&Value::Bool(true)) {
        state.push_str(", blocked");
    }
    let [name, version, generation] = ["name", "version", "generation"].map(text);
    let name_of_file = file(plugin).file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    vec![name, version, generation, text("callsInFlight"), state, text("claims"), text("codecs"), name_of_file]
}

/// Its file.
fn file(plugin: &Value) -> &Path {
    Path::new(plugin.get("file").and_then(Value::as_str).unwrap_or_default())
}

/// As all errors of the command line are: an object with a message.
fn as_json(told: &Value) -> Value {
    let mut told = told.clone();
    if let Some(error) = told.get_mut("error").filter(|error| error.is_string()) {
        *error = json!({ "message": error.take() });
    }
    told
}

/// What was loaded, in words.
fn loaded(body: &Value) -> String {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default();
    let generation = body.get("generation").and_then(Value::as_u64).unwrap_or_default();
    let unchanged = if body.get("changed") == Some(&Value::Bool(false)) { ", as before" } else { "" };
    format!("{} {} as generation {generation}{unchanged}", text("name"), text("version"))
}

/// Why not.
fn words(body: &Value) -> &str {
    body.get("error").and_then(Value::as_str).unwrap_or("no reason given")
}
