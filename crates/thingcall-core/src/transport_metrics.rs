//! What every transport counts, under the same names, each with its own `transport` label.

use std::collections::HashMap;

use prometheus::{Histogram, HistogramOpts, IntCounter, IntCounterVec, IntGauge, Opts, Registry};

use crate::TransportName;

macro_rules! label {
    ($(#[$doc:meta])* $name:ident { $($(#[$var_doc:meta])* $var:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name { $($(#[$var_doc])* $var),* }

        impl $name {
            const WORDS: &[&'static str] = &[$($word),*];
        }
    };
}

label! {
    /// How an attempt to connect ended.
    ConnectResult {
        /// Connected.
        Ok = "ok",
        /// Nobody listens there, or it closed.
        Refused = "refused",
        /// The broker refused the credentials.
        Auth = "auth",
        /// The TLS handshake failed.
        Tls = "tls",
        /// No answer in time.
        Timeout = "timeout",
    }
}
label! {
    /// What became of a message to a device.
    PublishResult {
        /// It left.
        Sent = "sent",
        /// The receiver acknowledged it.
        Acked = "acked",
        /// The receiver refused it.
        Nacked = "nacked",
        /// Nobody takes it.
        Returned = "returned",
        /// The send queue was full.
        Blocked = "blocked",
        /// The way broke.
        Failed = "failed",
    }
}
label! {
    /// What a device's message was.
    ReceivedKind {
        /// An answer to a call.
        Reply = "reply",
        /// A device came or went.
        Status = "status",
        /// Anything else.
        Other = "other",
    }
}

/// The counters of one transport.
#[derive(Debug, Clone)]
pub struct TransportMetrics {
    /// 1 when connected and subscribed.
    pub up: IntGauge,
    /// When it last connected, in seconds since 1970.
    pub last_connect: IntGauge,
    /// From a publish to its acknowledgement.
    pub publish_ack_seconds: Histogram,
    /// Messages that wait to be sent.
    pub send_queue_length: IntGauge,
    /// How many may.
    pub send_queue_limit: IntGauge,
    connects: Vec<IntCounter>,
    published: Vec<IntCounter>,
    received: Vec<IntCounter>,
}

impl TransportMetrics {
    /// Registers the counters of one transport, all at zero.
    ///
    /// # Errors
    /// If a transport of this name is registered already.
    pub fn register(registry: &Registry, transport: TransportName) -> Result<Self, prometheus::Error> {
        let of = |name: &str, help: &str| {
            Opts::new(format!("thingcall_transport_{name}"), help)
                .const_labels(HashMap::from([("transport".to_owned(), transport.as_str().to_owned())]))
        };
        let gauge = |name: &str, help: &str| -> Result<IntGauge, prometheus::Error> {
            let gauge = IntGauge::with_opts(of(name, help))?;
            registry.register(Box::new(gauge.clone()))?;
            Ok(gauge)
        };
        let counters = |name: &str, help: &str, label: &str, words: &[&str]| {
            let family = IntCounterVec::new(of(name, help), &[label])?;
            registry.register(Box::new(family.clone()))?;
            words.iter().map(|word| family.get_metric_with_label_values(&[word])).collect::<Result<Vec<_>, _>>()
        };
        let publish_ack_seconds = Histogram::with_opts(HistogramOpts {
            common_opts: of("publish_ack_seconds", "From a publish to its acknowledgement"),
            buckets: vec![0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5],
        })?;
        registry.register(Box::new(publish_ack_seconds.clone()))?;
        Ok(Self {
            up: gauge("up", "1 when connected and subscribed")?,
            last_connect: gauge("last_connect_timestamp_seconds", "When it last connected")?,
            publish_ack_seconds,
            send_queue_length: gauge("send_queue_length", "Messages that wait to be sent")?,
            send_queue_limit: gauge("send_queue_limit", "How many messages may wait to be sent")?,
            connects: counters("connects_total", "Attempts to connect", "result", ConnectResult::WORDS)?,
            published: counters("published_total", "Messages to devices", "result", PublishResult::WORDS)?,
            received: counters("received_total", "Messages from devices", "kind", ReceivedKind::WORDS)?,
        })
    }

    /// Counts an attempt to connect.
    pub fn connected(&self, result: ConnectResult) {
        count(&self.connects, result as usize);
    }

    /// Counts a message to a device.
    pub fn published(&self, result: PublishResult) {
        count(&self.published, result as usize);
    }

    /// Counts a message from a device.
    pub fn received(&self, kind: ReceivedKind) {
        count(&self.received, kind as usize);
    }
}

fn count(counters: &[IntCounter], index: usize) {
    if let Some(counter) = counters.get(index) {
        counter.inc();
    }
}
