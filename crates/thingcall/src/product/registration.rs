//! `thingcall product registration`: whether devices of a product may come for their secrets, and the secret they prove then.

use anyhow::Context;
use serde_json::json;
use thingcall_core::ProductKey;
use thingcall_tsl::{Directory, Edited, Product, ProductSecret, ProductSettings, Registrants, Registry};

use crate::output::{self, Output};
use crate::settings::{Secret, registration as changed};
use crate::tool::{self, Place};

/// What to do with the registration of a product's devices.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The product's key
    #[arg(value_name = "PRODUCTKEY")]
    key: ProductKey,
    /// `off`, which keeps the secret; `registered`: devices that are registered and have never connected; `any`: others are
    /// registered when they come. Without it, what it is now
    #[arg(value_name = "off|registered|any")]
    who: Option<Who>,
    /// The product's secret, 16 letters and digits [default: the one it has, else a new one]
    #[arg(long, value_name = "S", value_parser = secret, requires = "who")]
    secret: Option<ProductSecret>,
    /// Give the product a new secret: devices that have the old one get theirs no more
    #[arg(long, requires = "who", conflicts_with = "secret")]
    new_secret: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Who {
    Off,
    Registered,
    Any,
}

impl From<Who> for Registrants {
    fn from(who: Who) -> Self {
        match who {
            Who::Off => Self::Off,
            Who::Registered => Self::Registered,
            Who::Any => Self::Any,
        }
    }
}

fn secret(text: &str) -> Result<ProductSecret, String> {
    ProductSecret::try_from(text).map_err(|error| error.to_string())
}

/// Runs `thingcall product registration`.
pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let Args { key, who, secret, new_secret, output, place } = args;
    let store = place.open_existing().await?;
    let product = store.product(&key).with_context(|| format!("product {key} does not exist"))?;
    let before = product.settings.registration;
    let now = match who {
        None => before,
        Some(who) => {
            let wanted = if new_secret { Secret::New } else { secret.map_or(Secret::Kept, Secret::This) };
            changed(before, who.into(), wanted)?
        }
    };
    if now != before {
        let mut edit =
            |product: &Product| Some(Edited::Settings(ProductSettings { registration: now, ..product.settings }));
        store.edit_product(&key, &mut edit).await?;
        tool::known(&store).await;
    }
    store.close().await;
    let members = [
        ("productKey", json!(key.as_str())),
        ("registration", now.map_or(json!("off"), |now| json!(now.who))),
        ("productSecret", json!(now.map(|now| now.secret.expose().to_owned()))),
    ];
    output::one(output, &members);
    Ok(())
}
