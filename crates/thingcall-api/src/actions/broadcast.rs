//! Messages of an application's own for many devices: PubBroadcast, and Pub on a topic of many.
//!
//! **Invariant:** a topic that is many devices' is judged and taken as one for their whole product, whichever action names it.

use std::sync::Arc;

use thingcall_core::{AccessKey, BroadcastOrder, BroadcastTo, CallId, Qos};

use super::content::{content, published};
use super::{Ordered, target};
use crate::answer::{Fields, Node, text};
use crate::calls::{Batch, CallDesk};
use crate::error::ActionError;
use crate::incoming::Incoming;
use crate::refused::{self, Said};

/// The longest message for many. Source: Alibaba's reference.
const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// A message for many devices.
pub(crate) struct Broadcasting {
    order: BroadcastOrder,
    said: Box<Said>,
    number: fn(CallId) -> Node,
}

/// PubBroadcast.
pub(super) fn broadcast(
    desk: &CallDesk,
    incoming: &Incoming<'_>,
    key: &Arc<AccessKey>,
) -> Result<Ordered, ActionError> {
    let (batch, to) = match incoming.params.get("TopicFullName") {
        Some(topic) => (Batch::Broadcast, BroadcastTo::Topic(topic.into())),
        None => (Batch::BroadcastToAll, BroadcastTo::Everyone),
    };
    desk.take_batch(batch, incoming, key, |_| {
        let product = target::product(&incoming.params)?;
        let payload = content(&incoming.params, MESSAGE_BYTES_MAX)?;
        let order = BroadcastOrder { product, to, payload, qos: Qos::AtMostOnce };
        let number = |id: CallId| Node::Number(i64::from(id.as_u32()));
        Ok(Ordered::Broadcasting(Broadcasting { order, said: Box::new(Said::by(incoming)), number }))
    })
}

/// Pub on a topic of many, at this quality.
pub(super) fn on_topic(incoming: &Incoming<'_>, topic: &str, qos: Qos) -> Result<Broadcasting, ActionError> {
    let product = target::product(&incoming.params)?;
    let payload = content(&incoming.params, MESSAGE_BYTES_MAX)?;
    let order = BroadcastOrder { product, to: BroadcastTo::Topic(topic.into()), payload, qos };
    Ok(Broadcasting { order, said: Box::new(Said::by(incoming)), number: |id| text(id.to_string()) })
}

impl Broadcasting {
    /// Sends it; what it returns stands beside `RequestId` and `Success`.
    pub(super) async fn run(self, desk: &CallDesk) -> Result<Fields, ActionError> {
        let Self { order, said, number } = self;
        let sent = desk.broadcast(order).await.map_err(|why| {
            let why = published(why);
            // No call of a device is on record of it.
            desk.note_refused(refused::noted_later(*said, &why), true);
            why
        })?;
        Ok(vec![("MessageId", number(sent))])
    }
}
