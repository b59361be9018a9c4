//! `thingcall backup` and `thingcall restore`: a data folder whose store is a file, made while its server runs.

use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::json;
use thingcall_store::{Existing, KeptFile, Manifest};

use crate::output::{self, Output};
use crate::tool::Place;

/// What a backup is made of.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
The backup is a folder: a copy of the store as it was at one moment, the plugins, and manifest.json with versions, counts and
checksums. What was acknowledged before it began is in it. It is whole once it has its name; it holds secrets, and is for its owner
alone. The configuration and the files that it names are not in it.

A PostgreSQL has its own tools: pg_dump and pg_restore. deploy/UPGRADE.md says how they are called, and what comes twice or is lost after
a restore.

Examples:
  thingcall backup /var/backups/thingcall-$(date +%F) --data /var/lib/thingcall
  tar -C /var/backups -c thingcall-2026-11-30 | zstd > thingcall-2026-11-30.tar.zst")]
pub(crate) struct Args {
    /// The folder to make, which must not be there yet
    backup: PathBuf,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// What is restored to where.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Each file is held against its checksum, and the store is examined, before anything takes its place. No server may run on the data folder.
A backup of an older thingcall is brought up to date by the server's start; one of a newer schema is refused.

Examples:
  thingcall restore /var/backups/thingcall-2026-11-30 --data /var/lib/thingcall
  thingcall restore backup --data data --replace")]
pub(crate) struct Restore {
    /// The folder that `thingcall backup` made
    backup: PathBuf,
    /// Set aside the store and the plugins that are in the data folder, in a folder replaced-TIME there
    #[arg(long)]
    replace: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall backup`.
///
/// # Errors
/// Why there is none.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { backup, output, place } = args;
    let config = place.configuration()?;
    let program = concat!(env!("CARGO_PKG_VERSION"), " ", env!("THINGCALL_REVISION"));
    let made = Box::pin(thingcall_store::backup(&config.store, &config.data, &backup, program)).await?;
    show(output, "backup", &backup.display().to_string(), &made, None);
    Ok(())
}

/// Runs `thingcall restore`.
///
/// # Errors
/// Why nothing was restored.
pub(crate) async fn restore(args: Restore) -> anyhow::Result<()> {
    let Restore { backup, replace, output, place } = args;
    let config = place.configuration()?;
    let existing = if replace { Existing::SetAside } else { Existing::Refuse };
    let restored = Box::pin(thingcall_store::restore(&config.store, &backup, &config.data, existing)).await?;
    let aside = restored.aside.map(|folder| folder.display().to_string());
    show(output, "restored", &config.data.display().to_string(), &restored.manifest, aside);
    Ok(())
}

fn show(output: Output, what: &str, place: &str, manifest: &Manifest, aside: Option<String>) {
    let bytes: u64 = manifest.files.iter().map(|KeptFile { bytes, .. }| bytes).sum();
    let plugins = manifest.files.len().saturating_sub(1);
    let begun = Timestamp::from_millisecond(manifest.begun_at).map(|at| at.to_string()).unwrap_or_default();
    let rows = if output.json {
        json!(manifest.rows)
    } else {
        let there = manifest.rows.iter().filter(|(_, rows)| **rows > 0);
        json!(there.map(|(table, rows)| format!("{table} {rows}")).collect::<Vec<_>>().join(", "))
    };
    output::one(
        output,
        &[
            (what, json!(place)),
            ("of", json!(begun)),
            ("madeBy", json!(manifest.thingcall)),
            ("schema", json!(manifest.schema)),
            ("rows", rows),
            ("bytes", json!(bytes)),
            ("plugins", json!(plugins)),
            ("replaced", json!(aside)),
        ],
    );
}
