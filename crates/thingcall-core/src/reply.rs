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

    /// How a call ends that it answers.
    pub fn outcome(&self) -> Outcome {
        self.body.as_ref().map_or(Outcome::InvalidReply, ReplyBody::outcome)
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
