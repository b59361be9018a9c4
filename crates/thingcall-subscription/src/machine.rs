//! What all protocols of a subscription have in common: what goes in, what comes out, and in which words.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use thingcall_core::TraceContext;

/// What an application is told: a result, a status, a post.
#[derive(Debug, Clone, Copy)]
pub struct Notice<'a> {
    /// The same on each redelivery; applications remove doubles by it.
    pub id: &'a str,
    /// Where it comes from, as the platform writes it (no `/sys` in front).
    pub topic: &'a str,
    /// When it was made, in milliseconds since 1970.
    pub generated_ms: i64,
    /// How often it was sent before.
    pub tries_before: u32,
    /// JSON, or a device's own bytes.
    pub body: &'a [u8],
    /// The place in a trace that it belongs to.
    pub trace: Option<&'a TraceContext>,
}

/// One sending of a notice on one connection. Never used twice there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryId(pub(crate) u64);

/// Why a notice was not sent. Nothing of it went out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// [`Machine::room`] was 0.
    #[error("the consumer takes nothing now")]
    NoRoom,
    /// The consumer said that it takes no notices of that size: it never will, another one may.
    #[error("the notice is larger than the consumer takes")]
    TooLarge,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Done. Where the consumer settles nothing (it asked for settled deliveries, or `ack:auto`), its bytes were taken by
    /// the socket.
    Accepted,
    /// The consumer says that it can not be processed.
    Rejected,
    /// The consumer gave it back untouched.
    Released,
    /// The consumer gave it back, as tried.
    Modified,
    /// Settled without saying how.
    Unsaid,
    /// Link, session or connection ended first.
    Gone,
    /// Not settled in time. If it is settled later after all, that is an [`Event::Late`].
    TimedOut,
}

impl Outcome {
    /// Whether the notice is done with; any other goes back to the group.
    pub const fn is_done(self) -> bool {
        matches!(self, Self::Accepted)
    }
}

/// A password as it was sent. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(pub(crate) Vec<u8>);

impl Password {
    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// What happened on a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// Who wants in. Answer with [`Machine::authenticated`]; the peer waits, and nothing else happens until then.
    Authenticate {
        /// The user name, not looked at.
        user: String,
        /// What proves it.
        password: Password,
    },
    /// There is a link: notices can be sent as far as there is [`Machine::room`].
    Attached,
    /// The link is gone, the connection is not. All that was out was settled as [`Outcome::Gone`] before.
    Detached,
    /// What became of a delivery; exactly once for each.
    Settled {
        /// Which.
        delivery: DeliveryId,
        /// How.
        outcome: Outcome,
    },
    /// A delivery that had timed out was settled after all: an accepted one need not be sent again.
    Late {
        /// Which.
        delivery: DeliveryId,
        /// How.
        outcome: Outcome,
    },
    /// The last event. What [`Machine::output`] still holds is to be written, then the socket is shut.
    Closed(Why),
}

/// Why a connection is over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Why {
    /// The peer said good-bye, perhaps with a reason, in its own words and of any length.
    #[error("the peer closed the connection{}", .0.as_deref().map(|why| format!(": {why}")).unwrap_or_default())]
    Peer(Option<String>),
    /// The socket ended without a word.
    #[error("the connection was lost")]
    Lost,
    /// User name and password were refused.
    #[error("the login was refused")]
    Refused,
    /// Nobody could tell whether the login is right.
    #[error("the login could not be checked now")]
    Unavailable,
    /// No login in time.
    #[error("no login in time")]
    NoLogin,
    /// No link in time.
    #[error("no link in time")]
    NoLink,
    /// The peer was silent for too long.
    #[error("the peer sent nothing for too long")]
    Silent,
    /// The peer took no byte for too long.
    #[error("the peer took nothing for too long")]
    Stalled,
    /// The peer broke the protocol, or went beyond a limit.
    #[error("{0}")]
    Fault(Fault),
    /// [`Machine::close`] or [`Machine::stop`] was called.
    #[error("closed by the server: {}", .0.symbol())]
    Ordered(Condition),
}

