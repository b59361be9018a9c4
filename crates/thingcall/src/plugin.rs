//! `thingcall plugin`: making, looking into, trying and reloading plugins.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, bail};
use clap::Subcommand;
use thingcall_loader::{PluginConfig, PluginState, PluginStatus, Plugins};

use crate::config::Config;

mod admin;
mod build;
mod inspect;
mod new;
mod test;

/// What to do with plugins.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start a plugin: a folder that builds and passes its own test
    New(new::Args),
    /// Build the plugin in a folder for use, and print where the file is
    Build(build::Args),
    /// Tell what a plugin file is, without running it, or why it would be refused
    Inspect(inspect::Args),
    /// Run one call through a plugin, without server or broker, and print each step
    Test(test::Args),
    /// The plugins of a running server
    List(admin::Server),
    /// Have a running server load one plugin anew, or what is new in its folder
    Reload(admin::Reload),
    /// Have a running server go back to the file of a plugin that ran before the last
    Rollback(admin::Named),
    /// Free the claims of a plugin that is not loaded any more
    Forget(admin::Named),
}

/// Runs `thingcall plugin ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::New(args) => new::run(&args).map(success),
        Command::Build(args) => build::run(&args).map(success),
        Command::Inspect(args) => Ok(inspect::run(&args)),
        Command::Test(args) => test::run(args).await,
        Command::List(server) => admin::list(server).await.map(success),
        Command::Reload(args) => admin::reload(args).await,
        Command::Rollback(args) => admin::rollback(args).await.map(success),
        Command::Forget(args) => admin::forget(args).await.map(success),
    }
}

fn success((): ()) -> ExitCode {
    ExitCode::SUCCESS
}

/// Puts a plugin into the folder of a server that is not started yet, and says how it is treated.
///
/// # Errors
/// If the file is no plugin, or cannot be copied.
pub(crate) fn install(config: &mut Config, file: &Path, treated: PluginConfig) -> anyhow::Result<()> {
    let bytes = std::fs::read(file).with_context(|| format!("{} cannot be read", file.display()))?;
    let inspected = thingcall_loader::inspect(&bytes).with_context(|| file.display().to_string())?;
    private_copy(&bytes, file, &config.data.join("plugins"))?;
    config.plugins.insert(inspected.manifest.name, treated);
    Ok(())
}

/// That a server or a loader with one plugin did load it.
///
/// # Errors
/// Why it did not.
pub(crate) fn loaded(plugins: &Plugins) -> anyhow::Result<()> {
    match plugins.list().first() {
        Some(PluginState { status: PluginStatus::Active, .. }) => Ok(()),
        Some(refused) => bail!("not loaded: {}", refused.error.as_deref().unwrap_or("it is disabled")),
        None => bail!("not loaded: the file was not found"),
    }
}

/// Writes a file into a folder as the loader wants them: writable by nobody else, whatever the umask says.
///
/// # Errors
/// If it cannot be written.
fn private_copy(bytes: &[u8], file: &Path, folder: &Path) -> anyhow::Result<PathBuf> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let copy = folder.join(file.file_name().unwrap_or_default());
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(&copy)?.write_all(bytes)?;
    Ok(copy)
}
