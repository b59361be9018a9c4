//! `thingcall plugin inspect`: what a plugin's file says of itself, without running any of it.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use thingcall_loader::{Inspected, LoadError};

use crate::output::{self, Output};

/// Which files.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  thingcall plugin inspect target/release/libmeter.so\n\nExit status: 0 if every \
    file could be loaded here, else 1. Only a server knows whether its claims are free and its file's place is safe.")]
pub(crate) struct Args {
    /// The plugins' files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Runs `thingcall plugin inspect`.
pub(super) fn run(args: &Args) -> ExitCode {
    let mut refused = false;
    for (number, file) in args.files.iter().enumerate() {
        if number > 0 && !args.output.json {
            output::line("");
        }
        let found = read(file);
        let why = match &found {
            Ok((_, inspected)) => refusal(inspected),
            Err(error) => Some(format!("{error:#}")),
        };
        refused |= why.is_some();
        let mut members = vec![("file", json!(file.display().to_string()))];
        if let Ok((sha256, inspected)) = &found {
            members.extend(told(inspected, sha256, args.output));
        }
        members.push(("refused", json!(why)));
        output::one(args.output, &members);
    }
    if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// That the file could be loaded here.
///
/// # Errors
/// Why it would be refused.
pub(super) fn loadable(file: &Path) -> anyhow::Result<()> {
    let (_, inspected) = read(file).with_context(|| file.display().to_string())?;
    match refusal(&inspected) {
        None => Ok(()),
        Some(why) => anyhow::bail!("{}: {why}", file.display()),
    }
}

/// More than any library has.
const LIBRARY_BYTES_MAX: u64 = 1 << 30;

fn read(file: &Path) -> anyhow::Result<(String, Inspected)> {
    let about = std::fs::metadata(file).context("cannot be read")?;
    anyhow::ensure!(about.is_file(), "is no file that holds a library");
    anyhow::ensure!(
        about.len() <= LIBRARY_BYTES_MAX,
        "has {} bytes; a library has at most {LIBRARY_BYTES_MAX}",
        about.len()
    );
    let bytes = std::fs::read(file).context("cannot be read")?;
    Ok((hex::encode(Sha256::digest(&bytes)), thingcall_loader::inspect(&bytes)?))
}

/// Why a server with the default configuration would not load it.
fn refusal(inspected: &Inspected) -> Option<String> {
    let Inspected { manifest, machine, static_tls, .. } = inspected;
    let host = std::env::consts::ARCH;
    if machine != host {
        return Some(LoadError::Machine { found: machine.clone(), host }.to_string());
    }
    if *static_tls {
        return Some(LoadError::StaticTls.to_string());
    }
    if manifest.panic_aborts() {
        return Some(LoadError::PanicAbort(manifest.name.clone()).to_string());
    }
    if manifest.claims.is_empty() && manifest.codecs.is_empty() {
        return Some(LoadError::Idle(manifest.name.clone()).to_string());
    }
    None
}

fn told(inspected: &Inspected, sha256: &str, output: Output) -> Vec<(&'static str, Value)> {
    let Inspected { manifest, machine, needed, size, .. } = inspected;
    let (major, minor) = manifest.abi;
    let many = |words: &[String]| if output.json { json!(words) } else { present(&words.join(", ")) };
    vec![
        ("name", json!(manifest.name)),
        ("version", json!(manifest.version)),
        ("abi", json!(format!("{major}.{minor}"))),
        ("claims", many(&manifest.claims)),
        ("codecs", many(&manifest.codecs)),
        ("lang", present(&manifest.lang)),
        ("panic", present(&manifest.panic)),
        ("sdk", json!(manifest.sdk)),
        ("rustc", json!(manifest.rustc)),
        ("machine", json!(machine)),
        ("needed", many(needed)),
        ("bytes", json!(size)),
        ("sha256", json!(sha256)),
    ]
}

fn present(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { json!(text) }
}