/// What a peer is told of why its connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Condition {
    /// It did what it may not.
    NotAllowed,
    /// It, or all of its group, would be too many.
    ResourceLimitExceeded,
    /// The key or group is no more, or the server stops. Clients connect again.
    ConnectionForced,
    /// What it sent are no frames.
    FramingError,
    /// What it sent in a frame cannot be read.
    DecodeError,
}

impl Condition {
    /// As AMQP writes it.
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::NotAllowed => "amqp:not-allowed",
            Self::ResourceLimitExceeded => "amqp:resource-limit-exceeded",
            Self::ConnectionForced => "amqp:connection:forced",
            Self::FramingError => "amqp:connection:framing-error",
            Self::DecodeError => "amqp:decode-error",
        }
    }
}

/// What a peer did wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({})", .condition.symbol())]
pub struct Fault {
    /// The kind.
    pub condition: Condition,
    /// In words, for the peer and the log.
    pub text: &'static str,
}

/// The answer to [`Event::Authenticate`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// Come in; bodies go out like this.
    Accepted(BodyEncoding),
    /// The login is wrong. Some clients give up for ever.
    Refused,
    /// It cannot be checked now. Clients try again: an AMQP connection ends without a word, since at a refusal of any kind
    /// some give up.
    Unavailable,
}

/// How bodies are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BodyEncoding {
    /// As they are.
    #[default]
    Plain,
    /// As base64 text.
    Base64,
}

impl BodyEncoding {
    pub(crate) fn apply(self, body: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Plain => Cow::Borrowed(body),
            Self::Base64 => Cow::Owned(STANDARD.encode(body).into_bytes()),
        }
    }
}

/// One consumer's connection, whatever it speaks. `now` is the time since the connection's start and never goes back.
pub trait Machine: Send {
    /// What the peer sent, cut anywhere.
    fn receive(&mut self, bytes: &[u8], now: Duration);

    /// The socket ended. Nothing can be written any more.
    fn disconnected(&mut self);

    /// What happened since the last call; to be asked until there is nothing more, after every other call.
    fn next_event(&mut self) -> Option<Event>;

    /// Answers [`Event::Authenticate`]; ignored at any other time.
    fn authenticated(&mut self, decision: Decision, now: Duration);

    /// How many notices can be sent before something else must happen. Less may be possible where one is large: ask again
    /// after each.
    fn room(&self) -> usize;

    /// Sends a notice.
    ///
    /// # Errors
    /// Nothing was sent.
    fn send(&mut self, notice: &Notice<'_>, now: Duration) -> Result<DeliveryId, NotSent>;

    /// Whether the peer waits for "that was all".
    fn is_draining(&self) -> bool;

    /// There is room and nothing to send. A peer that waits for "that was all" is told so.
    fn nothing_to_send(&mut self, now: Duration);

    /// Ends the connection with a reason; what is out is settled as [`Outcome::Gone`].
    fn close(&mut self, condition: Condition, text: &str, now: Duration);

    /// The same since the server stops, in the way after which the peer comes again soonest.
    fn stop(&mut self, now: Duration);

    /// Does what is due by time.
    fn tick(&mut self, now: Duration);

    /// When [`Machine::tick`] is to be called next. It may change with any call.
    fn next_tick(&self) -> Option<Duration>;

    /// What is to be written to the peer.
    fn output(&self) -> &[u8];

    /// So many bytes of [`Machine::output`] were taken by the socket.
    fn written(&mut self, bytes: usize, now: Duration);

    /// Whether the socket is to be read. False while a login is looked at, while much output waits, and at the end.
    fn wants_input(&self) -> bool;

    /// There was an [`Event::Closed`], or one waits: write what is there, then shut the socket.
    fn is_over(&self) -> bool;
}
