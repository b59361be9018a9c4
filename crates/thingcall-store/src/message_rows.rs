//! Rows of the log of messages, and what they become in memory.

use std::sync::Arc;

use thingcall_core::{
    ConsumerGroup, GroupId, Lease, Message, MessageId, ProductKey, ReaderName, Subscription, Topic, TraceContext,
    UnixMillis, Words,
};
use tracing::error;

use crate::columns::{Columns, decode, device_key};
use crate::groups::Subscribed;
use crate::message_tables::{Again, ClaimRow, ClaimSeen, Dead, InHand, ReaderRow};
use crate::wishes::Wishes;

/// A message of the log.
pub(crate) fn message(row: &impl Columns) -> Result<Message, sqlx::Error> {
    let body = row.maybe_bytes("body")?.unwrap_or_default().to_vec();
    Ok(Message {
        place: row.number("seq")?,
        id: MessageId(row.number("id")?.cast_unsigned()),
        kind: row
            .text("kind")?
            .parse()
            .map_err(|error: strum::ParseError| sqlx::Error::Decode(error.to_string().into()))?,
        device: device_key(row.text("product")?, row.text("device")?)?,
        at: UnixMillis(row.number("at")?),
        words: Words {
            topic: row.text("topic")?.to_owned(),
            body: body.into(),
            trace: row.maybe_text("trace")?.and_then(TraceContext::of_text),
        },
    })
}

/// A reader of the log.
pub(crate) fn reader(row: &impl Columns) -> Result<ReaderRow, sqlx::Error> {
    Ok(ReaderRow {
        name: ReaderName(row.text("name")?.to_owned()),
        wishes: Wishes::read(row.text("wishes")?),
        position: row.number("position")?,
        lost: row.number("lost")?.cast_unsigned(),
    })
}

/// A claim, and whether its holder `lives`.
pub(crate) fn held(row: &impl Columns) -> Result<ClaimSeen, sqlx::Error> {
    Ok(ClaimSeen {
        claim: ClaimRow {
            reader: ReaderName(row.text("reader")?.to_owned()),
            first: row.number("first")?,
            last: row.number("last")?,
            messages: row.number("messages")?.cast_unsigned(),
            lease: lease(row)?,
        },
        holder_lives: row.flag("lives")?,
    })
}

/// What came back and is in somebody's hand, and whether that one `lives`.
pub(crate) fn in_hand(row: &impl Columns) -> Result<InHand, sqlx::Error> {
    Ok((ReaderName(row.text("reader")?.to_owned()), row.number("seq")?, lease(row)?, row.flag("lives")?))
}

fn lease(row: &impl Columns) -> Result<Lease, sqlx::Error> {
    let slot = u8::try_from(row.number("slot")?).unwrap_or(u8::MAX);
    Ok(Lease { slot, generation: row.number("generation")?.cast_unsigned() })
}

/// What came back, and how often it was tried.
pub(crate) fn again(row: &impl Columns) -> Result<Again, sqlx::Error> {
    Ok(Again { place: row.number("seq")?, tries: u32::try_from(row.number("tries")?).unwrap_or(u32::MAX) })
}

/// A dead letter, and why it is one.
pub(crate) fn dead(row: &impl Columns) -> Result<Dead, sqlx::Error> {
    Ok((again(row)?, row.text("why")?.to_owned()))
}

/// What the rows of groups and subscriptions say; the default group is as old as the log.
pub(crate) fn subscribed<R: Columns>(since: i64, groups: &[R], subscriptions: &[R]) -> Result<Subscribed, sqlx::Error> {
    let mut all = Subscribed::default();
    let mut put = |group: ConsumerGroup| all.groups.insert(group.id.clone(), Arc::new(group));
    put(ConsumerGroup::default_group(UnixMillis(since)));
    for row in groups {
        let id = row.text("id")?;
        let Some(id) = GroupId::read(id) else {
            error!(id, "a consumer group's id cannot be read; the group is left out");
            continue;
        };
        let (name, created_at) = (row.text("name")?.to_owned(), UnixMillis(row.number("created_at")?));
        put(ConsumerGroup { id, name, created_at });
    }
    for row in subscriptions {
        let product = ProductKey::try_from(row.text("product")?).map_err(decode)?;
        // A newer release's topics are left out.
        let topics = row.text("topics")?.split(',').filter_map(|word| word.parse::<Topic>().ok()).collect();
        let groups = row.text("members")?.split(',').filter_map(GroupId::read).collect();
        let subscription = Subscription { product: product.clone(), topics, groups };
        all.subscriptions.insert(product, Arc::new(subscription));
    }
    Ok(all)
}

/// A subscription's topics and groups, as its row holds them.
pub(crate) fn lists(subscription: &Subscription) -> (String, String) {
    let topics: Vec<_> = subscription.topics.iter().map(|topic| topic.as_str()).collect();
    let members: Vec<_> = subscription.groups.iter().map(GroupId::as_str).collect();
    (topics.join(","), members.join(","))
}
