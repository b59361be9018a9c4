//! The seam between the log of messages and its database, beside that of the rest in `database`.

use std::ops::RangeInclusive;

use async_trait::async_trait;
use thingcall_core::{
    ConsumerGroup, DeviceKey, GivenBack, GroupId, Lease, Message, MessageId, NewMessage, ProductKey, ReaderName,
    Subscription, UnixMillis, Wanted,
};

use crate::failure::Failure;
use crate::groups::Subscribed;
use crate::memory::DeviceEntry;
use crate::wishes::Wishes;

/// A reader, as its row says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReaderRow {
    pub(crate) name: ReaderName,
    pub(crate) wishes: Wishes,
    /// Everything up to here was handed out in its name.
    pub(crate) position: i64,
    /// What was dropped before it had read it, ever.
    pub(crate) lost: u64,
}

/// What is handed out to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimRow {
    pub(crate) reader: ReaderName,
    /// The first and the last place that are claimed.
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// How many of the messages there are handed out.
    pub(crate) messages: u64,
    pub(crate) lease: Lease,
}

/// A claim that is there, and whose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClaimSeen {
    pub(crate) claim: ClaimRow,
    /// Whether its holder still holds its lease, as far as the database can say.
    pub(crate) holder_lives: bool,
}

/// A message that came back and is to be handed out again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Again {
    pub(crate) place: i64,
    pub(crate) tries: u32,
}

/// What came back and is in somebody's hand: whose reader's, its place, and whether its holder still holds its lease.
pub(crate) type InHand = (ReaderName, i64, Lease, bool);

/// Places, and what is wanted there.
pub(crate) type Part = (RangeInclusive<i64>, Wanted);

/// A dead letter's place, how often it was tried, and why it is dead.
pub(crate) type Dead = (Again, String);

/// What is read of the log beside whoever writes.
#[async_trait]
pub(crate) trait MessageReads: Send + Sync {
    /// Every reader, by name.
    async fn readers(&self) -> Result<Vec<ReaderRow>, Failure>;

    /// Only their names.
    async fn reader_names(&self) -> Result<Vec<ReaderName>, Failure>;

    /// One of them.
    async fn reader(&self, name: &ReaderName) -> Result<Option<ReaderRow>, Failure>;

    /// The oldest messages at these places that are wanted.
    async fn messages(&self, places: RangeInclusive<i64>, wanted: &Wanted, max: usize)
    -> Result<Vec<Message>, Failure>;

    /// Those at just these places, which are there.
    async fn messages_at(&self, places: &[i64]) -> Result<Vec<Message>, Failure>;

    /// How many at these places are wanted.
    async fn count_messages(&self, places: RangeInclusive<i64>, wanted: &Wanted) -> Result<u64, Failure>;

    /// Every group, the default one among them, and every subscription.
    async fn subscribed(&self) -> Result<Subscribed, Failure>;

    /// The oldest message's place and the newest's; the newest is the one before the oldest where there is none.
    async fn places(&self) -> Result<RangeInclusive<i64>, Failure>;

    /// What all messages count together.
    async fn message_bytes(&self) -> Result<u64, Failure>;

    /// How many wait to be tried again, and how many are dead.
    async fn count_backlog(&self, reader: &ReaderName) -> Result<(u64, u64), Failure>;

    /// How far the log is over its limits: the place up to which messages are to be dropped now, `at_most` of them.
    async fn excess(&self, limits: &Limits, at_most: i64) -> Result<Option<i64>, Failure>;

    /// Dead letters, oldest first, of those behind this place.
    async fn dead(&self, reader: &ReaderName, after: i64, max: usize) -> Result<Vec<Dead>, Failure>;
}

/// What is written to the log, as part of a transaction.
#[async_trait]
pub(crate) trait MessageWrites: Send {
    /// Writes messages down in this order, and tells the newest's place. Others that do wait until the commit. `behind`: some may
    /// have been written already, behind this place; they are not written twice.
    async fn append_messages(&mut self, new: &[(MessageId, NewMessage)], behind: Option<i64>) -> Result<i64, Failure>;

    /// The reader, made where there is none. What it wanted is wanted up to the newest message.
    async fn set_reader(&mut self, name: &ReaderName, wanted: &Wanted) -> Result<(), Failure>;

    /// There is no such reader any more.
    async fn remove_reader(&mut self, name: &ReaderName) -> Result<(), Failure>;

    /// Every group and every subscription, which nobody else changes until the commit.
    async fn subscribed(&mut self) -> Result<Subscribed, Failure>;

    /// A new group, or another name of one.
    async fn put_group(&mut self, group: &ConsumerGroup) -> Result<(), Failure>;

    /// There is no such group any more.
    async fn remove_group(&mut self, id: &GroupId) -> Result<(), Failure>;

    /// A subscription, in place of the product's if it has one.
    async fn put_subscription(&mut self, subscription: &Subscription) -> Result<(), Failure>;

