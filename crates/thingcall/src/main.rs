//! The program: reads its command line, runs one command, says how it went.
//!
//! In reading order: `cli` (every command), `config` (every key), `serve` and `server` (the wiring), then the commands.

mod cli;
mod exit;

mod config;
mod console;
mod consumers;
mod enlist;
mod logs;
mod observe;
mod output;
mod pages;
mod path;
mod process;
mod readiness;
mod store;
mod strangers;

mod addresses;
mod certificates;
mod fellows;
mod files;
mod fleets;
mod front;
mod limits;
mod notify;
mod operator;
mod own_tls;
mod preflight;
mod reconfigure;
mod registrar;
mod reloads;
mod results;
mod running;
mod serve;
mod server;
mod sharing;
mod watched;
mod ways;

mod check;
mod generate;
mod health;
mod models;
mod reload;
mod status;
mod tool;
mod trust;

mod backup;
mod calls;
mod changes;
mod device;
mod device_words;
mod explain;
mod group;
mod instances;
mod kept;
mod key;
mod model;
mod named;
mod pending;
mod product;
mod settings;
mod signature;
mod simulate;
mod subscription;
mod tail;
mod top;
mod webhook;

mod call;
mod client;
mod fleet;

mod brokers;
mod demo;
mod instance;

mod plugin;
mod trial;

use std::process::ExitCode;
use std::time::Duration;

use mimalloc::MiMalloc;

/// Plugins may have allocators of their own: nothing that one side allocated is freed by the other.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long the end waits for threads that read files: one on a disk that hangs ends never.
const BLOCKED_MAX: Duration = Duration::from_secs(5);

fn main() -> ExitCode {
    let done = cli::read(&std::env::args_os().collect::<Vec<_>>()).and_then(|command| {
        let mut runtime = tokio::runtime::Builder::new_multi_thread();
        if let Some(threads) = command.worker_threads() {
            runtime.worker_threads(threads.get());
        }
        let runtime = runtime.enable_all().build()?;
        let done = runtime.block_on(async { Box::pin(command.run()).await });
        runtime.shutdown_timeout(BLOCKED_MAX);
        done
    });
    let exit = done.unwrap_or_else(|error| {
        output::failure(&format!("{error:#}"));
        exit::exit_of(&error)
    });
    if output::is_lost() { ExitCode::FAILURE } else { exit }
}
