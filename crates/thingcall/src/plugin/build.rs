//! `thingcall plugin build`: the library of a folder as it should be installed: optimised and stripped.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use anyhow::{Context, bail};
use serde_json::Value;

use super::inspect;
use crate::exit::WrongUse;
use crate::output::{self, Output};

/// What to build.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  thingcall plugin build meter\n\nA folder with a Cargo.toml is built with cargo, \
    one with a Makefile with make. The library is stripped: symbols make plugins ten times larger and slower to load.")]
pub(crate) struct Args {
    /// The plugin's folder
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    output: Output,
}

/// Runs `thingcall plugin build`.
pub(super) fn run(args: &Args) -> anyhow::Result<()> {
    let folder = &args.folder;
    let library = if folder.join("Cargo.toml").is_file() {
        cargo(folder)?
    } else if folder.join("Makefile").is_file() {
        make(folder)?
    } else {
        return Err(WrongUse(format!("{} has neither Cargo.toml nor Makefile", folder.display())).into());
    };
    inspect::loadable(&library)?;
    let shown = library.display().to_string();
    if args.output.json {
        output::line(serde_json::json!({ "file": shown }))
    } else {
        output::line(shown)
    }
    Ok(())
}

fn cargo(folder: &Path) -> anyhow::Result<PathBuf> {
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--lib", "--message-format=json-render-diagnostics"]);
    // On the command line, since the profiles of a member of a workspace do not count.
    cargo.args(["--config", "profile.release.strip=true"]);
    let output = cargo.current_dir(folder).stderr(Stdio::inherit()).output().context("cargo cannot be run")?;
    if !output.status.success() {
        bail!("cargo build failed");
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let mut built = text.lines().filter_map(|line| shared_library(&serde_json::from_str(line).ok()?));
    // Dependencies come before what depends on them.
    built.next_back().context("cargo built no shared library; Cargo.toml needs `[lib] crate-type = [\"cdylib\"]`")
}

/// The shared library of one of cargo's messages.
fn shared_library(message: &Value) -> Option<PathBuf> {
    let kinds = message.get("target")?.get("crate_types")?.as_array()?;
    if !kinds.iter().any(|kind| kind == "cdylib") {
        return None;
    }
    let files = message.get("filenames")?.as_array()?.iter().filter_map(Value::as_str).map(PathBuf::from);
    files.into_iter().find(|file| is_library(file))
}

fn make(folder: &Path) -> anyhow::Result<PathBuf> {
    let made = Command::new("make").current_dir(folder).stdout(Stdio::null()).status().context("make cannot be run")?;
    if !made.success() {
        bail!("make failed");
    }
    let entries = std::fs::read_dir(folder)?.filter_map(Result::ok).map(|entry| entry.path());
    let library = entries.filter(|path| is_library(path)).max_by_key(|path| changed(path));
    let library = library.with_context(|| format!("make left no *.so in {}", folder.display()))?;
    match Command::new("strip").arg("--strip-unneeded").arg(&library).status() {
        Ok(status) if status.success() => {}
        Ok(_) | Err(_) => output::note("not stripped: strip cannot be run"),
    }
    Ok(library)
}

fn is_library(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "so")
}

fn changed(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|data| data.modified()).ok()
}
