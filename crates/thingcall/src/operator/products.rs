//! What an operator may ask about the settings of products, and change, which no action of the API does.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::json;
use thingcall_core::{ProductKey, TransportName};
use thingcall_store::Store;
use thingcall_tsl::{Directory, DirectoryError, Edited, Product, ProductSettings, Registrants, Registry};

use super::{answer, failure, no_browser};
use crate::settings::{self, Secret};
use crate::tool::word;

/// What these routes know.
#[derive(Clone)]
struct Settings {
    store: Arc<Store>,
    /// The transports that are configured.
    transports: Arc<[TransportName]>,
}

/// `/products/{productKey}/settings`.
pub(crate) fn routes(store: Arc<Store>, transports: Vec<TransportName>) -> Router {
    let changing = post(change).layer(middleware::from_fn(no_browser));
    let state = Settings { store, transports: transports.into() };
    Router::new().route("/products/{product}/settings", get(show).merge(changing)).with_state(state)
}

/// The settings of a product, and which transports there are.
async fn show(State(settings): State<Settings>, Path(product): Path<String>) -> Response {
    settings.told(&product)
}

/// Changes those that the query names.
async fn change(State(settings): State<Settings>, Path(product): Path<String>, RawQuery(query): RawQuery) -> Response {
    let wanted = match Wanted::read(query.as_deref().unwrap_or_default(), &settings.transports) {
        Ok(wanted) => wanted,
        Err(why) => return failure(StatusCode::BAD_REQUEST, &why),
    };
    let Some(key) = settings.known(&product) else { return settings.told(&product) };
    let mut failed = None;
    let mut edit = |product: &Product| match wanted.on(product.settings) {
        Ok(new) => (new != product.settings).then_some(Edited::Settings(new)),
        Err(error) => {
            failed = Some(error);
            None
        }
    };
    let edited = settings.store.edit_product(&key, &mut edit).await;
    match (edited, failed) {
        (Ok(()), None) => settings.told(&product),
        (Ok(()), Some(error)) => failure(StatusCode::SERVICE_UNAVAILABLE, &format!("{error:#}")),
        (Err(error @ DirectoryError::NoProduct(_)), _) => failure(StatusCode::NOT_FOUND, &error.to_string()),
        (Err(error), _) => failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

impl Settings {
    fn known(&self, product: &str) -> Option<ProductKey> {
        product.parse().ok().filter(|key| self.store.product(key).is_some())
    }

    fn told(&self, product: &str) -> Response {
        let Some(found) = self.known(product).and_then(|key| self.store.product(&key)) else {
            return failure(StatusCode::NOT_FOUND, &format!("product {product:?} does not exist"));
        };
        let settings = settings::as_json(found.settings);
        let told = json!({ "productKey": found.key.as_str(), "settings": settings, "transports": &*self.transports });
        answer(StatusCode::OK, &told)
    }
}

/// What shall be different.
#[derive(Debug, Default)]
struct Wanted {
    settings: Vec<(String, String)>,
    who: Option<Registrants>,
    secret: Secret,
}

impl Wanted {
    fn read(query: &str, transports: &[TransportName]) -> Result<Self, String> {
        let mut wanted = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let of_it = |why| format!("{name}: {why}");
            match &*name {
                "registration" => wanted.who = Some(word(&value).map_err(of_it)?),
                "new_secret" if value == "true" => wanted.secret = Secret::New,
                "new_secret" => return Err("new_secret: right is true, or nothing".to_owned()),
                _ => {
                    // Whether it is right does not depend on what the product has.
                    let tried = set(&mut ProductSettings::default(), &name, &value).map_err(of_it)?;
                    if let Some(other) = tried.filter(|transport| !transports.contains(transport)) {
                        let names: Vec<_> = transports.iter().map(ToString::to_string).collect();
                        return Err(format!(
                            "transport: {other} is not configured; right are auto, {}",
                            names.join(", ")
                        ));
                    }
                    wanted.settings.push((name.into_owned(), value.into_owned()));
                }
            }
        }
        Ok(wanted)
    }

    /// These settings, with the difference.
    fn on(&self, mut settings: ProductSettings) -> anyhow::Result<ProductSettings> {
        for (name, value) in &self.settings {
            set(&mut settings, name, value).map_err(anyhow::Error::msg)?;
        }
        let who = self.who.or(settings.registration.map(|now| now.who));
        if let Some(who) = who {
            settings.registration = settings::registration(settings.registration, who, self.secret)?;
        }
        Ok(settings)
    }
}

/// Sets one, and says which transport it is, if it is one.
fn set(settings: &mut ProductSettings, name: &str, value: &str) -> Result<Option<TransportName>, String> {
    match name {
        "validation" => settings.validation = word(value)?,
        "args_check" => settings.args_check = word(value)?,
        "reply_check" => settings.reply_check = word(value)?,
        "data_format" => settings.data_format = word(value)?,
        "raw_answers" => settings.raw_answers = word(value)?,
        "pacing" => settings.pacing = word(value)?,
        "sync_topic" if value == "auto" => settings.sync_topic = None,
        "sync_topic" => settings.sync_topic = Some(word(value)?),
        "transport" => {
            let named = (value != "auto").then(|| value.parse::<TransportName>());
            settings.transport = named.transpose().map_err(|error| error.to_string())?;
            return Ok(settings.transport);
        }
        _ => {
            return Err("no such setting; right are validation, args_check, reply_check, data_format, raw_answers, sync_topic, \
                        pacing, transport, registration and new_secret"
                .to_owned());
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests;
