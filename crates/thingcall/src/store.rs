//! `thingcall store ...`: a store as a whole.

use std::path::PathBuf;

use serde_json::{Map, json};
use thingcall_store::{CopyEnd, CopyProgress};
use tokio::time::{Duration, Instant};

use crate::config::Flag;
use crate::exit::WrongUse;
use crate::output::{self, Output};
use crate::tool::Place;

/// How often it is told how far a table is.
const TOLD_EVERY: Duration = Duration::from_secs(1);

/// What to do with stores.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Copy everything from one store to another: from a file to PostgreSQL, and back
    #[command(after_help = "\
Products, models, devices, keys and records are copied, compared, and counted. No server may run on either store. The
store to copy to must be empty. Ended half-way, the same command goes on; until it is done, no server starts on the copy.

The password is best in THINGCALL__STORE__PASSWORD, or in a file that `store.password_file` of the configuration names.

Examples:
  thingcall store copy thingcall-data 'postgres://thingcall@db/thingcall?sslmode=verify-full'
  thingcall store copy 'postgres://thingcall@db/thingcall' /var/lib/thingcall")]
    Copy(Copy),
}

/// What is copied to where.
#[derive(Debug, clap::Args)]
pub(crate) struct Copy {
    /// A data folder, a file, or postgres://USER@HOST/DATABASE
    from: String,
    /// The same, of an empty store; a file is made
    to: String,
    /// The configuration file, for what it says of the connection [default: none]
    #[arg(long, value_name = "FILE", env = "THINGCALL_CONFIG")]
    config: Option<PathBuf>,
    #[command(flatten)]
    output: Output,
}

/// Runs `thingcall store ...`.
///
/// # Errors
/// Why it failed.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Copy(copy) => copy.run().await,
    }
}

impl Copy {
    async fn run(self) -> anyhow::Result<()> {
        let Self { from, to, config, output } = self;
        let flag = |name, value: &str| Flag { name, key: "store.url", value: value.to_owned() };
        let urls = [("FROM", &from), ("TO", &to)];
        let flags = urls.into_iter().filter(|(_, value)| thingcall_store::StoreUrl::is_meant(value));
        let mut read = Vec::new();
        // Each is looked at as the one URL that a configuration has.
        for (name, value) in flags {
            read.push(Place { config: config.clone(), data: None }.read(vec![flag(name, value)]));
        }
        let reading = match read.len() {
            0 => Place { config, data: None }.read(Vec::new()),
            _ => read.swap_remove(0),
        };
        let wrong = |problems| WrongUse(format!("what to copy is wrong{problems}"));
        for other in read {
            other.right_for_commands().map_err(wrong)?;
        }
        let store = reading.right_for_commands().map_err(wrong)?.store;
        let [from, to] = [&from, &to].map(|end| CopyEnd::of(end, &store.file));
        let mut last: Option<(&str, Instant)> = None;
        let mut told = |CopyProgress { table, rows, of }: CopyProgress| {
            let due = last.is_none_or(|(before, at)| before != table || at.elapsed() >= TOLD_EVERY);
            if due || rows == of {
                output::note(format_args!("{table}: {rows} of {of}"));
                last = Some((table, Instant::now()));
            }
        };
        let copied = Box::pin(thingcall_store::copy(&store, &from, &to, &mut told)).await?;
        if copied.texts_changed > 0 {
            output::note(format_args!(
                "{} texts held zero bytes, which PostgreSQL cannot keep: each is U+FFFD there",
                copied.texts_changed
            ));
        }
        let tables: Map<_, _> = copied.tables.iter().map(|(table, rows)| ((*table).to_owned(), json!(rows))).collect();
        let in_words =
            copied.tables.iter().map(|(table, rows)| format!("{table} {rows}")).collect::<Vec<_>>().join(", ");
        let rows = if output.json { json!(tables) } else { json!(in_words) };
        output::one(
            output,
            &[
                ("from", json!(from.to_string())),
                ("to", json!(to.to_string())),
                ("rows", rows),
                ("resumed", json!(copied.resumed)),
                ("textsChanged", json!(copied.texts_changed)),
            ],
        );
        Ok(())
    }
}
