//! What an operator may ask about the devices that fail or are slow most often.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use thingcall_core::{DeviceKey, ProductKey};
use thingcall_engine::{Engine, Often, TopBy, TopNote};

use super::{answer, failure};
use crate::instance::Membership;
use crate::output::moment;

/// How many are told.
const LIMIT: usize = 10;
const LIMIT_MAX: usize = 1000;

type Parts = (Arc<Engine>, Arc<Membership>);

/// `/debug/top`.
pub(crate) fn routes(engine: Arc<Engine>, membership: Arc<Membership>) -> Router {
    Router::new().route("/debug/top", get(top)).with_state((engine, membership))
}

async fn top(State((engine, membership)): State<Parts>, RawQuery(query): RawQuery) -> Response {
    let Some((by, limit)) = asked(query.as_deref().unwrap_or_default()) else {
        let right = format!("right is by=failures, timeouts or slow, and limit=N, of 1 to {LIMIT_MAX}");
        return failure(StatusCode::BAD_REQUEST, &right);
    };
    let most = engine.top(by, limit);
    let devices: Vec<_> = most.devices.iter().map(device).collect();
    let products: Vec<_> = most.products.iter().map(product).collect();
    let told = json!({
        "instance": membership.now().0.name, "by": <&str>::from(by), "windowSeconds": Engine::TOP_WINDOW.as_secs(),
        "devices": devices, "products": products,
    });
    answer(StatusCode::OK, &told)
}

/// By what, and how many.
fn asked(query: &str) -> Option<(TopBy, usize)> {
    let (mut by, mut limit) = (TopBy::Failures, LIMIT);
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        match pair.split_once('=')? {
            ("by", word) => by = word.parse().ok()?,
            ("limit", number) => limit = number.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit))?,
            _ => return None,
        }
    }
    Some((by, limit))
}

fn device(often: &Often<DeviceKey, TopNote>) -> Value {
    let name = [("productKey", often.key.product.as_str()), ("deviceName", often.key.name.as_str())];
    told(&name, (often.count, often.too_many), &often.value)
}

fn product(often: &Often<ProductKey, TopNote>) -> Value {
    told(&[("productKey", often.key.as_str())], (often.count, often.too_many), &often.value)
}

fn told(name: &[(&str, &str)], (count, too_many): (u32, u32), note: &TopNote) -> Value {
    let mut members = serde_json::Map::new();
    members.extend(name.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))));
    members.insert("count".to_owned(), count.into());
    members.insert("tooManyAtMost".to_owned(), too_many.into());
    members.insert("lastAt".to_owned(), moment(note.at).into());
    members.insert("lastOutcome".to_owned(), note.outcome.as_str().into());
    members.insert("slowestSeconds".to_owned(), note.slowest.as_secs_f64().into());
    Value::Object(members)
}

#[cfg(test)]
mod tests {
    //! What may be asked.

    use super::*;

    #[test]
    fn what_is_not_said_has_a_default_and_what_is_wrong_is_refused() {
        assert_eq!(asked(""), Some((TopBy::Failures, 10)));
        assert_eq!(asked("by=slow&limit=3"), Some((TopBy::Slow, 3)));
        assert_eq!(asked("limit=1000&by=timeouts"), Some((TopBy::Timeouts, 1000)));
        for wrong in ["by=speed", "limit=0", "limit=1001", "limit", "more=1", "by=slow&"] {
            assert_eq!(asked(wrong).is_some(), wrong == "by=slow&", "{wrong}");
        }
    }
}
