//! Translations by a plugin. They run where its calls do: a plugin that blocks in one stalls itself only.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use thingcall_alink as alink;
use thingcall_core::{CallId, Codec, CodecError, Decoded, Delivery, DeviceKey, RawReply};
use thingcall_plugin::abi::CodecRequest;
use tokio::sync::oneshot;

use crate::foreign::size32;
use crate::instance::{Direction, Instance, NotAdmitted, Permit};
use crate::out::OutPlace;
use crate::pool::{More, Work};
use crate::request::of;
use crate::slots::lock;
use crate::whose::translating;

/// How much is kept of what a plugin says about a failure, in bytes.
const WORDS_BYTES_MAX: usize = 1024;

/// A generation's face to the engine where devices speak their own bytes.
pub(crate) struct PluginCodec(pub(crate) Arc<Instance>);

#[async_trait]
impl Codec for PluginCodec {
    async fn encode(&self, delivery: &Delivery) -> Result<Bytes, CodecError> {
        self.translate(Translation {
            direction: Direction::Encode,
            call: Some(delivery.id.as_u32()),
            device: delivery.device.key.clone(),
            identifier: delivery.service.to_string(),
            input: alink::request_payload(delivery),
        })
        .await
        .map(Bytes::from)
    }

    async fn decode(&self, raw: RawReply) -> Result<Decoded, CodecError> {
        let json = self
            .translate(Translation {
                direction: Direction::Decode,
                call: raw.topic_id.map(CallId::as_u32),
                device: raw.device.clone(),
                identifier: raw.service.as_ref().map(ToString::to_string).unwrap_or_default(),
                input: raw.payload.clone(),
            })
            .await?;
        Ok(match alink::reply_of(&raw, &json) {
            Some(reply) => Decoded::Reply(reply),
            None => alink::post_of(&raw.device, &json).map_or(Decoded::Nothing, |post| Decoded::Post(Box::new(post))),
        })
    }
}

impl PluginCodec {
    async fn translate(&self, translation: Translation) -> Result<Vec<u8>, CodecError> {
        let instance = &self.0;
        let (plugin, direction) = (instance.plugin(), translation.direction.as_str());
        let failed = |why: String| CodecError(format!("plugin {plugin} cannot {direction}: {why}"));
        if instance.watched.stuck() {
            return Err(failed("its code blocks".to_owned()));
        }
        let permit = instance.admit().map_err(|why| match why {
            NotAdmitted::Full(max) => failed(format!("it has {max} calls in flight")),
            NotAdmitted::Closed => failed("it was replaced a moment ago".to_owned()),
        })?;
        let translated = match &instance.pool {
            None => {
                let translated = translation.run(instance);
                drop(permit);
                translated
            }
            Some(pool) => {
                let (answer, answered) = oneshot::channel();
                let todo = Some((translation, permit, answer));
                pool.push(Arc::new(Job { instance: instance.clone(), todo: Mutex::new(todo) }));
                answered.await.unwrap_or_else(|_| Err("its threads ended".to_owned()))
            }
        };
        translated.map_err(failed)
    }
}

struct Translation {
    direction: Direction,
    /// The call that it is for, where that is known.
    call: Option<u32>,
    device: DeviceKey,
    identifier: String,
    input: Bytes,
}

impl Translation {
    fn run(&self, instance: &Instance) -> Result<Vec<u8>, String> {
        let bytes_max = instance.terms.plugin_bytes_max;
        let out = OutPlace::new(bytes_max).ok_or("there are too many translations at once")?;
        let request = CodecRequest {
            struct_size: size32::<CodecRequest>(),
            reserved0: 0,
            product_key: of(self.device.product.as_str()),
            device_name: of(self.device.name.as_str()),
            identifier: of(&self.identifier),
            input: thingcall_plugin::abi::Bytes::of(&self.input),
        };
        let translate = || instance.translate(self.direction, &request, out.handle());
        let ended = translating(self.call, translate);
        let written = out.take();
        if let Err(fault) = ended {
            let mut text = String::from_utf8_lossy(&written.unwrap_or_default()).into_owned();
            text.truncate(text.floor_char_boundary(WORDS_BYTES_MAX));
            let words = fault.words();
            return Err(if text.is_empty() { words.to_owned() } else { format!("{words}: {text}") });
        }
        written.ok_or_else(|| format!("it gave more than {bytes_max} bytes (plugin_bytes_max)"))
    }
}

/// A translation in the pool's queue.
struct Job {
    instance: Arc<Instance>,
    todo: Mutex<Option<(Translation, Permit, Translated)>>,
}

/// Where a translation is waited for.
type Translated = oneshot::Sender<Result<Vec<u8>, String>>;

impl Work for Job {
    fn run(self: Arc<Self>) -> More {
        if let Some((translation, permit, answer)) = lock(&self.todo).take() {
            // Nobody waits for it any more: it need not run.
            if !answer.is_closed() {
                let translated = translation.run(&self.instance);
                drop(permit);
                drop(answer.send(translated));
            }
        }
        More::No
    }
}

#[cfg(test)]
mod tests;
