//! What EMQX tells of its clients, over MQTT.
//!
//! It publishes on `$SYS/brokers/{node}/clients/{clientid}/connected` and `.../disconnected` (`sys_topics`); a rule of an
//! operator's may publish the same on `$events/client_connected` and `.../client_disconnected`.

use serde::Deserialize;
use thingcall_alink::device_of;
use thingcall_core::{DeviceKey, UnixMillis};
use thingcall_transport::{DeviceSession, Told};

/// Where it is told. `+` is no client id with a `/` in it.
pub(crate) const EVENT_FILTERS: &[&str] =
    &["$SYS/brokers/+/clients/#", "$events/client_connected", "$events/client_disconnected"];

/// Whether enough of these was granted; `refused` are places in [`EVENT_FILTERS`].
pub(crate) fn are_heard(refused: &[usize]) -> bool {
    !refused.contains(&0) || !refused.contains(&1) && !refused.contains(&2)
}

/// Why the end of a connection is no device's: another one took its session over, and is told by itself.
const SUCCEEDED: [&str; 2] = ["takenover", "discarded"];
/// Why a connection ended that its device may have left long before, for another one.
const HALF_OPEN: &str = "keepalive_timeout";

/// The members of both events that matter, in the words of the topics and of rules.
#[derive(Deserialize)]
struct Members {
    username: Option<String>,
    clientid: String,
    #[serde(alias = "timestamp")]
    ts: Option<i64>,
    connected_at: Option<i64>,
    disconnected_at: Option<i64>,
    ipaddress: Option<String>,
    reason: Option<String>,
}

/// An event of a device's.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) told: Told,
    pub(crate) device: DeviceKey,
    pub(crate) client_id: String,
    pub(crate) since: Option<i64>,
    pub(crate) at: UnixMillis,
    pub(crate) address: Option<String>,
    /// It is the end of the only connection that is likely.
    pub(crate) last: bool,
}

impl Event {
    pub(crate) fn session(&self) -> DeviceSession<'_> {
        DeviceSession { name: &self.client_id, since: self.since }
    }
}

/// Whether a topic is EMQX's own.
pub(crate) fn is_event(topic: &str) -> bool {
    topic.starts_with("$SYS/") || topic.starts_with("$events/")
}

/// Reads an event; `None` if it is of no device, or tells of something else.
pub(crate) fn read(topic: &str, payload: &[u8]) -> Option<Event> {
    let last_level = topic.rsplit('/').next()?;
    let told = match last_level {
        "connected" | "client_connected" => Told::Connected,
        "disconnected" | "client_disconnected" => Told::Disconnected,
        _ => return None,
    };
    let members: Members = serde_json::from_slice(payload).ok()?;
    let reason = members.reason.as_deref();
    if told == Told::Disconnected && reason.is_some_and(|reason| SUCCEEDED.contains(&reason)) {
        return None;
    }
    let happened = match told {
        Told::Connected => members.connected_at,
        Told::Disconnected | Told::Other => members.disconnected_at,
    };
    Some(Event {
        told,
        device: device_of(members.username.as_deref()?)?,
        since: members.connected_at,
        at: happened.or(members.ts).map_or_else(UnixMillis::now, UnixMillis),
        address: members.ipaddress,
        last: reason != Some(HALF_OPEN),
        client_id: members.clientid,
    })
}

#[cfg(test)]
mod tests;
