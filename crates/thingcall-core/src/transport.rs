//! The seam between the engine and a way to devices.

use std::time::Duration;

use async_trait::async_trait;
use enum_map::Enum;
use strum::{EnumString, IntoStaticStr};

use crate::{Broadcast, Delivery, DeviceKey, Letter, PostAnswer, Presence, SyncTopic, TransportName};

/// The kinds of ways to a device, as metrics and records name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Enum, IntoStaticStr, EnumString)]
#[strum(serialize_all = "snake_case")]
pub enum TransportKind {
    /// The broker inside thingcall.
    Embedded,
    /// An external MQTT broker.
    Mqtt,
    /// RabbitMQ.
    Amqp,
    /// A plugin answered by itself.
    Plugin,
}

impl TransportKind {
    /// The word in metrics, logs and records.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// A way to devices. It puts a delivery into the device's words and hands what comes back to a [`crate::ReplySink`].
///
/// **Invariant:** a transport never waits for the engine, and never awaits its own send queue in its receive loop.
///
/// A way to devices through an external broker is a `Protocol` of `thingcall-transport`, whose kit makes it a transport.
/// One of another kind is written down like this one, behind which devices are said to be offline:
///
/// ```
/// use async_trait::async_trait;
/// use thingcall_core::{
///     DeliverError, Delivery, DeviceKey, Presence, Sent, Transport, TransportKind, TransportName,
/// };
///
/// struct Nowhere;
///
/// #[async_trait]
/// impl Transport for Nowhere {
///     fn kind(&self) -> TransportKind {
///         TransportKind::Embedded
///     }
///     fn name(&self) -> TransportName {
///         TransportName::EMBEDDED
///     }
///     fn presence(&self, _: &DeviceKey) -> Presence {
///         Presence::Offline
///     }
///     fn ready(&self) -> bool {
///         true
///     }
///     async fn deliver(&self, _: &Delivery) -> Result<Sent, DeliverError> {
///         // Nothing was sent, so the caller may be told that nothing was executed.
///         Err(DeliverError::Offline)
///     }
/// }
/// ```
#[async_trait]
pub trait Transport: Send + Sync {
    /// Which way it is.
    fn kind(&self) -> TransportKind;

    /// Which of its kind it is.
    fn name(&self) -> TransportName;

    /// Whether the device is connected, as far as this transport can tell. Answers from memory.
    fn presence(&self, device: &DeviceKey) -> Presence;

    /// Whether it can take deliveries now: connected, subscribed, and what is sent arrives. Answers from memory.
    fn ready(&self) -> bool;

    /// Why it is not ready, and what to do about it; `None` if it is. Answers from memory.
    fn failure(&self) -> Option<String> {
        (!self.ready()).then(|| "there is no connection to its broker; the log says why".to_owned())
    }

    /// How much longer than usual a message takes to its broker and back, as far as is known; zero where nothing is. Who asks
    /// has it looked at more often for a while: ask where there are many calls. Answers from memory.
    fn delay(&self) -> Duration {
        Duration::ZERO
    }

    /// The topic of synchronous calls that it assumes of devices of which nothing is known; `None` where another one is not
    /// worth a try, since devices' logins are seen, here or at the gate.
    fn sync_topic(&self) -> Option<SyncTopic> {
        None
    }

    /// Which slots this instance holds has changed, and the records of their calls are at hand: replies to calls in slots
    /// that were taken over may come from now on, also those that came meanwhile and were kept. Never waits.
    fn slots_changed(&self) {}

    /// Sends a command. Returns when the message is handed on; it does not wait for the device.
    /// Cancel-safe: dropping it sends the message once or not at all.
    ///
    /// # Errors
    /// Why the message did not leave, or that it may have.
    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError>;

    /// Does what [`Self::deliver`] does, where that needs no wait: most commands need no future then. `None` where it does
    /// need one, and nothing was done.
    fn deliver_at_once(&self, delivery: &Delivery) -> Option<Result<Sent, DeliverError>> {
        let _ = delivery;
        None
    }

    /// Whether it can carry such a message to this device. Answers from memory.
    ///
    /// # Errors
    /// What of it cannot be carried, in words fit for a caller.
    fn carries(&self, device: &DeviceKey, letter: &Letter) -> Result<(), NotCarried> {
        let _ = (device, letter);
        Err(NotCarried::Extras(format!("{} carries no messages of applications' own", self.name())))
    }

    /// Sends a message to the connected devices that subscribed to its topic. Says how many messages were handed on, which
    /// is one where a broker deals it out.
    ///
    /// # Errors
    /// Why it did not leave.
    async fn broadcast(&self, broadcast: &Broadcast) -> Result<u64, NotBroadcast> {
        let why = format!("{} carries no broadcasts; this one was for {}", self.name(), broadcast.product);
        Err(DeliverError::Refused(why).into())
    }

    /// Answers what a device said by itself, at best: nobody waits for it to arrive, and a device that hears nothing says it
    /// again. A transport that brings nothing of the kind need not have it.
    ///
    /// # Errors
    /// Why it did not leave.
    async fn tell(&self, answer: &PostAnswer) -> Result<(), DeliverError> {
        Err(DeliverError::Refused(format!("{} answers no reports, so {} gets no answer", self.name(), answer.device)))
    }
}

/// Why a transport does not carry a message of an application's own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotCarried {
    /// Its topic is not one that the device may be told something on.
    #[error("{0}")]
    Topic(String),
    /// Something that goes with it has no place there.
    #[error("{0}")]
    Extras(String),
}

/// Why a broadcast did not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotBroadcast {
    /// Its topic is none that is all devices' of the product.
    #[error("{0}")]
    Topic(String),
    /// The way to the devices.
    #[error(transparent)]
    Failed(#[from] DeliverError),
}

/// How far a message came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// It left; nobody said more (QoS 0).
    Sent,
    /// The broker acknowledged it (QoS 1).
    Acked,
    /// It is kept until the device connects (QoS 1 of an asynchronous call).
    Kept,
}

/// Why a message did not leave.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliverError {
    /// The device is not connected; nothing was sent.
    #[error("device is offline")]
    Offline,
    /// There is no connection to the broker; nothing was sent.
    #[error("no connection to the broker")]
    Down,
    /// The connection broke while the message was on its way; it may have left.
    #[error("connection to the broker lost while sending")]
    Lost,
    /// The send queue is full; nothing was sent.
    #[error("send queue is full ({0} messages)")]
    QueueFull(usize),
    /// Larger than the transport takes; nothing was sent.
    #[error("message of {bytes} bytes is larger than {max} bytes")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// Refused; nothing was executed. Says why in words fit for a caller.
    #[error("{0}")]
    Refused(String),
}
