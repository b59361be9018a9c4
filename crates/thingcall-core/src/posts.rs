//! What devices say by themselves: what came in, and what the device is answered.
//!
//! Values are JSON, as the device wrote it.

use std::fmt;

use bytes::Bytes;
use enum_map::Enum;
use strum::IntoStaticStr;

use crate::{DeviceKey, UnixMillis};

/// What a device said by itself, as a transport read it off the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Who said it: the device that the topic or the broker vouches for.
    pub device: DeviceKey,
    /// What its answer repeats; `None` if it wants none, or there is nothing to answer on.
    pub echo: Option<PostEcho>,
    /// What it says.
    pub said: Said,
    /// The size of the message in bytes.
    pub bytes: usize,
}

/// What an answer repeats of what it answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostEcho {
    /// The topic it goes to.
    pub topic: String,
    /// The id as it came: JSON, mostly a text or a number.
    pub id: String,
    /// The version that the device speaks.
    pub version: String,
    /// What it asked for.
    pub method: String,
}

/// What a device says.
#[derive(Clone, PartialEq, Eq)]
pub enum Said {
    /// Its properties are these now.
    Properties(Vec<Value>),
    /// This happened; the id is the event's.
    Event(Value),
    /// Its properties and events of the last while.
    Batch(Series),
    /// Those of an earlier time.
    History {
        /// The properties, those of one time together.
        properties: Vec<Vec<Value>>,
        /// The events.
        events: Vec<Value>,
    },
    /// These tags describe it.
    TagsSet(Vec<Tag>),
    /// These tags, by their names, describe it no more.
    TagsRemoved(Vec<String>),
    /// What time is it? It asked at this time of its own, in JSON.
    AsksTime(String),
    /// Something on a topic of its application's own, `/{pk}/{dn}/user/...`.
    Custom {
        /// The whole topic.
        topic: String,
        /// Its bytes.
        payload: Bytes,
    },
    /// Something that nobody here does anything with, or that cannot be read.
    Refused {
        /// What it is answered.
        code: i64,
        /// Why.
        why: String,
    },
}

/// Properties and events over a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Series {
    /// The properties' values, in the order in which they were sent.
    pub properties: Vec<Value>,
    /// The events, likewise.
    pub events: Vec<Value>,
}

/// The value of a property, or what an event brings.
#[derive(Clone, PartialEq, Eq)]
pub struct Value {
    /// The identifier, or `module:identifier`, as the device wrote it.
    pub id: String,
    /// The value.
    pub value: String,
    /// When it was so, where the device says.
    pub at: Option<UnixMillis>,
}

/// Something that describes a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name.
    pub key: String,
    /// What it says.
    pub value: String,
}

impl fmt::Debug for Said {
    /// Says what it is and how much: payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind().as_str())
    }
}

impl fmt::Debug for Value {
    /// Says name and size only: payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Value({:?}, {} bytes)", self.id, self.value.len())
    }
}

/// Kinds of what devices say, for counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum PostKind {
    /// Properties.
    Property,
    /// An event.
    Event,
    /// Several of both at once.
    Batch,
    /// Both, of an earlier time.
    History,
    /// Tags.
    Tag,
    /// The time is asked for.
    Time,
    /// On a topic of its application's own.
    Custom,
    /// Anything else.
    Other,
}

impl PostKind {
    /// The word in metrics and logs.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

impl Said {
    /// What kind it is.
    pub const fn kind(&self) -> PostKind {
        match self {
            Self::Properties(_) => PostKind::Property,
            Self::Event(_) => PostKind::Event,
            Self::Batch(_) => PostKind::Batch,
            Self::History { .. } => PostKind::History,
            Self::TagsSet(_) | Self::TagsRemoved(_) => PostKind::Tag,
            Self::AsksTime(_) => PostKind::Time,
            Self::Custom { .. } => PostKind::Custom,
            Self::Refused { .. } => PostKind::Other,
        }
    }
}

/// What a device is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostAnswer {
    /// Who is answered.
    pub device: DeviceKey,
    /// What it is told.
    pub told: Told,
}

/// What a device is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// What became of its post.
    Done {
        /// What the answer repeats.
        echo: PostEcho,
        /// 200 if it was taken.
        code: i64,
        /// In words.
        message: String,
        /// What was not taken of it: the names, each with the reason.
        failed: Vec<(String, String)>,
    },
    /// What time it is.
    Time {
        /// When it asked, as it said.
        asked_at: String,
        /// When that came.
        came_at: UnixMillis,
    },
}
