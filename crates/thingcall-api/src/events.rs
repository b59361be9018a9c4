//! Messages as they come, as server-sent events: `GET /events`, signed as a call is.
//!
//! Read in this order: `filter` and `cursor` (what a reader asks for), `filters` (how much a key may), [`EventDesk::open`], `feeder` (what becomes of a
//! stream), `body` (how it leaves).
//!
//! **Invariants:** a reader has every message that it asked for, in the order of the log, or an event that says that it has
//! not. It takes nothing from anybody. What waits for it is bounded, and so is the number of streams.

mod body;
mod cursor;
mod feeder;
mod filter;
mod filters;

use std::sync::Arc;
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::{AccessKey, JournalError, Keys, MessageLog, Subscriptions, UnixMillis};
use thingcall_listen::Caller;
use thingcall_metrics::Maker;
use thingcall_subscription::LiveReader;
use tokio::sync::{Semaphore, mpsc};
use tracing::debug;

use crate::config::Config;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;
use crate::subscribing::Subscribing;

pub(crate) use body::EventBody;
use cursor::Cursor;
use feeder::Feeder;
use filter::Filter;
use filters::Filters;

/// Where they are. The older signature does not cover the path, so the action is asked for, too.
pub(crate) const PATH: &str = "/events";
/// What such a request names as its action.
pub(crate) const ACTION: &str = "StreamMessages";

/// What streams may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    streams_max: usize,
    filters_max: usize,
    bytes_max: usize,
    slow_after: Duration,
}

/// Why a stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum Ended {
    /// The reader went away.
    Left,
    /// The reader did not read.
    Slow,
    /// The server stops.
    Stop,
    /// The key that signed is disabled or gone, or its rules do not allow this any more.
    Key,
    /// The consumer group is gone.
    Group,
    /// The log cannot be read.
    Log,
}

impl Ended {
    /// What the reader is told.
    const fn text(self) -> &'static str {
        match self {
            Self::Left => "the reader went away",
            Self::Slow => "this reader is too slow; go on behind the last id, and read faster",
            Self::Stop => "the server stops; go on behind the last id",
            Self::Key => "the access key is disabled or has ended, or may not read this any more",
            Self::Group => "there is no such consumer group any more",
            Self::Log => "messages cannot be read at the moment; go on behind the last id",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone)]
struct Metrics {
    streams: IntGauge,
    filters: IntGauge,
    bytes: IntGauge,
    sent: IntCounter,
    ended: EnumMap<Ended, IntCounter>,
}

impl Metrics {
    fn register(limits: Limits, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        make.limit("event_streams_limit", "How many of these there may be", limits.streams_max)?;
        make.limit("event_stream_bytes_limit", "How many bytes may wait for one reader of events", limits.bytes_max)?;
        make.limit("event_filters_per_key_limit", "How many of these one access key may have", limits.filters_max)?;
        Ok(Self {
            filters: make.gauge(
                "event_filters",
                "Different filters of readers of events, of all access keys, until ten minutes after their last readers left",
            )?,
            streams: make.gauge("event_streams", "Readers of events")?,
            bytes: make.gauge("event_stream_bytes", "Bytes that wait for all readers of events")?,
            sent: make.counter("events_total", "Messages that were handed to readers of events")?,
            ended: make.counters("event_streams_ended_total", "Streams of events that ended, by why", ["why"])?,
        })
    }
}

/// What streams are made with.
pub(crate) struct EventDesk {
    log: Arc<dyn MessageLog>,
    subscriptions: Arc<dyn Subscriptions>,
    keys: Arc<dyn Keys>,
    limits: Limits,
    places: Arc<Semaphore>,
    filters: Arc<Filters>,
    metrics: Metrics,
}

/// What a request for events asks for.
#[derive(Debug)]
pub(crate) struct Ask {
    filter: Filter,
    cursor: Option<Cursor>,
}

impl Ask {
    /// Refuses what the key's rules do not allow.
    pub(crate) fn must_be_allowed(&self, key: &AccessKey) -> Result<(), GatewayError> {
        self.filter
            .forbidden(key)
            .map_or(Ok(()), |target| Err(GatewayError::Forbidden { action: ACTION, what: target.to_string() }))
    }
}

