//! Confirmed messages on one connection.
//!
//! **Invariants:** a channel has at most one unconfirmed message, and carries no other before that one is settled,
//! also when nobody waits for it any more. RabbitMQ confirms several messages at once and returns an unroutable one
//! apart from its confirmation; lapin hands the returned one to any of those confirmed, so that with several on a
//! channel another device would be called offline. It also keeps an error of a channel with the message that caused it.
//! Once [`Publisher::end`] returns, nothing is published any more.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::ShortString;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ErrorKind};
use prometheus::{Histogram, IntGauge};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::owed::{Mark, Owed};

/// The reply code of a message that no queue takes.
const NO_ROUTE: u16 = 312;

/// A message to publish.
#[derive(Debug, Clone)]
pub(crate) struct Outgoing {
    pub(crate) exchange: ShortString,
    pub(crate) routing_key: ShortString,
    pub(crate) properties: BasicProperties,
    pub(crate) payload: Bytes,
    /// When nobody waits for it any more; it expires then.
    pub(crate) until: Option<Instant>,
}

/// What the broker said of a message it took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Confirmed {
    /// It is in a queue at least.
    Routed,
    /// No queue takes it: it is in none.
    Unroutable,
}

/// Why a message is not confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotConfirmed {
    /// There is no connection; nothing was sent.
    Down,
    /// The broker takes no messages for now; nothing was sent.
    Blocked,
    /// So many may wait, and it may not, or its time was up before its turn; nothing was sent.
    Full(usize),
    /// The broker refused it, in words fit for a caller; it is in no queue.
    Refused(&'static str),
    /// No word came of it; it may be in a queue.
    Lost,
}

/// The sending side of one connection.
pub(crate) struct Publisher {
    connection: Connection,
    idle: Mutex<Vec<Line>>,
    owed: Owed,
    /// A turn is the right to one channel.
    turns: Arc<Semaphore>,
    unconfirmed: Unconfirmed,
    exchanges: TaskTracker,
    ended: CancellationToken,
    /// Told when an exchange is not there: the connection's owner must declare it again.
    pub(crate) missing: Notify,
}

/// A channel, and whether its message is confirmed.
struct Line {
    channel: Channel,
    mark: Mark,
}

/// How many messages wait, and how many may.
struct Unconfirmed {
    messages: AtomicUsize,
    messages_max: usize,
    gauge: IntGauge,
    /// How long confirmations took.
    took_seconds: Histogram,
}

/// What is shown of the messages that wait.
pub(crate) struct Shown {
    /// How many there are.
    pub(crate) waiting: IntGauge,
    /// How long the broker took to confirm one.
    pub(crate) confirmed_seconds: Histogram,
}

impl Publisher {
    pub(crate) fn new(connection: Connection, channels: u16, messages_max: usize, shown: Shown) -> Arc<Self> {
        // The broker may allow fewer than configured.
        let channels = match connection.configuration().channel_max() {
            0 => channels,
            allowed => channels.min(allowed),
        };
        Arc::new(Self {
            connection,
            idle: Mutex::default(),
            owed: Owed::new(),
            turns: Arc::new(Semaphore::new(usize::from(channels))),
            unconfirmed: Unconfirmed {
                messages: AtomicUsize::new(0),
                messages_max,
                gauge: shown.waiting,
                took_seconds: shown.confirmed_seconds,
            },
            exchanges: TaskTracker::new(),
            ended: CancellationToken::new(),
            missing: Notify::new(),
        })
    }