    /// The product has none any more.
    async fn remove_subscription(&mut self, product: &ProductKey) -> Result<(), Failure>;

    /// Moves a reader on from this position to the claim's end; `false` if it does not stand there.
    async fn claim(&mut self, from: i64, claim: &ClaimRow) -> Result<bool, Failure>;

    /// The same where nothing is handed out.
    async fn move_on(&mut self, reader: &ReaderName, from: i64, to: i64) -> Result<bool, Failure>;

    /// These claims are settled.
    async fn end_claims(&mut self, claims: &[(ReaderName, i64)]) -> Result<(), Failure>;

    /// Those of a claim that came back, or that came back once more.
    async fn give_back(&mut self, back: &[(ReaderName, GivenBack)]) -> Result<(), Failure>;

    /// Hands out what came back and is due.
    async fn take_again(
        &mut self,
        reader: &ReaderName,
        lease: Lease,
        now: UnixMillis,
        max: usize,
    ) -> Result<Vec<Again>, Failure>;

    /// These are settled after they came back.
    async fn end_backlog(&mut self, settled: &[(ReaderName, i64)]) -> Result<(), Failure>;

    /// These are settled if they came back and nobody was given them since.
    async fn end_waiting(&mut self, settled: &[(ReaderName, i64)]) -> Result<(), Failure>;

    /// Every claim there is.
    async fn claims(&mut self) -> Result<Vec<ClaimSeen>, Failure>;

    /// The claim is nobody's: what is wanted in these parts of it is to be handed out again. Of what is not there any more is
    /// told how much that is.
    async fn release_claim(&mut self, claim: &ClaimRow, parts: &[Part], now: UnixMillis) -> Result<u64, Failure>;

    /// What came back and is in hands: which, and whether its holder lives.
    async fn in_hands(&mut self) -> Result<Vec<InHand>, Failure>;

    /// These are in nobody's hands: to be handed out again.
    async fn release_backlog(&mut self, places: &[(ReaderName, i64)], now: UnixMillis) -> Result<(), Failure>;

    /// These dead letters are due now, all if `None`; how many there were.
    async fn revive(&mut self, reader: &ReaderName, places: Option<&[i64]>, now: UnixMillis) -> Result<u64, Failure>;

    /// The reader stands behind the newest message; what came back is dropped, and nothing counts as lost. Tells where it stood,
    /// where it stands, and how many of those that came back there were.
    async fn skip(&mut self, reader: &ReaderName) -> Result<(RangeInclusive<i64>, u64), Failure>;

    /// What is known of these devices; nobody else writes of them until the commit.
    async fn devices(&mut self, devices: &[DeviceKey]) -> Result<Vec<DeviceEntry>, Failure>;

    /// The devices that are connected.
    async fn online_devices(&mut self) -> Result<Vec<DeviceEntry>, Failure>;

    /// Drops what stands up to this place; how much each reader lost of what had come back to it.
    async fn drop_messages(&mut self, up_to: i64) -> Result<Vec<(ReaderName, u64)>, Failure>;

    /// So many were dropped that the reader had not read.
    async fn lose(&mut self, reader: &ReaderName, lost: u64) -> Result<(), Failure>;
}

/// What the log may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// Messages from before this are too old.
    pub(crate) since: UnixMillis,
    pub(crate) messages_max: i64,
    pub(crate) bytes_max: i64,
}

/// What a message counts beside topic and body, about what its row takes.
pub(crate) const MESSAGE_BYTES: i64 = 100;

/// What messages count together.
pub(crate) fn bytes_of(new: &[(MessageId, NewMessage)]) -> i64 {
    let of = |message: &NewMessage| message.words.topic.len() + message.words.body.len();
    let bytes: usize = new.iter().map(|(_, message)| of(message)).sum();
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    bytes.saturating_add(MESSAGE_BYTES.saturating_mul(i64::try_from(new.len()).unwrap_or(i64::MAX)))
}

/// Up to which place messages are to be dropped: how many there are and what they count, where the oldest stands, and the first
/// one that is not too old, among the `at_most` that may be dropped now.
pub(crate) fn cut(
    limits: &Limits,
    (first, last, bytes): (i64, i64, i64),
    young: Option<i64>,
    at_most: i64,
) -> Option<i64> {
    let there = last - first + 1;
    let most = last.min(first + at_most - 1);
    let by_age = young.map_or(most, |young| young - 1);
    let by_count = last.saturating_sub(limits.messages_max);
    let too_many_bytes = bytes.saturating_sub(limits.bytes_max);
    let by_bytes = if too_many_bytes > 0 { first + too_many_bytes / (bytes / there.max(1)).max(1) } else { first - 1 };
    let cut = by_age.max(by_count).max(by_bytes).min(most);
    (cut >= first).then_some(cut)
}
