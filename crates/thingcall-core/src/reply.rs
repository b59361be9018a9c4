//! What comes back from a device.

use std::fmt;

use bytes::Bytes;

use crate::{CallId, DeviceKey, MalformedReply, Outcome, Repairs, ServiceId, TransportKind};

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

    /// The ids it holds.
    pub const fn ids(&self) -> ReplyIds {
        ReplyIds { payload: self.payload_id, topic: self.topic_id }
    }

    /// How a call ends that it answers.
    pub fn outcome(&self) -> Outcome {
        self.body.as_ref().map_or(Outcome::InvalidReply, ReplyBody::outcome)
    }
}

/// The ids that a device's message holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplyIds {
    /// The body's.
    pub payload: Option<CallId>,
    /// The topic's.
    pub topic: Option<CallId>,
}

impl ReplyIds {
    /// Whether it answers none of the calls that are ours. One without an id may answer any.
    pub fn is_anothers(self, ours: impl Fn(CallId) -> bool) -> bool {
        let id = match self {
            Self { payload: Some(count), topic: Some(id) } if count.is_devices_count() => Some(id),
            Self { payload, topic } => payload.or(topic),
        };
        id.is_some_and(|id| !ours(id))
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

impl RawReply {
    /// The ids it holds before it is translated.
    pub const fn ids(&self) -> ReplyIds {
        ReplyIds { payload: None, topic: self.topic_id }
    }
}

impl ReplyBody {
    /// What nobody said.
    pub const EMPTY: Self = Self { code: 0, message: None, data: String::new() };
    /// Alink's code of success.
    pub const SUCCESS: i64 = 200;

    /// How a call ends that was answered so.
    pub const fn outcome(&self) -> Outcome {
        if self.code == Self::SUCCESS { Outcome::Ok } else { Outcome::DeviceError }
    }
}

impl fmt::Debug for ReplyBody {
    /// Says code and size only: payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyBody(code {}, {} bytes)", self.code, self.data.len())
    }
}
