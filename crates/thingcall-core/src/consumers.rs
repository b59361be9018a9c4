//! Who is connected to read what goes to a consumer group.

use async_trait::async_trait;

use crate::{GroupId, UnixMillis};

/// How many messages were consumed in the last minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PerMinute {
    /// Of those that nobody had been given before.
    pub fresh: u64,
    /// Of those that had come back, or had waited for a consumer.
    pub backlog: u64,
}

/// A client that is connected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consumer {
    /// What it calls itself; others may be called the same.
    pub client: String,
    /// Where it connected from, `ADDRESS:PORT`.
    pub address: String,
    /// When it connected.
    pub since: UnixMillis,
    /// What it consumed.
    pub consumed: PerMinute,
}

/// How a group's messages are consumed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Consumption {
    /// Its clients, the longest connected first.
    pub clients: Vec<Consumer>,
    /// What they consumed together, with those that are gone.
    pub consumed: PerMinute,
    /// When a message was consumed last, if that is known.
    pub last_at: Option<UnixMillis>,
}

/// Knows who consumes.
#[async_trait]
pub trait Consumers: Send + Sync {
    /// How this group's messages are consumed, at every instance that could be asked.
    async fn of(&self, group: &GroupId) -> Consumption;
}

/// Where no client can connect: nobody is connected.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoConsumers;

#[async_trait]
impl Consumers for NoConsumers {
    async fn of(&self, _: &GroupId) -> Consumption {
        Consumption::default()
    }
}

impl PerMinute {
    /// All together.
    pub const fn all(self) -> u64 {
        self.fresh.saturating_add(self.backlog)
    }
}
