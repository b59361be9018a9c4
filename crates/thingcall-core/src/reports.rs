//! What devices reported: what applications are told of it, and what is kept.
//!
//! Values are JSON, as the device wrote it.

use async_trait::async_trait;
use bytes::Bytes;

use crate::{Device, DeviceKey, JournalError, MessageKind, Past, Tag, UnixMillis, Words};

/// What applications are told of a post. What does not fit the model stands beside what does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// The device's properties are these now.
    Properties(Vec<Item>),
    /// This happened.
    Event(EventItem),
    /// Properties of the last while, several values each.
    PropertyBatch(Vec<Item>),
    /// Events of the last while.
    EventBatch(Vec<Item>),
    /// Properties of an earlier time.
    PropertyHistory(Vec<Item>),
    /// An event of an earlier time.
    EventHistory(EventItem),
    /// Tags were set.
    TagsSet(Vec<Tag>),
    /// Tags were removed.
    TagsRemoved(Vec<String>),
    /// A device's own bytes on a topic of its application's own.
    Custom {
        /// The whole topic.
        topic: String,
        /// The bytes.
        payload: Bytes,
    },
}

/// A value that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The identifier, or `module:identifier`.
    pub id: String,
    /// The value.
    pub value: String,
    /// When it was so.
    pub at: UnixMillis,
    /// How it does not fit the model, where it does not.
    pub misfit: Option<Misfit>,
}

/// An event that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventItem {
    /// Its identifier, what it brings and when it happened.
    pub item: Item,
    /// Its name for people; empty where the model has none.
    pub name: String,
    /// `info`, `alert` or `error`.
    pub level: &'static str,
}

/// How a value does not fit the model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfit {
    /// As the platform numbers it.
    pub code: i64,
    /// In words.
    pub message: String,
}

impl Misfit {
    /// The model knows nothing of the name, or the value has another type.
    pub const CODE: i64 = 6304;
}

impl Report {
    /// The kind of message that it is.
    pub const fn kind(&self) -> MessageKind {
        match self {
            Self::Properties(_) | Self::PropertyBatch(_) => MessageKind::Property,
            Self::Event(_) | Self::EventBatch(_) => MessageKind::Event,
            Self::PropertyHistory(_) | Self::EventHistory(_) => MessageKind::History,
            Self::TagsSet(_) | Self::TagsRemoved(_) => MessageKind::Tag,
            Self::Custom { .. } => MessageKind::Custom,
        }
    }
}

/// Puts what devices report into words for applications.
pub trait ReportWords: Send + Sync {
    /// The words of a report that came at `at`, in a post with this id.
    fn report(&self, device: &Device, id: &str, at: UnixMillis, report: &Report) -> Words;
}

/// The last value of a property.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastValue {
    /// The identifier, or `module:identifier`.
    pub property: String,
    /// The value.
    pub value: String,
    /// When it was so.
    pub at: UnixMillis,
}

/// Keeps the last value of each property of each device.
#[async_trait]
pub trait LastValues: Send + Sync {
    /// The device reported these. What is kept is the newest by its time. Does not wait: it is written later, in one go
    /// with others. `false` if too many wait already, and these are not kept.
    fn keep(&self, device: &DeviceKey, values: Vec<LastValue>) -> bool;

    /// Whether more of the past is kept than the last values.
    fn remembers(&self) -> bool {
        false
    }

    /// The device reported these: what is kept of its past. Does not wait, as [`Self::keep`].
    fn remember(&self, _device: &DeviceKey, _past: Vec<Past>) {}

    /// What is kept of a device, by property.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn of(&self, device: &DeviceKey) -> Result<Vec<LastValue>, JournalError>;
}
