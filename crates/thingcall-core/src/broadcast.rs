//! Messages of an application's own for many devices of a product at once.
//!
//! **Invariant:** as of a letter, what is in them is not read here, and does not belong in logs.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

use crate::{CallId, ProductKey, Qos};

/// What a caller wants broadcast.
pub struct BroadcastOrder {
    /// The product whose devices are told.
    pub product: ProductKey,
    /// Which of them.
    pub to: BroadcastTo,
    /// The message's bytes.
    pub payload: Bytes,
    /// How it travels.
    pub qos: Qos,
}

/// Which devices of a product a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BroadcastTo {
    /// Those that subscribed to this topic, which is all devices' of the product.
    Topic(Arc<str>),
    /// All that are connected, each on a topic of its own.
    Everyone,
}

/// A message on a topic that devices of a product subscribe to.
pub struct Broadcast {
    /// Its number.
    pub id: CallId,
    /// The product.
    pub product: ProductKey,
    /// The topic, as its caller wrote it.
    pub topic: Arc<str>,
    /// The message's bytes.
    pub payload: Bytes,
    /// How it travels.
    pub qos: Qos,
}

impl fmt::Debug for BroadcastOrder {
    /// Says where it goes and how large it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BroadcastOrder({}, {:?}, {} bytes)", self.product, self.to, self.payload.len())
    }
}

impl fmt::Debug for Broadcast {
    /// The same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Broadcast({}, {}, {:?}, {} bytes)", self.id, self.product, self.topic, self.payload.len())
    }
}
