//! What happens at devices and to calls, on its way to applications: one ordered log, and those who read it.
//!
//! **Invariants:** a message that is read again says the same under the same [`MessageId`]. It is in the log in the
//! transaction of what it tells, or not at all. What a reader takes is its own until it is settled, given back, or its holder
//! is gone; then it is given to somebody once more. Nobody loses a message without a count and a word.

use std::fmt;
use std::ops::RangeInclusive;

use async_trait::async_trait;
use bytes::Bytes;
use enum_map::Enum;
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{Device, DeviceKey, EndedCall, JournalError, ProductKey, TraceContext, UnixMillis};

/// What a message tells of.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    Hash,
    PartialOrd,
    Ord,
    Enum,
    IntoStaticStr,
    EnumString,
    VariantArray,
    serde::Deserialize,
)]
#[strum(serialize_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub enum MessageKind {
    /// How an asynchronous call ended.
    Result,
    /// A device came or went.
    Status,
    /// A device was made, removed, enabled or disabled.
    LifeCycle,
    /// A device reported properties.
    Property,
    /// A device reported an event.
    Event,
    /// A device reported properties or events of an earlier time.
    History,
    /// A device changed what describes it (its tags).
    Tag,
    /// A device published on a topic of its application's own.
    Custom,
}

impl MessageKind {
    /// The word on the command line, in configurations and metrics.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// Names a message for as long as it lives, wherever it is read: 19 digits, which begin with its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MessageId(pub u64);

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A message in the words that applications read.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    /// What it is about, as applications tell messages apart; no topic of a broker.
    pub topic: String,
    /// Its body: JSON, or a device's own bytes.
    pub body: Bytes,
    /// The place in a trace that it belongs to; it goes beside the body.
    pub trace: Option<TraceContext>,
}

impl fmt::Debug for Words {
    /// Says topic and size only: payloads do not belong in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Words({:?}, {} bytes)", self.topic, self.body.len())
    }
}

/// A device that came or went.
#[derive(Debug, Clone)]
pub struct StatusChange {
    /// The device.
    pub device: Device,
    /// Whether it is connected now.
    pub online: bool,
    /// When that changed.
    pub at: UnixMillis,
    /// When it was last heard of before.
    pub last_at: UnixMillis,
    /// Where it connected from, `ADDRESS` or `ADDRESS:PORT`, where that is known.
    pub address: Option<String>,
}

/// What was done to a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum LifeCycle {
    /// It was registered.
    Create,
    /// It was removed.
    Delete,
    /// It may connect.
    Enable,
    /// It may not.
    Disable,
}

/// Puts what the store itself sees happen into words. It is asked where the store writes, so it must not wait.
pub trait MessageWords: Send + Sync {
    /// An asynchronous call ended.
    fn result(&self, ended: &EndedCall) -> Words;

    /// A device came or went.
    fn status(&self, change: &StatusChange) -> Words;

    /// Something was done to a device.
    fn life_cycle(&self, device: &Device, did: LifeCycle, at: UnixMillis) -> Words;
}

/// A message to be written.
#[derive(Debug, Clone)]
pub struct NewMessage {
    /// What it tells of.
    pub kind: MessageKind,
    /// The device that it is about.
    pub device: DeviceKey,
    /// When it came to be.
    pub at: UnixMillis,
    /// What it says.
    pub words: Words,
}

/// A message of the log.
#[derive(Debug, Clone)]
pub struct Message {
    /// Its place: messages that are read later have later ones.
    pub place: i64,
    /// Its name.
    pub id: MessageId,
    /// What it tells of.
    pub kind: MessageKind,
    /// The device that it is about.
    pub device: DeviceKey,
    /// When it came to be.
    pub at: UnixMillis,
    /// What it says.
    pub words: Words,
}

/// A message that a reader was given.
#[derive(Debug, Clone)]
pub struct Taken {
    /// The message.
    pub message: Message,
    /// How often this reader was sent it before, as far as is known: who was gone may have been.
    pub tries: u32,
}

/// Which kinds of messages.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct MessageKinds(u32);

/// Who reads the log under a name of its own.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReaderName(pub String);

/// What a reader wants of the log. What it does not want is not written for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wanted {
    /// By product; `None`: of every product that has no line of its own.
    pub of: Vec<(Option<ProductKey>, MessageKinds)>,
}

/// Why what a reader was given comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenBack {
    /// The message's place.
    pub place: i64,
    /// When it may be given to somebody again; `None`: never by itself, it is a dead letter.
    pub again_at: Option<UnixMillis>,
    /// Whether the reader was sent it, and this counts among its tries.
    pub tried: bool,
    /// For people.
    pub why: String,
}

/// How a reader stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Standing {
    /// Messages that it has still to be given, those that wait to be tried again among them; about, where very many wait.
    pub unread: u64,
    /// Messages that came back and wait to be tried again.
    pub again: u64,
    /// Dead letters.
    pub dead: u64,
    /// Messages that were dropped before it had read them, ever.
    pub lost: u64,
}

