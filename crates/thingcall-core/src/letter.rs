//! Messages of an application's own for a device: bytes on a topic, and nothing of a thing model.
//!
//! **Invariant:** what is in them is not read here, and does not belong in logs.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;

/// A message for one device, as its caller wrote it.
#[derive(Clone, PartialEq, Eq)]
pub struct Letter {
    /// Where it goes.
    pub to: LetterTo,
    /// Its bytes.
    pub payload: Bytes,
    /// What MQTT 5 carries beside them.
    pub extras: Option<Box<Extras>>,
}

impl Letter {
    /// What records call them in the place of a service.
    pub const WORDS: [&str; 3] = ["Pub", "RRpc", "AsyncRRpc"];
}

/// Where a letter goes, and whether the device is to answer it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterTo {
    /// This topic; nobody waits.
    Topic(Arc<str>),
    /// The device's own topic for such questions, which it answers in bytes.
    Rrpc,
    /// The topic for questions that is made of this one; it answers on the same.
    RrpcOn(Arc<str>),
    /// The device's own topic for what all devices of its product are told; nobody waits.
    Broadcast,
}

/// What MQTT 5 carries beside a message's bytes.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Extras {
    /// What the bytes are, mostly a MIME type.
    pub content_type: Option<String>,
    /// By which whoever answers names what it answers.
    pub correlation_data: Option<Bytes>,
    /// Where an answer is expected.
    pub response_topic: Option<String>,
    /// For how many seconds it is of use.
    pub expires_after_s: Option<u32>,
    /// The bytes are text in UTF-8.
    pub is_utf8: bool,
    /// Names and values that the application made up.
    pub user: Vec<(String, String)>,
}

impl LetterTo {
    /// The topic that its caller names.
    pub fn topic(&self) -> Option<&str> {
        match self {
            Self::Topic(topic) | Self::RrpcOn(topic) => Some(topic),
            Self::Rrpc | Self::Broadcast => None,
        }
    }

    /// Whether somebody waits for an answer.
    pub const fn is_question(&self) -> bool {
        match self {
            Self::Topic(_) | Self::Broadcast => false,
            Self::Rrpc | Self::RrpcOn(_) => true,
        }
    }
}

impl fmt::Debug for Letter {
    /// Says where it goes and how large it is.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Letter({:?}, {} bytes)", self.to, self.payload.len())
    }
}

impl fmt::Debug for Extras {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Extras({} of the application's own)", self.user.len())
    }
}

/// How what a device answers is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// As an Alink reply.
    Alink,
    /// As bytes of its own, which somebody translates.
    Own,
    /// As bytes for the caller who waits for them.
    Bytes,
}