    /// Ends the publisher when it goes, so that no exchange outlives the connection's owner.
    pub(crate) fn ender(&self) -> DropGuard {
        self.ended.clone().drop_guard()
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Whether the broker takes messages for now.
    pub(crate) fn blocked(&self) -> bool {
        self.connection.status().blocked()
    }

    /// How many messages the broker has not confirmed, and how old the oldest is.
    pub(crate) fn owed(&self, now: Instant) -> (usize, Duration) {
        self.owed.now(now)
    }

    /// Publishes a message and waits for the broker's word, at most `patience`. Dropping the future sends it once or
    /// not at all.
    pub(crate) async fn publish(
        self: &Arc<Self>,
        message: Outgoing,
        patience: Duration,
    ) -> Result<Confirmed, NotConfirmed> {
        if self.blocked() {
            return Err(NotConfirmed::Blocked);
        }
        let _place = self.unconfirmed.enter()?;
        let deadline = Instant::now() + patience;
        let turn = tokio::select! {
            biased;
            () = self.ended.cancelled() => return Err(NotConfirmed::Down),
            turn = timeout_at(deadline, self.turns.clone().acquire_owned()) => match turn {
                Ok(Ok(turn)) => turn,
                Ok(Err(_)) => return Err(NotConfirmed::Down),
                Err(_) => return Err(NotConfirmed::Full(self.unconfirmed.messages_max)),
            },
        };
        if deadline <= Instant::now() {
            return Err(NotConfirmed::Full(self.unconfirmed.messages_max));
        }
        // In a task of its own, so that the channel is settled also where this future is dropped.
        let exchange = self.exchanges.spawn(self.clone().exchange(turn, message));
        tokio::select! {
            biased;
            done = exchange => done.unwrap_or(Err(NotConfirmed::Lost)),
            () = sleep_until(deadline) => Err(NotConfirmed::Lost),
        }
    }

    /// Takes no more messages, and returns when none is on its way.
    pub(crate) async fn end(&self) {
        self.ended.cancel();
        self.turns.close();
        self.exchanges.close();
        self.exchanges.wait().await;
    }

    async fn exchange(
        self: Arc<Self>,
        turn: OwnedSemaphorePermit,
        message: Outgoing,
    ) -> Result<Confirmed, NotConfirmed> {
        let line = tokio::select! {
            biased;
            () = self.ended.cancelled() => return Err(NotConfirmed::Down),
            line = self.line() => line?,
        };
        // Between the channel and here nothing waits, so what was said of the two still holds.
        if self.blocked() {
            self.keep(line);
            return Err(NotConfirmed::Blocked);
        }
        // It had to wait for its channel.
        let now = Instant::now();
        if message.until.is_some_and(|until| until <= now) {
            self.keep(line);
            return Err(NotConfirmed::Full(self.unconfirmed.messages_max));
        }
        line.mark.sent(now);
        let confirmed = tokio::select! {
            biased;
            () = self.ended.cancelled() => return Err(NotConfirmed::Lost),
            confirmed = settle(&line.channel, message, now) => confirmed,
        };
        match confirmed {
            Ok(confirmed) => {
                line.mark.settled();
                self.unconfirmed.took_seconds.observe(now.elapsed().as_secs_f64());
                self.keep(line);
                drop(turn);
                read(confirmed)
            }
            Err(error) => Err(self.failed(&error)),
        }
    }

    /// A channel that nobody uses, else a new one.
    async fn line(&self) -> Result<Line, NotConfirmed> {
        loop {
            let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
            match idle {
                Some(line) if line.channel.status().connected() => return Ok(line),
                Some(_) => {}
                None => break,
            }
        }
        let open = async {
            let channel = self.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok::<_, lapin::Error>(channel)
        };
        let channel = open.await.map_err(|_| NotConfirmed::Down)?;
        Ok(Line { channel, mark: self.owed.mark() })
    }

    fn keep(&self, line: Line) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(line);
    }

    /// What an error of the channel says of its one message.
    fn failed(&self, error: &lapin::Error) -> NotConfirmed {
        let ErrorKind::ProtocolError(said) = error.kind() else { return NotConfirmed::Lost };
        let AMQPErrorKind::Soft(soft) = said.kind() else { return NotConfirmed::Lost };
        #[expect(clippy::wildcard_enum_match_arm, reason = "what else is said of a publish is a refusal too")]
        match soft {
            AMQPSoftError::ACCESSREFUSED => NotConfirmed::Refused("the server may not write to it"),
            AMQPSoftError::NOTFOUND => {
                self.missing.notify_one();
                NotConfirmed::Refused("its exchange is not there")
            }
            _ => NotConfirmed::Refused("its form is not allowed"),
        }
    }
}

/// Publishes now, and waits for the confirmation.
async fn settle(channel: &Channel, message: Outgoing, now: Instant) -> Result<Confirmation, lapin::Error> {
    let Outgoing { exchange, routing_key, mut properties, payload, until } = message;
    if let Some(until) = until {
        let left = until.saturating_duration_since(now).as_millis();
        // 0 would be dropped unless somebody takes it at once.
        properties = properties.with_expiration(left.max(1).to_string().into());
    }
    let options = BasicPublishOptions { mandatory: true, immediate: false };
    channel.basic_publish(exchange, routing_key, options, &payload, properties).await?.await
}

fn read(confirmation: Confirmation) -> Result<Confirmed, NotConfirmed> {
    match confirmation {
        Confirmation::Ack(None) => Ok(Confirmed::Routed),
        Confirmation::Ack(Some(returned)) if returned.reply_code == NO_ROUTE => Ok(Confirmed::Unroutable),
        Confirmation::Ack(Some(_)) => Err(NotConfirmed::Refused("it was returned")),
        Confirmation::Nack(_) => Err(NotConfirmed::Refused("a queue could not take it")),
        // All channels ask for confirmations.
        Confirmation::NotRequested => Err(NotConfirmed::Lost),
    }
}

/// A place among the messages that wait.
struct Place<'a>(&'a Unconfirmed);

impl Unconfirmed {
    fn enter(&self) -> Result<Place<'_>, NotConfirmed> {
        let max = self.messages_max;
        let one_more = |messages: usize| (messages < max).then_some(messages + 1);
        let entered = self.messages.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more);
        entered.map_err(|_| NotConfirmed::Full(max))?;
        self.gauge.inc();
        Ok(Place(self))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.messages.fetch_sub(1, Ordering::Relaxed);
        self.0.gauge.dec();
    }
}
