//! `thingcall webhook ...`: how webhooks stand, and their dead letters, in the store.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, bail};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use thingcall_core::{MessageLog, Standing, Taken};
use thingcall_store::Store;
use thingcall_subscription::Envelope;
use thingcall_webhook::{TargetName, Targets, new_secret};

use crate::output::{self, Listing, Output, moment, second};
use crate::tool::{self, Place};

/// How many dead letters are read at once.
const PAGE: usize = 256;

/// What to do with webhooks.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the webhooks of the configuration, and what waits for them
    List {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// List a webhook's dead letters: messages that it has not taken, and that are not sent again by themselves
    DeadLetters(One),
    /// Send dead letters again, each with all its tries
    #[command(after_help = "Example:\n  thingcall webhook retry orders 7489123456789012345 --config thingcall.toml")]
    Retry {
        #[command(flatten)]
        one: One,
        /// Their ids [default: all]
        #[arg(value_name = "ID")]
        ids: Vec<String>,
    },
    /// Forget a webhook that is not configured any more, with what waits for it and its dead letters
    Forget(One),
    /// Make a secret for a webhook and print it; it is kept nowhere
    Secret {
        #[command(flatten)]
        output: Output,
    },
}

/// One webhook in the store.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    /// Its name, as in [webhooks.NAME]
    #[arg(value_name = "NAME")]
    name: TargetName,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall webhook ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { output, place } => list(output, &place).await,
        Command::DeadLetters(one) => one.dead_letters().await,
        Command::Retry { one, ids } => one.retry(&ids).await,
        Command::Forget(one) => one.forget().await,
        Command::Secret { output } => {
            let mut random = [0; 32];
            getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
            let secret = new_secret(random);
            if output.json {
                output::object(json!({ "secret": secret.expose() }))
            } else {
                output::line(secret.expose())
            }
            Ok(())
        }
    }
}

/// A webhook with where it is, if it is configured, and how it stands.
struct Row {
    name: TargetName,
    url: Option<String>,
    standing: Standing,
}

async fn list(output: Output, place: &Place) -> anyhow::Result<()> {
    let targets = place.configuration()?.webhooks;
    let store = place.open_existing().await?;
    let mut rows = Vec::new();
    for name in all(&store, &targets).await? {
        let url = targets.get(&name).map(|target| target.place());
        rows.push(Row { url, standing: store.standing(&name.reader()).await?, name });
    }
    let json = |Row { name, url, standing }: &Row| {
        json!({
            "name": name.as_str(),
            "url": url,
            "configured": url.is_some(),
            "unread": standing.unread,
            "triedAgain": standing.again,
            "deadLetters": standing.dead,
            "lost": standing.lost,
        })
    };
    let row = |Row { name, url, standing }: &Row| {
        let counts = [standing.unread, standing.again, standing.dead, standing.lost].map(|count| count.to_string());
        let words = [name.to_string(), url.clone().unwrap_or_else(|| "(not configured)".to_owned())];
        words.into_iter().chain(counts).collect()
    };
    output::list(output, &rows, json, &["NAME", "URL", "UNREAD", "AGAIN", "DEAD", "LOST"], row);
    store.close().await;
    Ok(())
}

/// The names of those that are configured, and of those that only the store knows.
async fn all(store: &Store, targets: &Targets) -> anyhow::Result<BTreeSet<TargetName>> {
    let readers = store.readers().await?;
    Ok(readers.iter().filter_map(TargetName::of_reader).chain(targets.keys().cloned()).collect())
}

impl One {
    /// Opens the store, in which this webhook must be known.
    async fn open(&self) -> anyhow::Result<Arc<Store>> {
        let store = self.place.open_existing().await?;
        if !store.readers().await?.contains(&self.name.reader()) {
            bail!(
                "the store knows no webhook {}; `thingcall webhook list` shows those there are, and a server that starts with \
                 [webhooks.{}] makes one",
                self.name,
                self.name
            );
        }
        Ok(store)
    }

    async fn dead_letters(self) -> anyhow::Result<()> {
        let store = self.open().await?;
        let mut listing = Listing::new(self.output, &["ID", "AT", "TYPE", "DEVICE", "TRIES", "WHY"]);
        let mut after = 0;
        loop {
            let page = store.dead(&self.name.reader(), after, PAGE).await?;
            after = page.last().map_or(after, |(taken, _)| taken.message.place);
            let (is_last, json) = (page.len() < PAGE, |(taken, why): &(Taken, String)| described(taken, why));
            if !listing.page(&page, json, |(taken, why)| row(taken, why)) || is_last {
                break;
            }
        }
        store.close().await;
        Ok(())
    }

    async fn retry(self, ids: &[String]) -> anyhow::Result<()> {
        let store = self.open().await?;
        let places = if ids.is_empty() { None } else { Some(self.places(&store, ids).await?) };
        let revived = store.revive(&self.name.reader(), places.as_deref()).await?;
        output::one(self.output, &[("name", json!(self.name.as_str())), ("sentAgain", json!(revived))]);
        store.close().await;
        Ok(())
    }

    /// Where the dead letters of these ids stand.
    async fn places(&self, store: &Store, ids: &[String]) -> anyhow::Result<Vec<i64>> {
        let mut wanted: BTreeSet<&str> = ids.iter().map(String::as_str).collect();
        let (mut places, mut after) = (Vec::new(), 0);
        loop {
            let page = store.dead(&self.name.reader(), after, PAGE).await?;
            let Some((last, _)) = page.last() else { break };
            after = last.message.place;
            for (taken, _) in &page {
                if wanted.remove(&*taken.message.id.to_string()) {
                    places.push(taken.message.place);
                }
            }
        }
        match wanted.first() {
            Some(id) => bail!("webhook {} has no dead letter {id}; nothing was changed", self.name),
            None => Ok(places),
        }
    }

    async fn forget(self) -> anyhow::Result<()> {
        if self.place.configuration()?.webhooks.contains_key(&self.name) {
            bail!("[webhooks.{}] is configured; take the section out and start the server anew first", self.name);
        }
        let store = self.open().await?;
        let standing = store.standing(&self.name.reader()).await?;
        store.remove_reader(&self.name.reader()).await.context("it is not forgotten")?;
        tool::known(&store).await;
        output::note(format_args!("webhook {} is forgotten", self.name));
        let counts = [("unread", json!(standing.unread)), ("deadLetters", json!(standing.dead))];
        output::one(self.output, &[[("name", json!(self.name.as_str()))].as_slice(), &counts].concat());
        store.close().await;
        Ok(())
    }
}

/// A dead letter with what would be sent.
fn described(taken: &Taken, why: &str) -> Value {
    let text = String::from_utf8(Envelope::of(&taken.message).to_json().to_vec()).unwrap_or_default();
    let message = RawValue::from_string(text).ok();
    json!({
        "id": taken.message.id.to_string(),
        "at": moment(taken.message.at),
        "tries": taken.tries,
        "why": why,
        "message": message,
    })
}

fn row(taken: &Taken, why: &str) -> Vec<String> {
    let message = &taken.message;
    let kind = message.kind.as_str().to_owned();
    vec![
        message.id.to_string(),
        second(message.at),
        kind,
        message.device.to_string(),
        taken.tries.to_string(),
        why.to_owned(),
    ]
}
