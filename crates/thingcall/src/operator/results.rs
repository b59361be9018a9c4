//! What an operator may ask about what goes to applications: subscriptions, what waits for groups and webhooks, and dead letters; and
//! that these are sent again.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::middleware;
use axum::response::Response;
use axum::routing::{get, post};
use serde_json::{Map, Value, json};
use thingcall_core::{GroupId, JournalError, MessageLog, ReaderName, Subscription, Subscriptions, Taken};
use thingcall_store::Store;
use thingcall_webhook::TargetName;

use super::{answer, failure, no_browser};
use crate::config::Config;
use crate::output::moment;

/// How many subscriptions or dead letters a page has.
const PAGE: usize = 50;

/// What is asked, of whom.
struct Results {
    store: Arc<Store>,
    /// Where the webhooks of the configuration are.
    webhooks: BTreeMap<TargetName, String>,
}

/// `/subscriptions`, `/groups/{id}`, `/webhooks`, `/webhooks/{name}/dead` and `.../retry`.
pub(crate) fn routes(store: &Arc<Store>, config: &Config) -> Router {
    let webhooks = config.webhooks.iter().map(|(name, target)| (name.clone(), target.place())).collect();
    let results = Arc::new(Results { store: store.clone(), webhooks });
    let changing = Router::new().route("/webhooks/{name}/retry", post(retry)).layer(middleware::from_fn(no_browser));
    Router::new()
        .route("/subscriptions", get(subscriptions))
        .route("/groups/{id}", get(group))
        .route("/webhooks", get(webhooks_list))
        .route("/webhooks/{name}/dead", get(dead))
        .merge(changing)
        .with_state(results)
}

/// A member of a query.
fn asked(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(other, _)| other == name).map(|(_, value)| value.into_owned()).filter(|value| !value.is_empty())
}

/// By product, a page at a time: `next` of one is `after` of the next. `group`: those that go to this one.
async fn subscriptions(State(results): State<Arc<Results>>, RawQuery(query): RawQuery) -> Response {
    let (after, of) = (asked(query.as_deref(), "after"), asked(query.as_deref(), "group"));
    let mut all = results.store.subscriptions();
    all.retain(|one| of.as_ref().is_none_or(|of| one.groups.iter().any(|group| group.as_str() == of)));
    all.sort_by(|a, b| a.product.cmp(&b.product));
    let behind = all.iter().filter(|one| after.as_ref().is_none_or(|after| one.product.as_str() > after.as_str()));
    let page: Vec<_> = behind.clone().take(PAGE).collect();
    let next = if behind.count() > PAGE { page.last().map(|last| last.product.to_string()) } else { None };
    let page: Vec<_> = page.into_iter().map(|one| subscription(one)).collect();
    answer(StatusCode::OK, &json!({ "subscriptions": page, "next": next }))
}

fn subscription(one: &Subscription) -> Value {
    json!({
        "productKey": one.product.as_str(),
        "topics": one.topics.iter().map(|topic| topic.as_str()).collect::<Vec<_>>(),
        "groups": one.groups.iter().map(GroupId::as_str).collect::<Vec<_>>(),
    })
}

async fn group(State(results): State<Arc<Results>>, Path(id): Path<String>) -> Response {
    let Some(group) = GroupId::read(&id).and_then(|id| results.store.group(&id)) else {
        return failure(StatusCode::NOT_FOUND, "there is no such consumer group");
    };
    told(standing(&results.store, &group.id.reader()).await.map(Value::Object))
}

/// How a reader stands.
async fn standing(store: &Store, reader: &ReaderName) -> Result<Map<String, Value>, JournalError> {
    let standing = store.standing(reader).await?;
    let oldest = store.oldest_unread(reader).await?;
    let members = [
        ("unread", json!(standing.unread)),
        ("triedAgain", json!(standing.again)),
        ("deadLetters", json!(standing.dead)),
        ("lost", json!(standing.lost)),
        ("oldestUnreadAt", json!(oldest.map(moment))),
    ];
    Ok(members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// Those of the configuration, and those that only the store knows.
async fn webhooks_list(State(results): State<Arc<Results>>) -> Response {
    let listed = async {
        let readers = results.store.readers().await?;
        let mut names: Vec<_> = readers.iter().filter_map(TargetName::of_reader).collect();
        names.extend(results.webhooks.keys().cloned());
        names.sort();
        names.dedup();
        let mut all = Vec::new();
        for name in names {
            let mut one = standing(&results.store, &name.reader()).await?;
            let url = results.webhooks.get(&name);
            one.insert("name".to_owned(), json!(name.as_str()));
            one.insert("url".to_owned(), json!(url));
            one.insert("configured".to_owned(), json!(url.is_some()));
            all.push(Value::Object(one));
        }
        Ok(Value::Array(all))
    };
    told(listed.await)
}

/// The reader of a webhook, if it is known.
async fn reader(results: &Results, name: &str) -> Result<ReaderName, Response> {
    let unknown = || failure(StatusCode::NOT_FOUND, "there is no such webhook");
    let reader = name.parse::<TargetName>().map_err(|_| unknown())?.reader();
    let known = results.store.readers().await;
    let known = known.map_err(|why| failure(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()))?;
    if known.contains(&reader) { Ok(reader) } else { Err(unknown()) }
}

/// A webhook's dead letters, oldest first, a page at a time: `next` of one is `after` of the next.
async fn dead(State(results): State<Arc<Results>>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let reader = match reader(&results, &name).await {
        Ok(reader) => reader,
        Err(why) => return why,
    };
    let after = asked(query.as_deref(), "after").and_then(|after| after.parse().ok()).unwrap_or(0);
    let page = results.store.dead(&reader, after, PAGE).await;
    told(page.map(|page| {
        let next = page.last().filter(|_| page.len() == PAGE).map(|(taken, _)| taken.message.place.to_string());
        let letters: Vec<_> = page.iter().map(|(taken, why)| letter(taken, why)).collect();
        json!({ "letters": letters, "next": next })
    }))
}

fn letter(taken: &Taken, why: &str) -> Value {
    let message = &taken.message;
    json!({
        "id": message.id.to_string(),
        "place": message.place.to_string(),
        "at": moment(message.at),
        "kind": message.kind.as_str(),
        "device": message.device.to_string(),
        "tries": taken.tries,
        "why": why,
    })
}

/// Has dead letters sent again: the one at `place`, or all.
async fn retry(State(results): State<Arc<Results>>, Path(name): Path<String>, RawQuery(query): RawQuery) -> Response {
    let reader = match reader(&results, &name).await {
        Ok(reader) => reader,
        Err(why) => return why,
    };
    let place = match asked(query.as_deref(), "place").map(|place| place.parse::<i64>()) {
        Some(Err(_)) => return failure(StatusCode::BAD_REQUEST, "place is no number; right is that of a dead letter"),
        Some(Ok(place)) => Some(vec![place]),
        None => None,
    };
    let revived = results.store.revive(&reader, place.as_deref()).await;
    told(revived.map(|revived| json!({ "sentAgain": revived })))
}

fn told(found: Result<Value, JournalError>) -> Response {
    match found {
        Ok(found) => answer(StatusCode::OK, &found),
        Err(why) => failure(StatusCode::SERVICE_UNAVAILABLE, &why.to_string()),
    }
}
