//! A device as people are told of it.
//!
//! **Invariant:** its secret is told only where it is handed over.

use serde_json::{Map, Value, json};
use thingcall_core::{Presence, Secret};
use thingcall_tsl::DeviceRecord;

use crate::output::moment;

/// Alibaba's words for a device's state, as the transports of a running server know it: where it is connected, else where its commands would go.
pub(crate) fn told_state(record: &DeviceRecord, told: &Map<String, Value>) -> &'static str {
    let is = |word: &Value, presence: Presence| word.as_str() == Some(presence.as_str());
    let route = record.device.transport.or(record.came_from).and_then(|transport| told.get(transport.as_str()));
    let mut asked = route.map_or_else(|| told.values().collect::<Vec<_>>(), |word| vec![word]).into_iter();
    let known = if told.values().any(|word| is(word, Presence::Online)) {
        Presence::Online
    } else if asked.all(|word| is(word, Presence::Offline)) {
        Presence::Offline
    } else {
        Presence::Unknown
    };
    state(record, known)
}

/// The same, where that much is known of its connection.
pub(crate) fn state(record: &DeviceRecord, known: Presence) -> &'static str {
    match record {
        DeviceRecord { device, .. } if !device.enabled => "DISABLE",
        DeviceRecord { activated_at: None, .. } if known != Presence::Online => "UNACTIVE",
        DeviceRecord { .. } => known.as_str(),
    }
}

/// What people are told of a device; its secret only where that is given.
pub(crate) fn members(record: &DeviceRecord, secret: Option<&Secret>, state: &str) -> Value {
    let mut members = json!({
        "productKey": record.device.key.product.as_str(),
        "deviceName": record.device.key.name.as_str(),
        "iotId": record.device.iot_id.as_str(),
        "status": state,
        "nickname": record.nickname,
        "createdAt": moment(record.created_at),
        "activatedAt": record.activated_at.map(moment),
        "lastSeenAt": record.last_seen_at.map(moment),
        "address": record.address,
        "transport": record.device.transport,
        "cameFrom": record.came_from,
        "syncTopic": record.sync_topic,
    });
    if let (Some(secret), Value::Object(members)) = (secret, &mut members) {
        members.insert("deviceSecret".to_owned(), json!(secret.expose()));
    }
    members
}
