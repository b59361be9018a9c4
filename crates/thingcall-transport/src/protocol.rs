//! What a transport brings: a client and its topics.

use std::fmt::Display;
use std::sync::Arc;

use thingcall_core::{DeliverError, Delivery, Problems, Sent, SyncTopic, TransportKind};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::contact::{Contact, Found, Look};
use crate::metrics::{ConnectResult, PublishResult};
use crate::section::BrokerSection;

/// How one kind of broker is spoken to. The value is what all connections of one transport share.
pub trait Protocol: Send + Sync + Sized + 'static {
    /// Its section of the configuration.
    type Config: BrokerSection;
    /// What a delivery needs of a connection. Cloned for each.
    type Open: Clone + Send + Sync + 'static;
    /// A connection.
    type Session: Session<Open = Self::Open>;

    /// Its word in metrics and records.
    const KIND: TransportKind;

    /// Prepares what needs no connection. The configuration's values are right.
    ///
    /// # Errors
    /// What is wrong with the files that it names.
    fn new(config: Self::Config, contact: Contact<Self::Open>) -> Result<Self, Problems>;

    /// What it was made of.
    fn config(&self) -> &Self::Config;

    /// What it was made with.
    fn contact(&self) -> &Contact<Self::Open>;

    /// How many messages may wait for the broker's acknowledgement.
    fn unacknowledged_max(config: &Self::Config) -> usize {
        config.keys().send_queue_messages_max.get()
    }

    /// Connects, and sees to it that what devices answer comes. Dropped where it takes too long.
    fn connect(self: &Arc<Self>) -> impl Future<Output = Result<Self::Session, Ended>> + Send;

    /// Sends a command. Cancel-safe: dropping it sends the message once or not at all.
    fn deliver(&self, delivery: &Delivery) -> impl Future<Output = Result<Sent, NotSent>> + Send;

    /// The topic of synchronous calls that it assumes of devices of which nothing is known, where another is worth a try.
    fn sync_topic(&self) -> Option<SyncTopic> {
        None
    }

    /// How the connection is, and why it does not carry messages, where it does not. `before` is what was found last.
    fn found(&self, open: &Self::Open, before: Found) -> (Found, Option<String>) {
        let _ = (open, before);
        (Found::Well, None)
    }

    /// Says that messages are carried and the probe is not.
    fn tell_without_probe(&self) {}

    /// A connection and all that was queued on it are gone. The engine is told next.
    fn ended(&self) {}

    /// Looks how the connection is, and says so where it changed.
    fn look(&self) {
        let Some(Look { found, failure }) = self.contact().look(|open, before| self.found(open, before)) else {
            return;
        };
        let transport = self.contact().name;
        match (found, failure) {
            (Found::Begun, _) => {}
            (Found::WellWithoutProbe, _) => self.tell_without_probe(),
            (_, Some(why)) => warn!(%transport, why, "the broker carries no messages"),
            (_, None) => info!(%transport, "the broker carries messages"),
        }
    }
}

/// A connection on which deliveries are taken.
pub trait Session: Send {
    /// What a delivery needs of it.
    type Open;

    /// What is given to deliveries, from now until [`Self::run`] returns.
    fn open(&self) -> Self::Open;

    /// Receives until the connection ends, or is to stop. Awaits nothing but the broker.
    fn run(&mut self, stop: &CancellationToken) -> impl Future<Output = Ended> + Send;

    /// Drops what is queued, and says goodbye where somebody is there to hear it. Deliveries are refused already.
    fn close(self) -> impl Future<Output = ()> + Send
    where
        Self: Sized,
    {
        async { drop(self) }
    }
}

/// Why there is no connection, for the counter and the log.
#[derive(Debug)]
pub struct Ended {
    /// What an attempt to connect counts as.
    pub result: ConnectResult,
    /// In words.
    pub why: String,
}

impl Ended {
    /// For this reason.
    pub fn new(result: ConnectResult, why: impl Display) -> Self {
        Self { result, why: why.to_string() }
    }

    /// The broker, or the network, would not.
    pub fn refused(why: impl Display) -> Self {
        Self::new(ConnectResult::Refused, why)
    }

    /// The transport is to end.
    pub fn stopping() -> Self {
        Self::refused("shutting down")
    }
}

/// Why a command was not sent, for the caller and for the counter.
#[derive(Debug)]
pub struct NotSent {
    /// What the engine is told.
    pub error: DeliverError,
    /// What it counts as.
    pub result: PublishResult,
}

impl NotSent {
    /// There is no connection, or none that takes messages.
    pub fn down() -> Self {
        DeliverError::Down.into()
    }
}

impl From<DeliverError> for NotSent {
    fn from(error: DeliverError) -> Self {
        let end = Err(error.clone());
        Self { error, result: PublishResult::of(&end) }
    }
}
