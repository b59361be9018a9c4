//! What an operator may ask about devices: those of a product, looked for by name and status, and all that is known of one.
//!
//! **Invariant:** no secret is told here: the listener has no key.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery, State};
use axum::http::StatusCode;
use axum::response::Response;
use axum::routing::get;
use serde_json::{Value, json};
use thingcall_core::{DeviceKey, DeviceName, DeviceRef, ProductKey, UnixMillis};
use thingcall_engine::Engine;
use thingcall_store::{DeviceSearch, DevicesFound, Store};
use thingcall_tsl::{
    DeviceCounts, DeviceMark, DevicePage, DeviceRecord, DeviceStatus, Directory, DirectoryError, PageStart,
};

use super::calls::{presence_words, without_nulls};
use super::{answer, failure};
use crate::device_words::{members, told_state};

/// How many devices a page has at most.
const PAGE_DEVICES_MAX: usize = 500;

/// What these routes ask.
#[derive(Clone)]
struct Devices {
    engine: Arc<Engine>,
    store: Arc<Store>,
}

/// `/devices` and `/devices/{productKey}/{deviceName}`.
pub(crate) fn routes(engine: Arc<Engine>, store: Arc<Store>) -> Router {
    let state = Devices { engine, store };
    Router::new().route("/devices", get(list)).route("/devices/{product}/{name}", get(show)).with_state(state)
}

/// A product's devices, a page at a time, `next` of one is `after` of the next: newest first, or by name where names are looked for.
async fn list(State(devices): State<Devices>, RawQuery(query): RawQuery) -> Response {
    let wanted = match Wanted::read(query.as_deref().unwrap_or_default()) {
        Ok(wanted) => wanted,
        Err(why) => return failure(StatusCode::BAD_REQUEST, &why),
    };
    match devices.found(&wanted).await {
        Ok(found) => answer(StatusCode::OK, &found),
        Err(error @ DirectoryError::NoProduct(_)) => failure(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// All that is known of one.
async fn show(State(devices): State<Devices>, Path((product, name)): Path<(String, String)>) -> Response {
    let (Ok(product), Ok(name)) = (product.parse(), name.parse()) else {
        return failure(StatusCode::BAD_REQUEST, "right is /devices/PRODUCTKEY/DEVICENAME");
    };
    match devices.store.device(&DeviceRef::Key(DeviceKey { product, name })).await {
        Ok(record) => answer(StatusCode::OK, &devices.told(&record)),
        Err(error @ DirectoryError::NoDevice(_)) => failure(StatusCode::NOT_FOUND, &error.to_string()),
        Err(error) => failure(StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}

/// Which devices.
struct Wanted {
    product: ProductKey,
    prefix: String,
    status: Option<DeviceStatus>,
    after: String,
    max: usize,
}

impl Wanted {
    fn read(query: &str) -> Result<Self, String> {
        let (mut product, mut prefix, mut status, mut after, mut max) = (None, String::new(), None, String::new(), 50);
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "product" => {
                    let key = ProductKey::try_from(&*value).map_err(|error| format!("product: {error}"))?;
                    product = Some(key);
                }
                "name" => prefix = value.into_owned(),
                "status" => status = Some(status_of(&value)?),
                "after" => after = value.into_owned(),
                "limit" => {
                    let fits = value.parse().ok().filter(|limit| (1..=PAGE_DEVICES_MAX).contains(limit));
                    max = fits.ok_or_else(|| format!("limit: right is 1 to {PAGE_DEVICES_MAX}"))?;
                }
                _ => return Err("right are product, name, status, after and limit".to_owned()),
            }
        }
        let product = product.ok_or("product is missing")?;
        Ok(Self { product, prefix, status, after, max })
    }
}

fn status_of(word: &str) -> Result<DeviceStatus, String> {
    match word {
        "online" => Ok(DeviceStatus::Online),
        "offline" => Ok(DeviceStatus::Offline),
        "unactive" => Ok(DeviceStatus::Unactive),
        "disable" => Ok(DeviceStatus::Disabled),
        other => Err(format!("status: {other:?} is none; right are online, offline, unactive and disable")),
    }
}

impl Devices {
    async fn found(&self, wanted: &Wanted) -> Result<Value, DirectoryError> {
        let (found, next) =
            if wanted.prefix.is_empty() { self.newest(wanted).await? } else { self.named(wanted).await? };
        let counts = self.store.device_counts(Some(&wanted.product)).await?;
        let devices: Vec<_> = found.iter().map(|record| self.told(record)).collect();
        Ok(without_nulls(json!({ "devices": devices, "next": next, "counts": counted(counts) })))
    }

    async fn named(&self, wanted: &Wanted) -> Result<(Vec<DeviceRecord>, Option<String>), DirectoryError> {
        let Wanted { product, prefix, status, max, .. } = wanted;
        let after = DeviceName::try_from(wanted.after.as_str()).ok();
        let search = DeviceSearch { prefix, after: after.as_ref(), status: *status, max: *max };
        let DevicesFound { devices, next } = self.store.search(product, &search).await?;
        Ok((devices, next.map(|name| name.to_string())))
    }

    async fn newest(&self, wanted: &Wanted) -> Result<(Vec<DeviceRecord>, Option<String>), DirectoryError> {
        let start = mark(&wanted.after).map_or(PageStart::Skip(0), PageStart::Behind);
        // One more tells whether there is a page behind it.
        let page = DevicePage { status: wanted.status, start, max: wanted.max + 1 };
        let mut found = self.store.page(&wanted.product, &page).await?;
        let is_last = found.len() <= wanted.max;
        found.truncate(wanted.max);
        let last = found.last().filter(|_| !is_last).map(DeviceRecord::mark);
        let next = last.map(|DeviceMark { created_at, name }| format!("{}.{name}", created_at.0));
        Ok((found, next))
    }

    fn told(&self, record: &DeviceRecord) -> Value {
        let presence = presence_words(&self.engine, &record.device.key);
        without_nulls(members(record, None, told_state(record, &presence)))
    }
}

fn mark(after: &str) -> Option<DeviceMark> {
    let (at, name) = after.split_once('.')?;
    Some(DeviceMark { created_at: UnixMillis(at.parse().ok()?), name: name.try_into().ok()? })
}

fn counted(counts: DeviceCounts) -> Value {
    let DeviceCounts { online, offline, unactive, disabled, .. } = counts;
    json!({ "all": counts.all(), "online": online, "offline": offline, "unactive": unactive, "disable": disabled })
}
