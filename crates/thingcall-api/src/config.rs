//! The front's limits and switches.

use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, ResultShape, Section};
use thingcall_listen::Tls;

/// The `http` crate takes no longer path and query.
const URI_BYTES_LIMIT: usize = 65_534;
/// More would be no limit.
const EVENT_BYTES_LIMIT: usize = 1024 * 1024 * 1024;

/// The front's configuration, `[api]` in the file.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens. Not to be opened to a network without TLS: a signature does not hide arguments.
    pub listen: SocketAddr,
    /// TLS of its own; without it, it speaks HTTP.
    pub tls: Option<Tls>,
    /// What `Data.Result` holds: `envelope`, the whole Alink reply, or `data`, its data alone. A key may differ.
    pub result: ResultShape,
    /// The id every request must give as `IotInstanceId`; without one, what a request gives is ignored.
    pub instance_id: Option<String>,
    /// How many InvokeThingService calls an account may make in a second, by all its keys together; 0 is no limit.
    pub calls_per_second_max: u32,
    /// How many InvokeThingsService an account may make in a second at this instance, and as many SetDevicesProperty, each of
    /// them for up to 100 devices; 0 is no limit.
    pub batch_calls_per_second_max: u32,
    /// How many PubBroadcast with a topic an account may make in a second at this instance; 0 is no limit.
    pub broadcasts_per_second_max: u32,
    /// How many to all devices of a product it may make in a minute at this instance; 0 is no limit.
    pub broadcasts_to_all_per_minute_max: u32,
    /// The longest path and query of a request; 65,534 bytes at most.
    pub uri_bytes_max: usize,
    /// The largest request line and headers together.
    pub head_bytes_max: usize,
    /// The largest body, of a form with a whole thing model in it.
    pub body_bytes_max: NonZeroUsize,
    /// How far a request's time may be from this machine's, either way.
    #[serde(with = "humantime_serde")]
    pub clock_skew: Duration,
    /// How many nonces of one key are remembered, for twice `clock_skew` at most; further requests are throttled
    /// until old ones expire. One takes about 20 bytes.
    pub nonces_max: NonZeroUsize,
    /// How long a connection may take to send a request's head, and may idle between two requests.
    #[serde(with = "humantime_serde")]
    pub header_read_timeout: Duration,
    /// How long a request's body may take.
    #[serde(with = "humantime_serde")]
    pub body_read_timeout: Duration,
    /// How long a caller may take to read its answer.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
    /// How many connections are open at once. One more takes the place of the one that has waited for a request
    /// longest; where none waits, it waits in the system's queue.
    pub connections_max: NonZeroUsize,
    /// What all requests together may hold before their signatures are checked, beside 8 KiB of each connection.
    pub unauthenticated_bytes_max: usize,
    /// The longest string to sign that the answer to a wrong signature shows whole. SDKs compare it with their own;
    /// arguments grow in it to five times their size.
    pub string_to_sign_bytes_max: usize,
    /// How many readers of `/events` there may be at once; one more is told to come again.
    pub event_streams_max: NonZeroUsize,
    /// How many different filters a key may ask for at this instance, each until ten minutes after its last reader left.
    pub event_filters_per_key_max: NonZeroUsize,
    /// How many bytes may wait for one of them, beside what the system holds of a connection.
    pub event_stream_bytes_max: NonZeroUsize,
    /// How long there may be no room for its next event before its stream is ended.
    #[serde(with = "humantime_serde")]
    pub event_stream_slow_after: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8080)),
            tls: None,
            result: ResultShape::Envelope,
            instance_id: None,
            calls_per_second_max: 500,
            batch_calls_per_second_max: 10,
            broadcasts_per_second_max: 1,
            broadcasts_to_all_per_minute_max: 1,
            uri_bytes_max: URI_BYTES_LIMIT,
            head_bytes_max: 128 * 1024,
            body_bytes_max: const { NonZeroUsize::new(2 * 1024 * 1024).unwrap() },
            clock_skew: Duration::from_secs(15 * 60),
            nonces_max: const { NonZeroUsize::new(1_000_000).unwrap() },
            header_read_timeout: Duration::from_secs(30),
            body_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
            connections_max: const { NonZeroUsize::new(10_000).unwrap() },
            unauthenticated_bytes_max: 64 * 1024 * 1024,
            string_to_sign_bytes_max: 384 * 1024,
            event_streams_max: const { NonZeroUsize::new(64).unwrap() },
            event_filters_per_key_max: const { NonZeroUsize::new(64).unwrap() },
            event_stream_bytes_max: const { NonZeroUsize::new(1024 * 1024).unwrap() },
            event_stream_slow_after: Duration::from_secs(10),
        }
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        let instance = self.instance_id.as_deref() != Some("");
        check.must(instance, "instance_id", "\"\"", "an id, or no such line");
        let uri = (256..=URI_BYTES_LIMIT).contains(&self.uri_bytes_max);
        check.must(uri, "uri_bytes_max", self.uri_bytes_max, format!("256 to {URI_BYTES_LIMIT}"));
        check.at_least("head_bytes_max", self.head_bytes_max, 8192);
        check.more_than_zero("clock_skew", self.clock_skew);
        check.more_than_zero("header_read_timeout", self.header_read_timeout);
        check.more_than_zero("body_read_timeout", self.body_read_timeout);
        check.more_than_zero("write_timeout", self.write_timeout);
        let (bytes, body) = (self.unauthenticated_bytes_max, self.body_bytes_max.get());
        // Else the largest body could never be read.
        check.must(bytes >= body, "unauthenticated_bytes_max", bytes, format!("body_bytes_max ({body}) or more"));
        check.at_least("string_to_sign_bytes_max", self.string_to_sign_bytes_max, 4096);
        check.at_most("event_stream_bytes_max", self.event_stream_bytes_max.get(), EVENT_BYTES_LIMIT);
        check.more_than_zero("event_stream_slow_after", self.event_stream_slow_after);
        check.into_problems()
    }
}

#[cfg(test)]
mod tests;
