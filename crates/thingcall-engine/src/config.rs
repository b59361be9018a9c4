//! The engine's limits.

use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{CallId, Check, Problem, ProductKey, Section, TransportName};

/// No limit of what memory holds may be above this one: some of it is asked for at the start.
const HELD_MAX: usize = 100_000_000;

/// The engine's configuration, `[engine]` in the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How long a caller waits for a synchronous call. Alibaba's platform says 8 s, and its SDKs give up after 10 s.
    #[serde(with = "humantime_serde")]
    pub reply_timeout: Duration,
    /// How many synchronous calls may wait for their device at once; more are answered `overloaded`.
    pub pending_calls_max: NonZeroUsize,
    /// From which time on, that a message needs through an external broker, fewer calls may wait, and further ones are answered
    /// `overloaded` at once. Zero: never.
    #[serde(with = "humantime_serde")]
    pub congestion_delay: Duration,
    /// The size of a call's arguments.
    pub args_bytes_max: NonZeroUsize,
    /// How many ended calls are remembered, to tell late and duplicate replies from unknown ones.
    pub recent_calls_max: NonZeroUsize,
    /// How many replies to asynchronous calls may wait for the journal.
    pub late_replies_max: NonZeroUsize,
    /// How many messages of devices that speak their own bytes may wait for their translation at once.
    pub raw_replies_max: NonZeroUsize,
    /// How many reports of devices may be under way to the store at once; more are answered 429.
    pub posts_on_their_way_max: NonZeroUsize,
    /// How many bytes they may have together, each value counted with 256 more.
    pub posts_on_their_way_bytes_max: NonZeroUsize,
    /// How long an asynchronous command may be without an answer before a newer one takes its turn, where the answers of a
    /// device that speaks its own bytes hold no id.
    #[serde(with = "humantime_serde")]
    pub raw_answer_timeout: Duration,
    /// How many calls may wait for their turn at one device, where a product's calls are paced; more are answered
    /// `overloaded`.
    pub paced_waiting_calls_max: NonZeroUsize,
    /// How long a paced call may keep its device from the next one.
    #[serde(with = "humantime_serde")]
    pub paced_turn_timeout: Duration,
    /// How many fleet calls of one account are kept, whether they run or have ended.
    pub fleet_calls_max: NonZeroUsize,
    /// How many devices one may be of.
    pub fleet_devices_max: NonZeroUsize,
    /// How many of its calls may begin a second.
    pub fleet_calls_per_second_max: NonZeroU32,
    /// How long one is kept that has ended.
    #[serde(with = "humantime_serde")]
    pub fleet_calls_kept_for: Duration,
    /// How many messages may be going to all devices of a product at once.
    pub broadcasts_max: NonZeroUsize,
    /// How many devices a second each of them is sent to.
    pub broadcast_devices_per_second_max: NonZeroU32,
    /// How many questions of AsyncRRpc may be without an answer; more are answered `overloaded`.
    pub unawaited_questions_max: NonZeroUsize,
    /// How long an answer to one is heard.
    #[serde(with = "humantime_serde")]
    pub unawaited_answer_timeout: Duration,
    /// Of how many devices the last message that led to nothing is kept, for `thingcall explain` and `device show`.
    pub dropped_devices_max: NonZeroUsize,
    /// How many failed and slow calls are kept for `thingcall explain`, and as many requests that were refused.
    pub recent_failures_max: NonZeroUsize,
    /// From how long on a call that succeeded counts as slow.
    #[serde(with = "humantime_serde")]
    pub slow_call: Duration,
    /// Whether calls that succeed leave a line in the log too.
    pub log_successes: bool,
    /// The slot in call ids that this instance asks for, 0 to 63. Without it, the store it shares with others leases it a
    /// free one, and on a store of its own it is 0.
    pub instance_slot: Option<u8>,
    /// The transport for devices that were never heard of and have none set, nor their products: `embedded`, `mqtt`,
    /// `amqp`, or the name of a further broker. Without it, the first that may have the device.
    pub default_transport: Option<TransportName>,
    /// What is shown of calls; the program's, which has it with the rest of what is shown.
    #[serde(skip)]
    pub shown: Shown,
}

/// What metrics and lists of devices tell apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The products that have series of their own; all others are one. Without any, none is a label.
    pub products: Vec<ProductKey>,
    /// What the lists of devices that fail or are slow most often may take.
    pub top_bytes_max: NonZeroUsize,
}

impl Shown {
    /// How many products may have series of their own.
    pub const PRODUCTS_MAX: usize = 20;
    /// What all others are called.
    pub const OTHER: &str = "_other";
    /// What the lists take at least.
    pub const TOP_BYTES_MIN: usize = 64 * 1024;
}

