//! The program: reads its command line, runs one command, says how it went.
//!
//! In reading order: `cli` (every command), `config` (every key), `serve` and `server` (the wiring), then the commands.

mod cli;
mod exit;

mod config;
mod consumers;
mod logs;
mod observe;
mod output;
mod pages;
mod readiness;
mod store;
mod strangers;

mod addresses;
mod files;
mod operator;
mod preflight;
mod reloads;
mod results;
mod running;
mod serve;
mod server;
mod sharing;
mod ways;

mod check;
mod models;
mod tool;

mod device;
mod explain;
mod group;
mod instances;
mod key;
mod product;
mod simulate;
mod subscription;
mod tail;
mod webhook;

mod call;
mod client;

mod brokers;
mod demo;
mod instance;

mod plugin;

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// Plugins may have allocators of their own: nothing that one side allocated is freed by the other.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let done = match cli::read(&std::env::args_os().collect::<Vec<_>>()) {
        Ok(cli) => cli.run().await,
        Err(error) => Err(error),
    };
    let exit = done.unwrap_or_else(|error| {
        output::failure(&format!("{error:#}"));
        exit::exit_of(&error)
    });
    if output::is_lost() { ExitCode::FAILURE } else { exit }
}
