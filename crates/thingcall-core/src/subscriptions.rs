//! Consumer groups, and what they are subscribed to.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use strum::{EnumString, IntoStaticStr, VariantArray};

use crate::{MessageKind, MessageKinds, ProductKey, ReaderName, UnixMillis};

mod rules;

pub use rules::SubscriptionLimits;

/// Names a consumer group: `DEFAULT_GROUP`, or 26 letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(String);

/// Consumers that share messages: each goes to one of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsumerGroup {
    /// Names it.
    pub id: GroupId,
    /// For people.
    pub name: String,
    /// When it was made.
    pub created_at: UnixMillis,
}

/// What a subscription may be to, as it is said: some are several kinds of messages, and of some there are none here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, IntoStaticStr, EnumString, VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Topic {
    /// What devices report and answer.
    DeviceData,
    /// That they come and go.
    DeviceStatus,
    /// That they are made, removed, enabled, disabled.
    DeviceLifeCycle,
    /// The same of sub-devices; there are none here.
    DeviceTopoLifeCycle,
    /// Sub-devices that a gateway found; there are none here.
    FoundDeviceList,
    /// What they report of an earlier time.
    ThingHistory,
    /// Their tags.
    DeviceTag,
    /// Updates of their firmware; there are none here.
    OtaEvent,
    /// Versions of their firmware; there are none here.
    OtaVersion,
    /// Batches of updates; there are none here.
    OtaJob,
}

/// What of a product's devices goes to which groups.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subscription {
    /// The product.
    pub product: ProductKey,
    /// What, at least one.
    pub topics: Vec<Topic>,
    /// To whom, at least one.
    pub groups: Vec<GroupId>,
}

/// How a subscription changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubscriptionChange {
    /// It is to these topics and goes to these groups.
    To {
        /// What, at least one.
        topics: Vec<Topic>,
        /// To whom, at least one.
        groups: Vec<GroupId>,
    },
    /// It goes to this group too. Nothing changes if it did.
    Add(GroupId),
    /// It goes to this group no more.
    Remove(GroupId),
}

/// Why it cannot be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubscriptionError {
    /// There is no such group.
    #[error("there is no consumer group {0}")]
    NoGroup(GroupId),
    /// There is no such product.
    #[error("there is no product {0}")]
    NoProduct(ProductKey),
    /// The product has none.
    #[error("product {0} has no subscription")]
    NoSubscription(ProductKey),
    /// It has one.
    #[error("product {0} has a subscription already")]
    Exists(ProductKey),
    /// As it is, it must not be: says what, and what would be right.
    #[error("{0}")]
    Refused(String),
    /// There are as many as may be; says of what, and how many that is.
    #[error("{0}")]
    Full(String),
    /// The store cannot be written. The text is for callers too, and says whether the change was made.
    #[error("{0}")]
    Unwritable(String),
    /// The store failed; the text is for logs.
    #[error("store: {0}")]
    Store(String),
}

/// Reads and changes groups and subscriptions. What is read is read from memory; a change is seen there when the function
/// returns, and by other instances within a second.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Every group, by id; the default group is always there.
    fn groups(&self) -> Vec<Arc<ConsumerGroup>>;

    /// One of them.
    fn group(&self, id: &GroupId) -> Option<Arc<ConsumerGroup>>;

    /// Makes a group of this name. Others may have the same. Its id is a new one, or `id`, that of a group elsewhere whose consumers
    /// come here.
    ///
    /// # Errors
    /// `Refused` for the name and for an id that is there, `Full`, or the store's.
    async fn create_group(&self, name: &str, id: Option<GroupId>) -> Result<Arc<ConsumerGroup>, SubscriptionError>;

    /// Gives a group another name.
    ///
    /// # Errors
    /// `NoGroup`, `Refused` for the name and for the default group, or the store's.
    async fn rename_group(&self, id: &GroupId, name: &str) -> Result<(), SubscriptionError>;

    /// Removes a group, and what waits for it.
    ///
    /// # Errors
    /// `NoGroup`, `Refused` for the default group and while a subscription names it, or the store's.
    async fn delete_group(&self, id: &GroupId) -> Result<(), SubscriptionError>;

    /// Every subscription, by product.
    fn subscriptions(&self) -> Vec<Arc<Subscription>>;

    /// A product's.
    fn subscription(&self, product: &ProductKey) -> Option<Arc<Subscription>>;

    /// Makes one.
    ///
    /// # Errors
    /// `Exists`, `NoProduct`, `NoGroup`, `Refused`, `Full` where a group or a product has as many as may be, or the store's.
    async fn subscribe(&self, new: Subscription) -> Result<(), SubscriptionError>;

    /// Changes one; of two who change it at once, the later one changes what the other left.
    ///
    /// # Errors
    /// As [`Self::subscribe`], and `NoSubscription`.
    async fn change_subscription(
        &self,
        product: &ProductKey,
        change: SubscriptionChange,
    ) -> Result<(), SubscriptionError>;

    /// Ends one. What waits for its groups stays.
    ///
    /// # Errors
    /// `NoSubscription`, or the store's.
    async fn unsubscribe(&self, product: &ProductKey) -> Result<(), SubscriptionError>;
}

impl ConsumerGroup {
    /// The one that is always there.
    pub fn default_group(created_at: UnixMillis) -> Self {
        Self { id: GroupId::default_group(), name: GroupId::DEFAULT.to_owned(), created_at }
    }
}

impl GroupId {
    /// The one that is always there.
    pub const DEFAULT: &'static str = "DEFAULT_GROUP";
    /// How many letters and digits another one has.
    pub const CHARS: usize = 26;

    /// The default group's.
    pub fn default_group() -> Self {
        Self(Self::DEFAULT.to_owned())
    }

    /// An id as somebody gave it; `None` if it can be nobody's.
    pub fn read(text: &str) -> Option<Self> {
        let made = text.len() == Self::CHARS && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
        (made || text == Self::DEFAULT).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is the default group's.
    pub fn is_default(&self) -> bool {
        self.0 == Self::DEFAULT
    }

    /// The name under which its consumers read the log.
    pub fn reader(&self) -> ReaderName {
        ReaderName(format!("group:{}", self.0))
    }
}

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Topic {
    /// The word in stores and on the command line.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The kinds of messages that it is.
    pub fn kinds(self) -> MessageKinds {
        use MessageKind::{Custom, Event, History, LifeCycle, Property, Result, Status, Tag};
        let kinds: &[MessageKind] = match self {
            Self::DeviceData => &[Result, Property, Event, Custom],
            Self::DeviceStatus => &[Status],
            Self::DeviceLifeCycle => &[LifeCycle],
            Self::ThingHistory => &[History],
            Self::DeviceTag => &[Tag],
            Self::DeviceTopoLifeCycle | Self::FoundDeviceList | Self::OtaEvent | Self::OtaVersion | Self::OtaJob => &[],
        };
        kinds.iter().copied().collect()
    }
}

impl Subscription {
    /// The kinds of messages that it is to.
    pub fn kinds(&self) -> MessageKinds {
        self.topics.iter().flat_map(|topic| topic.kinds().iter()).collect()
    }
}
