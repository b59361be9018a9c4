//! One translation of a plugin, tried.

use std::sync::Arc;

use anyhow::{Context, bail};
use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use thingcall_core::{
    Args as Arguments, CallId, CallMode, Codec, Decoded, Delivery, Handlers, Qos, RawReply, ServiceId, TransportKind,
};
use tokio::time::{Instant, timeout};

use super::{Args, Loaded, device_of};
use crate::exit::WrongUse;
use crate::trial::{Steps, milliseconds, played, raw};

/// An Alink request, as far as it matters.
#[derive(Deserialize)]
struct Request<'a> {
    id: Option<String>,
    method: String,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

/// JSON to the device's bytes.
pub(super) async fn encode(args: &Args, loaded: &Loaded, steps: &Steps, text: &str) -> anyhow::Result<()> {
    let codec = codec(loaded)?;
    let delivery = delivery(args, loaded, text).map_err(|error| WrongUse(format!("--encode: {error:#}")))?;
    steps.step("encode", text, json!({ "json": raw(text) }));
    let began = Instant::now();
    let bytes = timeout(args.timeout, codec.encode(&delivery)).await.context("encode did not return in time")??;
    let took_ms = milliseconds(began.elapsed());
    let found = hex::encode(&bytes);
    let members = json!({ "hex": found, "bytes": bytes.len(), "tookMs": took_ms });
    steps.step("result", &format!("{found} ({} bytes), in {took_ms:.3} ms", bytes.len()), members);
    match &args.expect {
        Some(expected) if !expected.eq_ignore_ascii_case(&found) => bail!("the bytes should be {expected}"),
        Some(_) | None => Ok(()),
    }
}

/// The device's bytes to JSON.
pub(super) async fn decode(args: &Args, loaded: &Loaded, steps: &Steps, text: &str) -> anyhow::Result<()> {
    let codec = codec(loaded)?;
    let payload = hex::decode(text).map_err(|error| WrongUse(format!("--decode: {error}")))?;
    let raw_reply = RawReply {
        device: device_of(args, loaded),
        transport: TransportKind::Embedded,
        topic_id: None,
        service: None,
        payload: Bytes::from(payload),
    };
    steps.step("decode", text, json!({ "hex": text }));
    let began = Instant::now();
    let decoded = timeout(args.timeout, codec.decode(raw_reply)).await.context("decode did not return in time")??;
    let took_ms = milliseconds(began.elapsed());
    let reply = match decoded {
        Decoded::Reply(reply) => reply,
        Decoded::Post(_) | Decoded::Nothing => {
            steps.step(
                "result",
                "no reply: a report of the device's own",
                json!({ "reply": false, "tookMs": took_ms }),
            );
            return super::expected(args, None);
        }
    };
    let id = reply.payload_id.map(|id| id.to_string());
    let body = reply.body.context("the reply cannot be read")?;
    let shown = id.as_deref().unwrap_or("none, so that of the topic counts");
    let members =
        json!({ "id": id, "code": body.code, "message": body.message, "data": raw(&body.data), "tookMs": took_ms });
    steps.step("result", &format!("id {shown}, code {} {}, in {took_ms:.3} ms", body.code, body.data), members);
    super::expected(args, Some(&body.data))
}

fn codec(loaded: &Loaded) -> anyhow::Result<Arc<dyn Codec>> {
    loaded.plugins.codec(&loaded.product).with_context(|| {
        let manifest = &loaded.inspected.manifest;
        format!("{} translates nothing for {}: its codecs are {:?}", manifest.name, loaded.product, manifest.codecs)
    })
}

/// The command that becomes this request.
fn delivery(args: &Args, loaded: &Loaded, text: &str) -> anyhow::Result<Delivery> {
    let request: Request<'_> = serde_json::from_str(text)
        .context("right is '{\"id\":\"7\",\"method\":\"thing.service.NAME\",\"params\":{}}'")?;
    let service = request.method.strip_prefix("thing.service.").context("its method is not thing.service.NAME")?;
    let id = request.id.as_deref().unwrap_or("1").parse::<CallId>().map_err(|error| anyhow::anyhow!("id: {error}"))?;
    let params = request.params.map_or("{}", RawValue::get);
    if !raw(params).is_object() {
        bail!("its params are not an object");
    }
    Ok(Delivery {
        letter: None,
        id,
        device: Arc::new(played(device_of(args, loaded))?),
        service: ServiceId::try_from(service)?,
        params: Arguments::checked(params),
        raw: None,
        mode: CallMode::Sync,
        qos: Qos::default(),
        deadline: None,
        sync_topic: None,
        trace: None,
    })
}
