//! What comes back from a device.

use std::fmt;

use bytes::Bytes;

use crate::{CallId, DeviceKey, Dropped, Repairs, ServiceId, TransportKind, TransportName};

/// A device's answer, as a transport read it off the wire.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Who answered: the device that the topic or the broker vouches for.
    pub device: DeviceKey,
    /// The way it came.
    pub transport: TransportKind,
    /// The id in the body, where there is a usable one. It counts before [`Self::topic_id`]: one SDK mixes topic ids
    /// up when calls overlap.
    pub payload_id: Option<CallId>,
    /// The id in the topic, where the topic has one.
    pub topic_id: Option<CallId>,
    /// What was mended in it before it could be read.
    pub repairs: Repairs,
    /// What it says, or why that cannot be read.
    pub body: Result<ReplyBody, MalformedReply>,
    /// The size of the message in bytes.
    pub bytes: usize,
}

impl Reply {
    /// The id it answers: the body's, else the topic's.
    pub fn id(&self) -> Option<CallId> {
        self.payload_id.or(self.topic_id)
    }
}

/// What a device that speaks its own bytes said on a topic for replies, not yet translated.
#[derive(Debug, Clone)]
pub struct RawReply {
    /// Who answered: the device that the topic or the broker vouches for.
    pub device: DeviceKey,
    /// The way it came.
    pub transport: TransportKind,
    /// The id in the topic, where the topic has one.
    pub topic_id: Option<CallId>,
    /// The service that it answers, where that is known before it is translated. Transports do not know it.
    pub service: Option<ServiceId>,
    /// Its bytes.
    pub payload: Bytes,
}

/// The readable part of a device's answer.
#[derive(Clone, PartialEq, Eq)]
pub struct ReplyBody {
    /// The Alink code: 200 is success.
    pub code: i64,
    /// The device's words, where it sent any.
    pub message: Option<String>,
    /// The `data` member's text, as the device wrote it; `{}` where it sent none.
    pub data: String,
}

impl ReplyBody {
    /// Alink's code of success.
    pub const SUCCESS: i64 = 200;
}

impl fmt::Debug for ReplyBody {
    /// Says code and size only: payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyBody(code {}, {} bytes)", self.code, self.data.len())
    }
}

/// Why an answer cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MalformedReply {
    /// Not a JSON object.
    #[error("the reply is not a JSON object: {0}")]
    NotJson(String),
    /// A member that every reply has is missing or of the wrong type.
    #[error("the reply's member {member:?} {problem}")]
    Member {
        /// The member's name.
        member: &'static str,
        /// What is wrong with it.
        problem: String,
    },
    /// The device speaks its own bytes, and they could not be translated; the text says why.
    #[error("the reply's bytes cannot be translated: {0}")]
    Untranslated(String),
    /// Larger than configured.
    #[error("the reply has {bytes} bytes; {max} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
}

/// Takes what transports receive. Implemented by the engine.
///
/// **Invariant:** no function of it blocks or waits: it is called from a transport's receive loop.
pub trait ReplySink: Send + Sync {
    /// A device answered, on this topic.
    fn accept(&self, reply: Reply, topic: &str);

    /// Whether the device speaks its own bytes instead of Alink. Answers from memory.
    fn speaks_raw(&self, device: &DeviceKey) -> bool;

    /// A device said something in its own bytes, on this topic.
    fn accept_raw(&self, raw: RawReply, topic: &str);

    /// A device said something that is for nobody.
    fn dropped(&self, dropped: Dropped<'_>);

    /// The device's connection was seen to end: what it was asked may or may not have been done.
    fn device_gone(&self, device: &DeviceKey, transport: TransportName);

    /// The transport lost its broker: what was sent may or may not have arrived.
    fn transport_lost(&self, transport: TransportName);
}
