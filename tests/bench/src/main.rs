//! How many calls a second a server makes, and how long each takes, beside what one would compare it with.
//!
//! Server, devices and load share this machine: compare only figures of one run, and the server's with the reference's.
//!
//! In reading order: `args` (every flag), `turns` (who is measured when), `target` (the server), `load` (the calls), then
//! what it is compared with.

mod args;
mod broker;
mod output;

mod child;
mod cpu;
mod pace;
mod report;

mod requests;
mod wire;

mod load;

mod device;
mod posting;
mod registered;

mod devices;

mod deployment;
mod through;

mod amqp;
mod unanswered;

mod bare;
mod echo;
mod peer;
mod target;

mod amqp10;
mod consumer;
mod queue;
mod reading;

mod idle;
mod messages;

mod growth;
mod overload;

mod handlers;

mod rest;
mod turns;

use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Parser;
use clap::error::{ContextKind, ContextValue};
use mimalloc::MiMalloc;
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, What};

/// As the program has it: the server behind `echo` is to differ from it in nothing else.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&read()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::note(format_args!("bench: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// Reads the command line; a URL with a user, and so perhaps with a password, is not repeated where it is wrong.
fn read() -> Args {
    Args::try_parse().unwrap_or_else(|mut error| {
        let user = |value: &str| value.contains("://") && value.contains('@');
        if matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if user(value)) {
            error.insert(ContextKind::InvalidValue, ContextValue::String("(not shown)".to_owned()));
        }
        error.exit()
    })
}

/// Measures until it is done or a signal comes. Either way all that was started ends, and what was stopped goes on.
async fn run(args: &Args) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        measured = measure(args) => measured,
        _ = tokio::signal::ctrl_c() => bail!("ended by SIGINT"),
        _ = terminate.recv() => bail!("ended by SIGTERM"),
    }
}

async fn measure(args: &Args) -> anyhow::Result<()> {
    match args.what.as_slice() {
        [What::Handlers] => {
            handlers::run(args.plugin.as_deref().context("handlers needs --plugin FILE")?, args.json).await
        }
        [What::Devices] => devices::run(args).await,
        [What::Messages] => messages::run(args).await,
        [What::Idle] => idle::run(args).await,
        [What::Growth] => growth::run(args).await,
        [What::Overload] => overload::run(args).await,
        [What::EchoServer] => echo::serve().await,
        _ => turns::run(args, &args.contenders()?).await,
    }
}
