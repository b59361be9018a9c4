//! What readers of the log want, and all of them together.
//!
//! **Invariant:** a change costs in proportion to what its reader wanted and wants, however many others there are.

use std::collections::{HashMap, HashSet};

use enum_map::{Enum, EnumMap};
use strum::IntoStaticStr;
use thingcall_core::{MessageKind, MessageKinds, ProductKey, ReaderName, Wanted};

/// What kind of reader somebody is, by the word before the colon of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub(crate) enum ReaderKind {
    Group,
    Exchange,
    Webhook,
    Topic,
    Stream,
    Other,
}

impl ReaderKind {
    /// That of this reader.
    pub(crate) fn of(reader: &ReaderName) -> Self {
        match reader.0.split_once(':').map(|(kind, _)| kind) {
            Some("group") => Self::Group,
            Some("exchange") => Self::Exchange,
            Some("webhook") => Self::Webhook,
            Some("topic") => Self::Topic,
            Some("stream") => Self::Stream,
            Some(_) | None => Self::Other,
        }
    }
}

/// What a stream's names have in common: `stream:{until when it lives}-{tag}`. `None` of any other reader.
fn tag(reader: &ReaderName) -> Option<&str> {
    reader.0.strip_prefix("stream:")?.split_once('-').map(|(_, tag)| tag)
}

/// How many readers, by the kind of messages that they want.
type Counts = EnumMap<MessageKind, i32>;

/// What readers want.
#[derive(Debug, Default)]
pub(crate) struct AllWanted {
    readers: HashMap<ReaderName, Wanted>,
    by_kind: EnumMap<ReaderKind, usize>,
    /// Who wants messages of products that it does not name.
    others: Counts,
    named: HashMap<ProductKey, Named>,
}

/// A product that readers name.
#[derive(Debug, Default)]
struct Named {
    readers: u32,
    /// How many more want messages of it than of a product that nobody names; fewer, where negative.
    more: Counts,
}

/// A reader comes or goes.
#[derive(Debug, Clone, Copy)]
enum Step {
    Comes,
    Goes,
}

impl AllWanted {
    /// Whether anybody wants this kind of message of this product.
    pub(crate) fn contains(&self, product: &ProductKey, kind: MessageKind) -> bool {
        let more = self.named.get(product).map_or(0, |named| named.more[kind]);
        self.others[kind] + more > 0
    }

    /// Whether there is such a reader, or one whose place it takes.
    pub(crate) fn has(&self, reader: &ReaderName) -> bool {
        let tag = tag(reader);
        let is_same = |other: &ReaderName| tag.is_some() && self::tag(other) == tag;
        self.readers.contains_key(reader) || self.readers.keys().any(is_same)
    }

    /// How many readers of this kind there are.
    pub(crate) fn count(&self, kind: ReaderKind) -> usize {
        self.by_kind[kind]
    }

    /// What a reader wants now; `None`: there is no such reader.
    pub(crate) fn set(&mut self, reader: &ReaderName, wanted: Option<Wanted>) {
        if let Some(before) = self.readers.remove(reader) {
            self.by_kind[ReaderKind::of(reader)] -= 1;
            self.step(&before, Step::Goes);
        }
        if let Some(wanted) = wanted {
            self.by_kind[ReaderKind::of(reader)] += 1;
            self.step(&wanted, Step::Comes);
            self.readers.insert(reader.clone(), wanted);
        }
    }

    fn step(&mut self, wanted: &Wanted, step: Step) {
        let one = match step {
            Step::Comes => 1,
            Step::Goes => -1,
        };
        let others = wanted.of.iter().find(|(product, _)| product.is_none());
        let others = others.map_or(MessageKinds::NONE, |(_, kinds)| *kinds);
        others.iter().for_each(|kind| self.others[kind] += one);
        // Of a product that is named twice the first line counts.
        let mut seen = HashSet::new();
        for (product, kinds) in &wanted.of {
            let Some(product) = product.as_ref().filter(|product| seen.insert(*product)) else { continue };
            let named = self.named.entry(product.clone()).or_default();
            named.readers = named.readers.saturating_add_signed(one);
            kinds.iter().for_each(|kind| named.more[kind] += one);
            others.iter().for_each(|kind| named.more[kind] -= one);
            if named.readers == 0 {
                self.named.remove(product);
            }
        }
    }
}

#[cfg(test)]
mod tests;
