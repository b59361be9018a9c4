//! What a transport brings: a client and its topics.

use std::fmt::Display;
use std::num::NonZeroUsize;
use std::sync::Arc;

use thingcall_core::{
    Broadcast, DeliverError, Delivery, DeviceKey, Letter, NotBroadcast, NotCarried, PostAnswer, Problems, Sent,
    SyncTopic, TransportKind,
};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use crate::contact::{Contact, Found, Look};
use crate::foreign::KeptMax;
use crate::metrics::{ConnectResult, PublishResult};
use crate::section::BrokerSection;

/// How one kind of broker is spoken to. The value is what all connections of one transport share.
///
/// What there must be at least, for a broker that keeps commands in a queue of its own and answers nothing:
///
/// ```
/// use std::sync::Arc;
/// use thingcall_alink::{payload, request_topic};
/// use thingcall_core::{Check, DeliverError, Delivery, Problem, Problems, Section, Sent, TransportKind};
/// use thingcall_transport::{
///     BrokerTransport, Contact, Ended, NotSent, Protocol, BrokerSection, Scheme, Session, broker_section,
/// };
/// use tokio::sync::mpsc;
/// use tokio_util::sync::CancellationToken;
///
/// broker_section! {
///     /// One section of the configuration.
///     pub struct Config(&[Scheme::plain("queue", 7000)]);
///     /// `queue://host:port`.
///     url = "queue://127.0.0.1:7000";
/// }
///
/// impl Section for Config {
///     fn problems(&self) -> Vec<Problem> {
///         let mut check = Check::default();
///         self.check_keys(&mut check);
///         check.into_problems()
///     }
/// }
///
/// type Command = (String, bytes::Bytes);
///
/// pub struct Queue {
///     config: Config,
///     contact: Contact<mpsc::Sender<Command>>,
/// }
///
/// impl Protocol for Queue {
///     type Config = Config;
///     type Open = mpsc::Sender<Command>;
///     type Session = Connection;
///     const KIND: TransportKind = TransportKind::Mqtt;
///
///     fn new(config: Config, contact: Contact<Self::Open>) -> Result<Self, Problems> {
///         Ok(Self { config, contact })
///     }
///     fn config(&self) -> &Config {
///         &self.config
///     }
///     fn contact(&self) -> &Contact<Self::Open> {
///         &self.contact
///     }
///     async fn connect(self: &Arc<Self>) -> Result<Connection, Ended> {
///         let (queue, queued) = mpsc::channel(self.config.send_queue_messages_max.get());
///         Ok(Connection { queue, queued })
///     }
///     async fn deliver(&self, delivery: &Delivery) -> Result<Sent, NotSent> {
///         let command = (request_topic(delivery, self.config.sync_topic), payload(delivery));
///         let queue = self.contact.present().ok_or_else(NotSent::down)?;
///         queue.try_send(command).map_err(|_| DeliverError::QueueFull(queue.max_capacity()))?;
///         Ok(Sent::Sent)
///     }
/// }
///
/// pub struct Connection {
///     queue: mpsc::Sender<Command>,
///     queued: mpsc::Receiver<Command>,
/// }
///
/// impl Session for Connection {
///     type Open = mpsc::Sender<Command>;
///
///     fn open(&self) -> Self::Open {
///         self.queue.clone()
///     }
///     async fn run(&mut self, stop: &CancellationToken) -> Ended {
///         loop {
///             tokio::select! {
///                 Some((topic, _payload)) = self.queued.recv() => println!("{topic}"),
///                 () = stop.cancelled() => return Ended::stopping(),
///             }
///         }
///     }
/// }
///
/// /// To be started with `QueueTransport::start`, and given to `Engine::attach`.
/// pub type QueueTransport = BrokerTransport<Queue>;
/// ```
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

    /// How many replies to other instances' calls are kept for a while, where all are heard: see [`Self::slots_changed`].
    fn foreign_kept_max(config: &Self::Config) -> KeptMax {
        let _ = config;
        KeptMax::default()
    }

    /// Of how many devices the broker's word is kept, where it tells which are connected ([`Contact::connected`]).
    fn presence_devices_max(config: &Self::Config) -> Option<NonZeroUsize> {
        let _ = config;
        None
    }

    /// Connects, and sees to it that what devices answer comes. Dropped where it takes too long.
    fn connect(self: &Arc<Self>) -> impl Future<Output = Result<Self::Session, Ended>> + Send;

    /// Sends a command. Cancel-safe: dropping it sends the message once or not at all.
    fn deliver(&self, delivery: &Delivery) -> impl Future<Output = Result<Sent, NotSent>> + Send;

    /// Does what [`Self::deliver`] does, where that needs no wait. `None` where it needs one, and nothing was done.
    fn deliver_at_once(&self, delivery: &Delivery) -> Option<Result<Sent, NotSent>> {
        let _ = delivery;
        None
    }

    /// Sends a message to the devices that subscribed to its topic.
    fn broadcast(&self, broadcast: &Broadcast) -> impl Future<Output = Result<Sent, NotBroadcast>> + Send {
        let why = format!("{} carries no broadcasts; this one was for {}", self.contact().name, broadcast.product);
        async { Err(DeliverError::Refused(why).into()) }
    }

    /// Answers what a device said by itself, where it hears such things.
    fn tell(&self, answer: &PostAnswer) -> impl Future<Output = Result<(), DeliverError>> + Send {
        let _ = answer;
        async { Err(DeliverError::Refused("reports of devices are not answered on this way".to_owned())) }
    }

    /// The topic of synchronous calls that it assumes of devices of which nothing is known, where another is worth a try.
    fn sync_topic(&self) -> Option<SyncTopic> {
        None
    }

    /// Whether it can carry a message of an application's own to this device. Answers from memory.
    ///
    /// # Errors
    /// What of it cannot be carried, in words fit for a caller.
    fn carries(&self, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        let _ = (device, letter);
        Err(NotCarried::Extras(format!("{} carries no messages of applications' own", self.contact().name)))
    }

    /// Other slots are held than before ([`Contact::slots`]). Where every instance hears every reply, those of
    /// [`Contact::taken_over`] are to be heard now; where each slot has a queue, those that are held are to be consumed.
    fn slots_changed(&self) {}

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