impl EventDesk {
    pub(crate) fn new(
        keeps: &Subscribing,
        keys: Arc<dyn Keys>,
        config: &Config,
        registry: &Registry,
    ) -> Result<Self, prometheus::Error> {
        let limits = Limits {
            streams_max: config.event_streams_max.get().min(Semaphore::MAX_PERMITS),
            filters_max: config.event_filters_per_key_max.get(),
            bytes_max: config.event_stream_bytes_max.get(),
            slow_after: config.event_stream_slow_after,
        };
        let metrics = Metrics::register(limits, registry)?;
        Ok(Self {
            log: keeps.log.clone(),
            subscriptions: keeps.subscriptions.clone(),
            keys,
            limits,
            places: Arc::new(Semaphore::new(limits.streams_max)),
            filters: Filters::new(limits.filters_max, metrics.filters.clone()),
            metrics,
        })
    }

    /// What a request asks for.
    pub(crate) fn read(&self, incoming: &Incoming<'_>) -> Result<Ask, GatewayError> {
        Ok(Ask { filter: Filter::read(&incoming.params, &*self.subscriptions)?, cursor: Cursor::of(incoming)? })
    }

    /// Begins a stream.
    pub(crate) async fn open(
        &self,
        Ask { filter, cursor }: Ask,
        key: &AccessKey,
        caller: &Caller,
    ) -> Result<EventBody, GatewayError> {
        let place =
            self.places.clone().try_acquire_owned().map_err(|_| full(Full::Streams, self.limits.streams_max))?;
        let (purpose, known) = (filter.purpose(), cursor.as_ref().map(|cursor| cursor.tag.as_str()));
        let (mut live, mut use_of) = (None, None);
        if let Some(wanted) = filter.of_nobody(&*self.subscriptions) {
            let begun = self.filters.begin(&key.id, &purpose);
            let mut used = begun.ok_or_else(|| full(Full::Filters, self.limits.filters_max))?;
            let begun = LiveReader::take_up(self.log.clone(), wanted, (&purpose, known), UnixMillis::now()).await;
            live = Some(begun.map_err(unreadable)?);
            used.keeps_up();
            use_of = Some(used);
        }
        let tag = live.as_ref().map_or(purpose, |live| live.tag().to_owned());
        let newest = *self.log.places().await.map_err(unreadable)?.end();
        let (after, gap) = match cursor {
            None => (newest, false),
            Some(cursor) => (cursor.place.min(newest), cursor.tag != tag || cursor.place > newest),
        };
        let (out, chunks) = mpsc::unbounded_channel();
        let feeder = Feeder {
            log: self.log.clone(),
            subscriptions: self.subscriptions.clone(),
            keys: self.keys.clone(),
            key_id: key.id.clone(),
            filter,
            live,
            _use: use_of,
            tag,
            after,
            gap,
            out: feeder::Out::new(out, self.limits, self.metrics.clone()),
            stopping: caller.draining().clone(),
        };
        let body = EventBody::new(chunks, (place, self.metrics.streams.clone()), caller.streams());
        tokio::spawn(feeder.run());
        Ok(body)
    }
}

/// Of what there are as many as may be.
#[derive(Debug, Clone, Copy)]
enum Full {
    Streams,
    Filters,
    Readers,
}

fn full(of: Full, max: usize) -> GatewayError {
    let (what, setting) = match of {
        Full::Streams => ("readers of events", "api.event_streams_max"),
        Full::Filters => {
            ("filters that this key asked for and that are kept up for it", "api.event_filters_per_key_max")
        }
        Full::Readers => {
            ("filters that are kept up for readers of events who may come again", "messages.stream_readers_max")
        }
    };
    GatewayError::StreamsFull { what, setting, max }
}

fn unreadable(error: JournalError) -> GatewayError {
    match error {
        JournalError::ReadersFull { max, .. } => full(Full::Readers, max),
        JournalError::IdInUse
        | JournalError::DeviceFull(_)
        | JournalError::QueueFull(_)
        | JournalError::Unwritable { .. }
        | JournalError::Store(_) => {
            debug!(%error, "what a reader of events wants cannot be had");
            GatewayError::MessagesUnreadable
        }
    }
}
