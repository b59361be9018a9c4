//! Messages as they come, as server-sent events: `GET /events`, signed as a call is.
//!
//! Read in this order: `filter` and `cursor` (what a reader asks for), [`EventDesk::open`], `feeder` (what becomes of a
//! stream), `body` (how it leaves).
//!
//! **Invariants:** a reader has every message that it asked for, in the order of the log, or an event that says that it has
//! not. It takes nothing from anybody. What waits for it is bounded, and so is the number of streams.

mod body;
mod cursor;
mod feeder;
mod filter;

use std::sync::Arc;
use std::time::Duration;

use enum_map::{Enum, EnumMap};
use prometheus::{IntCounter, IntGauge, Registry};
use strum::IntoStaticStr;
use thingcall_core::{AccessKey, Keys, MessageLog, Subscriptions, UnixMillis};
use thingcall_listen::Caller;
use thingcall_metrics::Maker;
use thingcall_subscription::LiveReader;
use tokio::sync::{Semaphore, mpsc};

use crate::config::Config;
use crate::gateway::GatewayError;
use crate::incoming::Incoming;
use crate::subscribing::Subscribing;

pub(crate) use body::EventBody;
use cursor::Cursor;
use feeder::Feeder;
use filter::Filter;

/// Where they are. The older signature does not cover the path, so the action is asked for, too.
pub(crate) const PATH: &str = "/events";
/// What such a request names as its action.
pub(crate) const ACTION: &str = "StreamMessages";

/// What streams may take.
#[derive(Debug, Clone, Copy)]
struct Limits {
    streams_max: usize,
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
    /// The key that signed is disabled or gone.
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
            Self::Key => "the access key is disabled",
            Self::Group => "there is no such consumer group any more",
            Self::Log => "messages cannot be read at the moment; go on behind the last id",
        }
    }
}

/// What is counted.
#[derive(Debug, Clone)]
struct Metrics {
    streams: IntGauge,
    bytes: IntGauge,
    sent: IntCounter,
    ended: EnumMap<Ended, IntCounter>,
}

impl Metrics {
    fn register(limits: Limits, registry: &Registry) -> Result<Self, prometheus::Error> {
        let make = Maker::new(registry);
        make.limit("event_streams_limit", "How many of these there may be", limits.streams_max)?;
        make.limit("event_stream_bytes_limit", "How many bytes may wait for one reader of events", limits.bytes_max)?;
        Ok(Self {
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
    metrics: Metrics,
}

/// What a request for events asks for.
#[derive(Debug)]
pub(crate) struct Ask {
    filter: Filter,
    cursor: Option<Cursor>,
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
            bytes_max: config.event_stream_bytes_max.get(),
            slow_after: config.event_stream_slow_after,
        };
        Ok(Self {
            log: keeps.log.clone(),
            subscriptions: keeps.subscriptions.clone(),
            keys,
            limits,
            places: Arc::new(Semaphore::new(limits.streams_max)),
            metrics: Metrics::register(limits, registry)?,
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
        let full = |_| GatewayError::StreamsFull { max: self.limits.streams_max };
        let place = self.places.clone().try_acquire_owned().map_err(full)?;
        let unreadable = |_| GatewayError::MessagesUnreadable;
        let (purpose, known) = (filter.purpose(), cursor.as_ref().map(|cursor| cursor.tag.as_str()));
        let live = match filter.of_nobody(&*self.subscriptions) {
            None => None,
            Some(wanted) => {
                let begun = LiveReader::take_up(self.log.clone(), wanted, (&purpose, known), UnixMillis::now()).await;
                Some(begun.map_err(unreadable)?)
            }
        };
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
