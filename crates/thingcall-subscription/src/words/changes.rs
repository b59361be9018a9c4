//! That a device came or went, was made or removed.

use serde::Serialize;
use thingcall_core::{Device, LifeCycle, StatusChange, UnixMillis, Words};

use super::{json, time, words};

/// The device's connection ended, as device error codes have it; how, nobody here says.
const CONNECTION_ENDED: i64 = 427;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Status<'a> {
    status: &'static str,
    iot_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    time: String,
    utc_time: String,
    last_time: String,
    utc_last_time: String,
    client_ip: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    offline_reason_code: Option<i64>,
}

pub(super) fn status(change: &StatusChange) -> Words {
    let StatusChange { device, online, at, last_at, address } = change;
    let body = Status {
        status: if *online { "online" } else { "offline" },
        iot_id: device.iot_id.as_str(),
        product_key: device.key.product.as_str(),
        device_name: device.key.name.as_str(),
        time: time::local(*at),
        utc_time: time::utc(*at),
        last_time: time::local(*last_at),
        utc_last_time: time::utc(*last_at),
        client_ip: address.as_deref().map(host).unwrap_or_default(),
        offline_reason_code: (!online).then_some(CONNECTION_ENDED),
    };
    let topic = format!("/as/mqtt/status/{}/{}", device.key.product, device.key.name);
    Words { topic, body: json(&body), trace: None }
}

/// An address without its port: `1.2.3.4:5`, `[::1]:5`, or an address alone.
fn host(address: &str) -> &str {
    if let Some((host, _)) = address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        return host;
    }
    match address.rsplit_once(':') {
        // With more colons it is IPv6 without a port.
        Some((host, _)) if !host.contains(':') => host,
        Some(_) | None => address,
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Life<'a> {
    action: &'static str,
    iot_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device_secret: Option<&'static str>,
    message_create_time: i64,
}

/// A secret is not told, whoever reads.
pub(super) fn life_cycle(device: &Device, did: LifeCycle, at: UnixMillis) -> Words {
    let body = Life {
        action: did.into(),
        iot_id: device.iot_id.as_str(),
        product_key: device.key.product.as_str(),
        device_name: device.key.name.as_str(),
        device_secret: (did == LifeCycle::Create).then_some(""),
        message_create_time: at.0,
    };
    words(&device.key, "thing/lifecycle", &body)
}
