//! `thingcall group ...`: consumer groups, in the store.

use std::sync::Arc;

use anyhow::bail;
use serde_json::{Value, json};
use thingcall_core::{ConsumerGroup, GroupId, MessageLog, Subscriptions};
use thingcall_store::Store;

use crate::output::{self, Output, moment, second};
use crate::tool::{self, Place};

/// What to do with consumer groups.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List all groups
    List {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Make a group and print the id that its consumers connect with
    #[command(after_help = "Examples:\n  thingcall group add orders --json\n  thingcall group add orders --id \
            hYgRT7O3BJmspjW2emL8MKhdPY")]
    Add {
        /// Its name, for people: 4 to 30 letters, digits and _; a character of Chinese or Japanese counts as two
        name: String,
        /// Its id, that of a group elsewhere whose consumers come here: 26 letters and digits [default: a new one]
        #[arg(long, value_name = "GROUPID", value_parser = group_id)]
        id: Option<GroupId>,
        /// Make it also where another group has this name
        #[arg(long)]
        again: bool,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Give a group another name; its id stays
    Rename {
        #[command(flatten)]
        group: Named,
        /// The new name
        name: String,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Remove a group and what waits for it; refused while a subscription names it
    Remove(One),
    /// Show a group, what goes to it and what waits for it
    Show(One),
    /// Drop what waits for a group: its consumers go on with what is new
    #[command(after_help = "What was given to a consumer already, and dead letters, are not dropped.")]
    Skip(One),
}

/// A group on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Named {
    /// The group's id, such as DEFAULT_GROUP, or its name where no other has it
    #[arg(value_name = "GROUP")]
    group: String,
}

/// One group in the store.
#[derive(Debug, clap::Args)]
pub(crate) struct One {
    #[command(flatten)]
    group: Named,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall group ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { output, place } => {
            let store = place.open_existing().await?;
            let heading = ["GROUP", "NAME", "PRODUCTS", "CREATED"];
            let json = |group: &Arc<ConsumerGroup>| described(&store, group);
            output::list(output, &store.groups(), json, &heading, |group| row(&store, group));
            store.close().await;
            Ok(())
        }
        Command::Add { name, id, again, output, place } => {
            let store = place.open().await?;
            if let Some(other) = store.groups().iter().find(|group| group.name == name && !again) {
                bail!("consumer group {} is called {name:?} already; --again makes another of this name", other.id);
            }
            let group = store.create_group(&name, id).await?;
            tool::known(&store).await;
            output::one(output, &[("groupId", json!(group.id.as_str())), ("name", json!(group.name))]);
            store.close().await;
            Ok(())
        }
        Command::Rename { group, name, output, place } => {
            let store = place.open_existing().await?;
            let group = found(&store, &group.group)?;
            store.rename_group(&group.id, &name).await?;
            tool::known(&store).await;
            output::one(output, &[("groupId", json!(group.id.as_str())), ("name", json!(name))]);
            store.close().await;
            Ok(())
        }
        Command::Remove(one) => one.remove().await,
        Command::Show(one) => one.show().await,
        Command::Skip(one) => one.skip().await,
    }
}

impl One {
    async fn remove(self) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let group = found(&store, &self.group.group)?;
        store.delete_group(&group.id).await?;
        tool::known(&store).await;
        output::note(format_args!("consumer group {} is removed", group.id));
        print(self.output, &described(&store, &group));
        store.close().await;
        Ok(())
    }

    async fn show(self) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let group = found(&store, &self.group.group)?;
        let standing = store.standing(&group.id.reader()).await?;
        let mut shown = described(&store, &group);
        if let Value::Object(members) = &mut shown {
            let counts = [
                ("unread", standing.unread),
                ("triedAgain", standing.again),
                ("deadLetters", standing.dead),
                ("lost", standing.lost),
            ];
            members.extend(counts.map(|(name, count)| (name.to_owned(), json!(count))));
        }
        print(self.output, &shown);
        store.close().await;
        Ok(())
    }

    async fn skip(self) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let group = found(&store, &self.group.group)?;
        let skipped = store.skip(&group.id.reader()).await?;
        output::one(self.output, &[("groupId", json!(group.id.as_str())), ("skipped", json!(skipped))]);
        store.close().await;
        Ok(())
    }
}

fn group_id(text: &str) -> Result<GroupId, String> {
    GroupId::read(text).ok_or_else(|| format!("it has {} letters and digits", GroupId::CHARS))
}

/// The group of this id, or of this name.
///
/// # Errors
/// If there is none, or several have the name.
pub(crate) fn found(store: &Store, text: &str) -> anyhow::Result<Arc<ConsumerGroup>> {
    if let Some(group) = GroupId::read(text).and_then(|id| store.group(&id)) {
        return Ok(group);
    }
    let mut named = store.groups();
    named.retain(|group| group.name == text);
    match &*named {
        [group] => Ok(group.clone()),
        [] => bail!("there is no consumer group {text:?}; `thingcall group list` shows those there are"),
        several => {
            let ids: Vec<_> = several.iter().map(|group| group.id.as_str()).collect();
            bail!("{} consumer groups are called {text:?}; give the id of one: {}", several.len(), ids.join(", "))
        }
    }
}

/// The products whose messages go to a group.
fn products(store: &Store, group: &GroupId) -> Vec<String> {
    let mut of = store.subscriptions();
    of.retain(|subscription| subscription.groups.contains(group));
    of.iter().map(|subscription| subscription.product.to_string()).collect()
}

fn described(store: &Store, group: &ConsumerGroup) -> Value {
    json!({
        "groupId": group.id.as_str(),
        "name": group.name,
        "createdAt": moment(group.created_at),
        "products": products(store, &group.id),
    })
}

fn row(store: &Store, group: &ConsumerGroup) -> Vec<String> {
    let products = products(store, &group.id).join(" ");
    vec![group.id.to_string(), group.name.clone(), products, second(group.created_at)]
}

/// Prints an object; lists in it are words for eyes.
pub(crate) fn print(output: Output, shown: &Value) {
    if output.json {
        return output::object(shown.clone());
    }
    let Value::Object(members) = shown else { return };
    let words = |value: &Value| match value.as_array() {
        None => value.clone(),
        Some(items) if items.is_empty() => json!("-"),
        Some(items) => json!(items.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
    };
    let members: Vec<_> = members.iter().map(|(name, value)| (name.as_str(), words(value))).collect();
    output::one(output, &members);
}
