//! What went between the server and a device for a call that is kept, made once more from what its record says.
//!
//! **Invariant:** where the record does not say which of several topics it was, all of them are told.

use std::sync::Arc;

use serde_json::{Value, json};
use thingcall_alink as alink;
use thingcall_core::{Args, CallMode, Delivery, Device, DeviceRef, KeptCall, Letter, Qos, ServiceId, SyncTopic};
use thingcall_tsl::Registry;

/// The request's topics and bytes, and the answer's topic where it has one of its own; `None` if nothing can be made of the record.
pub(super) async fn of(registry: &(impl Registry + ?Sized), call: &KeptCall) -> Option<Value> {
    let service =
        ServiceId::try_from(call.service.as_str()).ok().filter(|_| !Letter::WORDS.contains(&&*call.service))?;
    let (product, name) = call.device.split_once('/')?;
    let device = DeviceRef::Key(thingcall_core::DeviceKey { product: product.parse().ok()?, name: name.parse().ok()? });
    let found = registry.find(&device).await.ok()??;
    let mode = match call.mode.as_deref() {
        Some("async") => CallMode::Async,
        Some(_) | None => CallMode::Sync,
    };
    let delivery = delivery(call, found.device.clone(), service, mode)?;
    let known = found.product.settings.sync_topic.map(|topic| vec![topic]);
    let forms = match mode {
        CallMode::Async => vec![SyncTopic::Service],
        CallMode::Sync => known.unwrap_or_else(|| vec![SyncTopic::Ext, SyncTopic::Rrpc, SyncTopic::Service]),
    };
    let topics: Vec<_> = forms.into_iter().map(|form| alink::request_topic(&delivery, form)).collect();
    let reply = (mode == CallMode::Async).then(|| alink::reply_topic(&delivery.device.key, &delivery.service));
    let payload = alink::request_payload(&delivery);
    Some(json!({ "topics": topics, "replyTopic": reply, "request": String::from_utf8_lossy(&payload) }))
}

fn delivery(call: &KeptCall, device: Arc<Device>, service: ServiceId, mode: CallMode) -> Option<Delivery> {
    let params = Args::checked(call.args.as_deref()?);
    let (letter, raw, deadline, sync_topic) = (None, None, None, None);
    Some(Delivery {
        id: call.call_id?,
        device,
        service,
        params,
        letter,
        raw,
        mode,
        qos: Qos::AtMostOnce,
        deadline,
        sync_topic,
        trace: None,
    })
}
