//! `thingcall product registration`: whether devices of a product may come for their secrets, and the secret they prove then.

use anyhow::Context;
use serde_json::json;
use thingcall_core::ProductKey;
use thingcall_tsl::{Directory, Edited, Product, ProductSecret, ProductSettings, Registrants, Registration, Registry};

use crate::output::{self, Output};
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
        // There is no secret to keep.
        Some(Who::Off) if before.is_none() && secret.is_none() && !new_secret => None,
        Some(who) => {
            let kept = before.map(|before| before.secret).filter(|_| !new_secret);
            let secret = match secret.or(kept) {
                Some(secret) => secret,
                None => made_up()?,
            };
            Some(Registration { who: who.into(), secret })
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

/// As secrets of the platform's products: 16 letters and digits, each as likely as the others.
fn made_up() -> anyhow::Result<ProductSecret> {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789__";
    let mut secret = String::new();
    while secret.len() < 16 {
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| anyhow::anyhow!("no random bytes: {error}"))?;
        let letters = random.iter().filter_map(|byte| LETTERS.get(usize::from(byte % 64)).copied().map(char::from));
        secret.extend(letters.filter(char::is_ascii_alphanumeric).take(16 - secret.len()));
    }
    Ok(ProductSecret::try_from(secret)?)
}
