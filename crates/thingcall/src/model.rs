//! `thingcall model ...`: the latest thing models of products, in the store.

use anyhow::{Context, bail};
use serde_json::{Value, json};
use thingcall_core::{ModuleId, ProductKey};
use thingcall_store::Store;
use thingcall_tsl::{Directory, ModelVersion, ModelVersions, Registry, ThingModel};

use crate::output::{self, Output, moment, second};
use crate::tool::{self, Place};

/// What to do with versions of thing models.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// List the versions of a product's model: the ten latest published ones and the ten latest others, the one in force first
    List {
        /// The product's key
        #[arg(value_name = "PRODUCTKEY")]
        product: ProductKey,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
    /// Print a file of a version, as it was imported
    #[command(
        after_help = "Examples:\n  thingcall model show a1BwAGVxxxx 1788000000000 > model.json\n  thingcall model show \
                            a1BwAGVxxxx 1788000000000 --module testFb > module.json"
    )]
    Show {
        #[command(flatten)]
        version: Version,
        /// The file of this custom module [default: that of the default module]
        #[arg(long, value_name = "MODULE")]
        module: Option<ModuleId>,
        #[command(flatten)]
        place: Place,
    },
    /// Put a version in force again: it becomes the newest one
    Restore {
        #[command(flatten)]
        version: Version,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        place: Place,
    },
}

/// A version on the command line.
#[derive(Debug, clap::Args)]
pub(crate) struct Version {
    /// The product's key
    #[arg(value_name = "PRODUCTKEY")]
    product: ProductKey,
    /// The version, as `thingcall model list` tells it
    #[arg(value_name = "VERSION")]
    number: String,
}

/// Runs `thingcall model ...`.
pub(crate) async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::List { product, output, place } => {
            let store = place.open_existing().await?;
            must_have(&store, &product)?;
            let versions = store.model_versions(&product).await?;
            let heading = ["VERSION", "SET", "PUBLISHED", "DESCRIPTION"];
            output::list(output, &versions, summary, &heading, row);
            store.close().await;
        }
        Command::Show { version, module, place } => {
            let store = place.open_existing().await?;
            let model = version.find(&store).await?;
            let ids: Vec<_> = model.module_texts().map(|(id, _)| id.as_str()).collect();
            let file = model.module_json(module.as_ref());
            let file =
                file.with_context(|| format!("there is no such module; its modules are [{}]", ids.join(", ")))?;
            output::line(file);
            store.close().await;
        }
        Command::Restore { version, output, place } => {
            let store = place.open_existing().await?;
            let model = version.find(&store).await?;
            store.set_model(&version.product, model).await?;
            tool::known(&store).await;
            let newest = store.model_versions(&version.product).await?;
            let newest = newest.first().map(|version| json!(version.number)).unwrap_or_default();
            let restored = json!(version.number);
            let members =
                [("productKey", json!(version.product.as_str())), ("version", newest), ("restored", restored)];
            output::one(output, &members);
            store.close().await;
        }
    }
    Ok(())
}

fn must_have(store: &Store, product: &ProductKey) -> anyhow::Result<()> {
    if store.product(product).is_none() {
        bail!("product {product} does not exist");
    }
    Ok(())
}

impl Version {
    async fn find(&self, store: &Store) -> anyhow::Result<ThingModel> {
        let Self { product, number } = self;
        must_have(store, product)?;
        if let Some(model) = store.model_of(product, number).await? {
            return Ok(model);
        }
        let kept = store.model_versions(product).await?;
        let kept: Vec<_> = kept.iter().map(|version| version.number.as_str()).collect();
        bail!("version {number} of the model of {product} is not kept; those that are: {}", kept.join(", "))
    }
}

fn summary(version: &ModelVersion) -> Value {
    json!({
        "version": version.number,
        "createdAt": moment(version.created_at),
        "publishedAt": version.published_at.map(moment),
        "description": version.description,
    })
}

fn row(version: &ModelVersion) -> Vec<String> {
    let description = version.description.clone().unwrap_or_default();
    let published = version.published_at.map(second).unwrap_or_default();
    vec![version.number.clone(), second(version.created_at), published, description]
}
