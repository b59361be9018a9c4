//! The command line. Its words and flags are a contract: people and scripts use them.
//!
//! With `--json` a failure is JSON too, on stdout. Exit status: 0 success, 1 the call or request failed, 2 wrong use.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::process::ExitCode;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, Parser, Subcommand};

use crate::config::Found;
use crate::exit::WrongUse;
use crate::{
    backup, call, calls, check, demo, device, explain, generate, group, health, instances, key, model, output, pending,
    plugin, product, reload, serve, signature, status, store, strangers, subscription, tail, top, webhook,
};

/// Call a service of a device: an InvokeThingService server of your own
#[derive(Debug, Parser)]
#[command(name = "thingcall", version, arg_required_else_help = true, max_term_width = 100)]
#[command(
    after_help = "Start with:\n  thingcall demo              everything at once, explained\n  thingcall serve             \
    the server; no configuration needed\n  thingcall help COMMAND      a command's flags, with examples"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server: HTTP API, MQTT broker, store
    Serve(serve::Args),
    /// Show everything at work: a server, devices and calls, in a scratch folder
    Demo(demo::Args),
    /// Check a configuration and thing models, and say all that is wrong with them
    Check(check::Args),
    /// Call a service of a device
    Call(call::Args),
    /// Products and their thing models
    #[command(subcommand)]
    Product(product::Command),
    /// Versions of thing models: the ten latest of each product
    #[command(subcommand)]
    Model(model::Command),
    /// Devices, real and simulated
    #[command(subcommand)]
    Device(device::Command),
    /// Access keys, with which callers sign
    #[command(subcommand)]
    Key(key::Command),
    /// Signatures of requests: how one is made, and why one does not match
    #[command(subcommand)]
    Signature(signature::Command),
    /// Consumer groups: who shares the messages that devices and calls give
    #[command(subcommand)]
    Group(group::Command),
    /// Subscriptions: what of a product's devices goes to which consumer groups
    #[command(subcommand)]
    Subscription(subscription::Command),
    /// Webhooks: where messages are sent to over HTTP, and those that were not taken there
    #[command(subcommand)]
    Webhook(webhook::Command),
    /// Show messages of devices and calls as they come
    Tail(tail::Args),
    /// Plugins: handlers of calls that are loaded at run time
    #[command(subcommand)]
    Plugin(plugin::Command),
    /// Make a backup of the data folder, also while a server runs
    Backup(backup::Args),
    /// Put a backup into a data folder, once nothing is wrong with it
    Restore(backup::Restore),
    /// The store as a whole: copy it to PostgreSQL, or back to a file
    #[command(subcommand)]
    Store(store::Command),
    /// Tell whether a running server is well, and if not why and what to do
    Status(status::Args),
    /// Have a running server read its configuration anew
    Reload(reload::Args),
    /// Ask whether a server lives or is ready: for checks of containers
    Health(health::Args),
    /// List calls that were made, newest last, and go on with those that come
    Calls(calls::Args),
    /// List calls that have not ended, oldest first
    Pending(pending::Args),
    /// End a call that has not ended: its caller is told so
    Cancel(pending::Cancel),
    /// Show the devices that fail, are silent or slow most often now
    Top(top::Args),
    /// Tell what became of a call: by its RequestId or MessageId
    Explain(explain::Args),
    /// The servers that share a store, and whether they run the same plugins
    Instances(instances::Args),
    /// Write what packages install beside the program
    #[command(subcommand, hide = true)]
    Generate(generate::Command),
}

/// Reads the command line. Help and the version are printed, and end the program.
///
/// # Errors
/// [`WrongUse`] if it cannot be read and JSON is wanted; else that is said here, with the colours of a terminal.
pub(crate) fn read(arguments: &[OsString]) -> anyhow::Result<Cli> {
    Cli::try_parse_from(arguments).map_err(|mut error| {
        hide_password(&mut error);
        if !error.use_stderr() {
            drop(output::printed(error.print()));
            std::process::exit(if output::is_lost() { 1 } else { error.exit_code() });
        }
        if !output::json_is_wanted(arguments) {
            error.exit();
        }
        WrongUse(words(&error.to_string())).into()
    })
}

/// An error shows the value that is wrong, unless it is a URL with a user, and so perhaps with a password.
fn hide_password(error: &mut clap::Error) {
    let user = |value: &str| value.contains("://") && value.contains('@');
    if matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if user(value)) {
        error.insert(ContextKind::InvalidValue, ContextValue::String("(not shown)".to_owned()));
    }
}

/// What is wrong, without the usage that follows it.
fn words(error: &str) -> String {
    let said = error.split("\n\nUsage:").next().unwrap_or_default();
    let said = said.split("\n\nFor more information").next().unwrap_or_default();
    said.trim_start_matches("error: ").split_whitespace().collect::<Vec<_>>().join(" ")
}

impl Cli {
    /// How many threads it is to run on, where that is configured.
    pub(crate) fn worker_threads(&self) -> Option<NonZeroUsize> {
        if let Command::Serve(args) = &self.command { args.worker_threads() } else { None }
    }

    /// Runs the command.
    ///
    /// # Errors
    /// Why it failed; [`exit_of`] tells the exit status.
    pub(crate) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(args) => Box::pin(serve::run(args, &strangers())).await,
            Command::Demo(args) => demo::run(args).await,
            Command::Check(args) => Ok(check::run(&args, &strangers()).await),
            Command::Call(args) => call::run(args).await,
            Command::Product(command) => product::run(command).await.map(success),
            Command::Model(command) => model::run(command).await.map(success),
            Command::Device(command) => Box::pin(device::run(command)).await.map(success),
            Command::Key(command) => key::run(command).await.map(success),
            Command::Signature(command) => Box::pin(signature::run(command)).await,
            Command::Group(command) => group::run(command).await.map(success),
            Command::Subscription(command) => subscription::run(command).await.map(success),
            Command::Webhook(command) => webhook::run(command).await.map(success),
            Command::Tail(args) => tail::run(args).await.map(success),
            Command::Plugin(command) => plugin::run(command).await,
            Command::Backup(args) => backup::run(args).await.map(success),
            Command::Restore(args) => backup::restore(args).await.map(success),
            Command::Store(command) => store::run(command).await.map(success),
            Command::Status(args) => status::run(args).await,
            Command::Reload(args) => reload::run(args).await,
            Command::Health(args) => Ok(health::run(args).await),
            Command::Calls(args) => calls::run(args).await.map(success),
            Command::Pending(args) => pending::run(args).await.map(success),
            Command::Top(args) => top::run(args).await.map(success),
            Command::Cancel(args) => pending::cancel(args).await,
            Command::Explain(args) => explain::run(args).await,
            Command::Instances(args) => instances::run(args).await.map(success),
            Command::Generate(command) => generate::run(&command, Self::command()).map(success),
        }
    }
}

/// What of this process's environment looks like ours and is not.
fn strangers() -> Vec<Found> {
    strangers::among(strangers::environment(), &Cli::command())
}

fn success((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

#[cfg(test)]
mod tests;