impl Default for Shown {
    fn default() -> Self {
        Self { products: Vec::new(), top_bytes_max: const { NonZeroUsize::new(1024 * 1024).unwrap() } }
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            reply_timeout: Duration::from_secs(8),
            pending_calls_max: const { NonZeroUsize::new(20_000).unwrap() },
            congestion_delay: Duration::ZERO,
            args_bytes_max: const { NonZeroUsize::new(64 * 1024).unwrap() },
            recent_calls_max: const { NonZeroUsize::new(65_536).unwrap() },
            late_replies_max: const { NonZeroUsize::new(10_000).unwrap() },
            raw_replies_max: const { NonZeroUsize::new(10_000).unwrap() },
            posts_on_their_way_max: const { NonZeroUsize::new(10_000).unwrap() },
            posts_on_their_way_bytes_max: const { NonZeroUsize::new(64 * 1024 * 1024).unwrap() },
            raw_answer_timeout: Duration::from_secs(60),
            paced_waiting_calls_max: const { NonZeroUsize::new(16).unwrap() },
            paced_turn_timeout: Duration::from_secs(3),
            fleet_calls_max: const { NonZeroUsize::new(100).unwrap() },
            fleet_devices_max: const { NonZeroUsize::new(100_000).unwrap() },
            fleet_calls_per_second_max: const { NonZeroU32::new(1000).unwrap() },
            fleet_calls_kept_for: Duration::from_secs(7 * 24 * 3600),
            broadcasts_max: const { NonZeroUsize::new(4).unwrap() },
            broadcast_devices_per_second_max: const { NonZeroU32::new(2000).unwrap() },
            unawaited_questions_max: const { NonZeroUsize::new(100_000).unwrap() },
            unawaited_answer_timeout: Duration::from_secs(600),
            dropped_devices_max: const { NonZeroUsize::new(10_000).unwrap() },
            recent_failures_max: const { NonZeroUsize::new(1000).unwrap() },
            slow_call: Duration::from_secs(3),
            log_successes: false,
            instance_slot: None,
            default_transport: None,
            shown: Shown::default(),
        }
    }
}

impl Config {
    /// How many posts may be under way, and how many bytes.
    pub(crate) fn posts_max(&self) -> (usize, usize) {
        (self.posts_on_their_way_max.get(), self.posts_on_their_way_bytes_max.get())
    }
}

/// No more bytes than these can be counted out.
const BYTES_MAX: usize = u32::MAX as usize;
/// Longer than any SDK waits.
const REPLY_TIMEOUT_LIMIT: Duration = Duration::from_secs(60);
/// What comes after that is no answer.
const PACED_TURN_TIMEOUT_LIMIT: Duration = Duration::from_secs(3600);

/// Below, a timer's own coarseness would be taken for it.
const CONGESTION_DELAY_MIN: Duration = Duration::from_millis(5);

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let reply = !self.reply_timeout.is_zero() && self.reply_timeout <= REPLY_TIMEOUT_LIMIT;
        let right = "more than 0s, at most 60s, and below the 10s after which SDKs give up";
        check.must(reply, "reply_timeout", format_args!("{:?}", self.reply_timeout), right);
        let turn = !self.paced_turn_timeout.is_zero() && self.paced_turn_timeout <= PACED_TURN_TIMEOUT_LIMIT;
        let right = "more than 0s, at most 1h; longer than the slowest answer takes";
        check.must(turn, "paced_turn_timeout", format_args!("{:?}", self.paced_turn_timeout), right);
        let congestion = self.congestion_delay.is_zero() || self.congestion_delay >= CONGESTION_DELAY_MIN;
        let right = "0s, or 5ms and more; less than that is no congestion";
        check.must(congestion, "congestion_delay", format_args!("{:?}", self.congestion_delay), right);
        check.more_than_zero("unawaited_answer_timeout", self.unawaited_answer_timeout);
        for (key, max) in [
            ("pending_calls_max", self.pending_calls_max),
            ("recent_calls_max", self.recent_calls_max),
            ("late_replies_max", self.late_replies_max),
            ("raw_replies_max", self.raw_replies_max),
            ("paced_waiting_calls_max", self.paced_waiting_calls_max),
            ("posts_on_their_way_max", self.posts_on_their_way_max),
            ("broadcasts_max", self.broadcasts_max),
            ("unawaited_questions_max", self.unawaited_questions_max),
            ("fleet_calls_max", self.fleet_calls_max),
            ("fleet_devices_max", self.fleet_devices_max),
            ("dropped_devices_max", self.dropped_devices_max),
            ("recent_failures_max", self.recent_failures_max),
        ] {
            check.at_most(key, max.get(), HELD_MAX);
        }
        check.at_most("posts_on_their_way_bytes_max", self.posts_on_their_way_bytes_max.get(), BYTES_MAX);
        if let Some(slot) = self.instance_slot {
            check.must(slot <= CallId::SLOT_MAX, "instance_slot", slot, format!("0 to {}", CallId::SLOT_MAX));
        }
        check.into_problems()
    }
}
