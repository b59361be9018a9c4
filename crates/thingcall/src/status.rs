//! `thingcall status`: one screen that says whether a server is well, and if not why, and what to do.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::bail;
use hyper::{Method, StatusCode};
use serde_json::Value;

use crate::output::{self, Output};
use crate::running::{Running, ask};
use crate::tool::Place;

mod screen;

/// The store is asked, too.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

/// Which server.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  thingcall status\n  thingcall status --json | jq .findings\n\nWhat is wrong comes first, each with what to do \
    about it; then what may soon be, and the rest. Exit status: 0 if the server is well, 1 if not or if none answers, 2 for wrong use."
)]
pub(crate) struct Args {
    #[command(flatten)]
    running: Running,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall status`.
pub(crate) async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let Args { running, output, place } = args;
    let (status, told) = ask(running.address(&place)?, Method::GET, "/status", ANSWER_TIMEOUT).await?;
    if status != StatusCode::OK {
        bail!("the server answered HTTP {}", status.as_u16());
    }
    if output.json {
        output::object(told.clone());
    } else {
        screen::of(&told, output::Paint::for_stdout()).iter().for_each(output::line);
    }
    let well = told.get("well") == Some(&Value::Bool(true));
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
