//! `thingcall subscription ...`: what of a product's devices goes to which consumer groups, in the store.

use std::sync::Arc;

use anyhow::Context;
use serde_json::{Value, json};
use strum::VariantArray;
use thingcall_core::{GroupId, ProductKey, Subscription, SubscriptionChange, Subscriptions, Topic};
use thingcall_store::Store;

use crate::group::{self, found};
use crate::output::{self, Output};
use crate::tool::{self, Place};

/// What to do with subscriptions.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List all subscriptions
    List {
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Say what of a product's devices goes to which consumer groups
    #[command(
        after_help = "Examples:\n  thingcall subscription set a1BwAGVxxxx\n  thingcall subscription set a1BwAGVxxxx \
        --topic device_data,device_status --group orders\n\nWhat is not given stays as it was. A product that had no \
        subscription gets one to all topics that there are messages of, for DEFAULT_GROUP. Messages are kept for a group from \
        then on, so subscribe before you call."
    )]
    Set(Set),
    /// End a product's subscription; what waits for its groups stays
    Remove {
        /// The product
        #[arg(value_name = "PRODUCTKEY")]
        product: ProductKey,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
}

/// What a subscription is to be.
#[derive(Debug, clap::Args)]
pub(crate) struct Set {
    /// The product
    #[arg(value_name = "PRODUCTKEY")]
    product: ProductKey,
    /// To what, several by commas: device_data (results, posts), device_status, device_life_cycle, thing_history,
    /// device_tag; also device_topo_life_cycle, found_device_list, ota_event, ota_version and ota_job, of which there are no
    /// messages here
    #[arg(long = "topic", value_name = "TOPIC,...", value_delimiter = ',', value_parser = topic)]
    topics: Vec<Topic>,
    /// For which consumer groups, by id or name, several by commas
    #[arg(long = "group", value_name = "GROUP,...", value_delimiter = ',')]
    groups: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

/// Runs `thingcall subscription ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { output, place } => {
            let store = place.open_existing().await?;
            let json = |subscription: &Arc<Subscription>| described(subscription);
            output::list(output, &store.subscriptions(), json, &["PRODUCT", "TOPICS", "GROUPS"], |subscription| {
                let product = subscription.product.to_string();
                vec![product, topics(subscription).join(" "), groups(subscription).join(" ")]
            });
            store.close().await;
            Ok(())
        }
        Command::Set(set) => set.run().await,
        Command::Remove { product, output, place } => {
            let store = place.open_existing().await?;
            let old = store.subscription(&product);
            store.unsubscribe(&product).await?;
            tool::known(&store).await;
            output::note(format_args!("the subscription of product {product} is removed"));
            old.iter().for_each(|old| group::print(output, &described(old)));
            store.close().await;
            Ok(())
        }
    }
}

impl Set {
    async fn run(self) -> anyhow::Result<()> {
        let store = self.place.open_existing().await?;
        let old = store.subscription(&self.product);
        let new = self.subscription(&store, old.as_deref())?;
        if old.is_some() {
            let to = SubscriptionChange::To { topics: new.topics, groups: new.groups };
            store.change_subscription(&self.product, to).await?;
        } else {
            store.subscribe(new).await?;
        }
        tool::known(&store).await;
        let set = store.subscription(&self.product).context("the subscription is gone again")?;
        group::print(self.output, &described(&set));
        store.close().await;
        Ok(())
    }

    fn subscription(&self, store: &Store, old: Option<&Subscription>) -> anyhow::Result<Subscription> {
        let mut topics = self.topics.clone();
        if topics.is_empty() {
            topics = old.map_or_else(told_of, |old| old.topics.clone());
        }
        topics.sort_unstable();
        topics.dedup();
        let given = self.groups.iter().map(|text| found(store, text).map(|group| group.id.clone()));
        let mut groups = given.collect::<anyhow::Result<Vec<_>>>()?;
        if groups.is_empty() {
            groups = old.map_or_else(|| vec![GroupId::default_group()], |old| old.groups.clone());
        }
        Ok(Subscription { product: self.product.clone(), topics, groups })
    }
}

/// The topics that there are messages of.
fn told_of() -> Vec<Topic> {
    Topic::VARIANTS.iter().copied().filter(|topic| !topic.kinds().is_empty()).collect()
}

fn topic(text: &str) -> Result<Topic, String> {
    text.parse().map_err(|_| {
        let topics: Vec<_> = Topic::VARIANTS.iter().map(|topic| topic.as_str()).collect();
        format!("right are {}", topics.join(", "))
    })
}

fn topics(subscription: &Subscription) -> Vec<&'static str> {
    subscription.topics.iter().map(|topic| topic.as_str()).collect()
}

fn groups(subscription: &Subscription) -> Vec<&str> {
    subscription.groups.iter().map(GroupId::as_str).collect()
}

fn described(subscription: &Subscription) -> Value {
    json!({
        "productKey": subscription.product.as_str(),
        "topics": topics(subscription),
        "groups": groups(subscription),
    })
}