/// The log of messages.
#[async_trait]
pub trait MessageLog: Send + Sync {
    /// Whether anybody wants messages of this kind about devices of this product. Answers from memory.
    fn is_wanted(&self, product: &ProductKey, kind: MessageKind) -> bool;

    /// Writes messages down, in this order, and behind those of calls whose futures were polled before. When it returns they
    /// survive a crash. Those that nobody wants are left out.
    ///
    /// # Errors
    /// If the store cannot be written, or too many wait to be.
    async fn append(&self, messages: Vec<NewMessage>) -> Result<(), JournalError>;

    /// From now on there is this reader, and this is what it wants. A new one begins with what is written from now on.
    ///
    /// # Errors
    /// If the store cannot be written, or there are as many readers as may be.
    async fn set_reader(&self, reader: &ReaderName, wanted: Wanted) -> Result<(), JournalError>;

    /// There is no such reader any more, and what it had not read is nobody's.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn remove_reader(&self, reader: &ReaderName) -> Result<(), JournalError>;

    /// Every reader there is, by name.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn readers(&self) -> Result<Vec<ReaderName>, JournalError>;

    /// Gives a reader the oldest messages that nobody was given in its name, at most `max`. They are ours until they are
    /// settled or given back; another instance takes others. None, where there is no such reader.
    ///
    /// # Errors
    /// If the store cannot be read or written, or this instance holds no lease.
    async fn take(&self, reader: &ReaderName, max: usize) -> Result<Vec<Taken>, JournalError>;

    /// The same of those that were given back, or whose holder is gone, and whose time has come.
    ///
    /// # Errors
    /// As [`Self::take`].
    async fn take_again(&self, reader: &ReaderName, max: usize) -> Result<Vec<Taken>, JournalError>;

    /// The reader is done with these, also with one that was given back and that nobody else was given since. Does not wait for
    /// the disk: what is not written when this instance dies is given to somebody once more.
    fn settle(&self, reader: &ReaderName, places: &[i64]);

    /// The reader is not done with these. Does not wait for the disk.
    fn give_back(&self, reader: &ReaderName, back: Vec<GivenBack>);

    /// The reader's dead letters, oldest first, of those behind the place `after`, and why.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn dead(&self, reader: &ReaderName, after: i64, max: usize) -> Result<Vec<(Taken, String)>, JournalError>;

    /// These dead letters are tried again, as if they never had been; all of them if `None`. How many there were.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn revive(&self, reader: &ReaderName, places: Option<&[i64]>) -> Result<u64, JournalError>;

    /// The reader goes on behind the newest message; what it had not read is dropped, without a loss being told. How many
    /// that were.
    ///
    /// # Errors
    /// If the store cannot be written.
    async fn skip(&self, reader: &ReaderName) -> Result<u64, JournalError>;

    /// How a reader stands.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn standing(&self, reader: &ReaderName) -> Result<Standing, JournalError>;

    /// Looks at messages without taking them: the oldest behind the place `after`, at most `max`, of those that are wanted.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn look(&self, after: i64, wanted: &Wanted, max: usize) -> Result<Vec<Message>, JournalError>;

    /// The places that there are messages at: the oldest's to the newest's; an empty range where there is none.
    ///
    /// # Errors
    /// If the store cannot be read.
    async fn places(&self) -> Result<RangeInclusive<i64>, JournalError>;

    /// The place of the newest message, as far as this instance knows. Answers from memory.
    fn newest(&self) -> i64;

    /// Returns when there are messages behind this place, of this instance or of another. Who looks for messages asks for the
    /// newest first: what comes between a look and this is not missed then.
    async fn appended(&self, after: i64);
}

impl MessageKinds {
    /// None.
    pub const NONE: Self = Self(0);

    /// All.
    pub fn all() -> Self {
        MessageKind::VARIANTS.iter().copied().collect()
    }

    /// Whether this one is among them.
    pub const fn contains(self, kind: MessageKind) -> bool {
        self.0 & Self::bit(kind) != 0
    }

    /// These and that one.
    #[must_use]
    pub const fn with(self, kind: MessageKind) -> Self {
        Self(self.0 | Self::bit(kind))
    }

    /// Whether there is none.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = MessageKind> {
        MessageKind::VARIANTS.iter().copied().filter(move |kind| self.contains(*kind))
    }

    const fn bit(kind: MessageKind) -> u32 {
        1 << kind as u32
    }
}

impl FromIterator<MessageKind> for MessageKinds {
    fn from_iter<I: IntoIterator<Item = MessageKind>>(kinds: I) -> Self {
        kinds.into_iter().fold(Self::NONE, Self::with)
    }
}

impl fmt::Debug for MessageKinds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(MessageKind::as_str)).finish()
    }
}

impl Wanted {
    /// The kinds that are wanted of a product.
    pub fn kinds(&self, product: &ProductKey) -> MessageKinds {
        let line = |of: Option<&ProductKey>| self.of.iter().find(|(product, _)| product.as_ref() == of);
        line(Some(product)).or_else(|| line(None)).map_or(MessageKinds::NONE, |(_, kinds)| *kinds)
    }
}

impl fmt::Display for ReaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
