//! What the sections of all external brokers have in common: their keys, and what these may hold.

use std::num::NonZeroUsize;
use std::time::Duration;

use thingcall_core::{Check, Problem, Section, SyncTopic};

use crate::address::{BrokerAddress, Scheme};
use crate::certificates::BrokerTls;

/// The largest message that any broker is configured for.
const MESSAGE_BYTES_LIMIT: usize = 128 * 1024 * 1024;

/// The common keys of a section, as [`broker_section!`](crate::broker_section) declares them.
#[derive(Debug, Clone, Copy)]
pub struct Keys<'a> {
    /// Where the broker is.
    pub url: &'a str,
    /// Certificates, where it is spoken to by TLS.
    pub tls: &'a BrokerTls,
    /// The topic of synchronous calls, for products that do not say.
    pub sync_topic: SyncTopic,
    /// How long an attempt to connect may take, with all that must be there before deliveries are taken.
    pub connect_timeout: Duration,
    /// The pause before the second attempt to connect; each further one is up to twice as long.
    pub reconnect_pause_min: Duration,
    /// The longest pause between attempts.
    pub reconnect_pause_max: Duration,
    /// How long a message without a deadline may wait for the broker's acknowledgement.
    pub publish_ack_timeout: Duration,
    /// Whether the broker is probed.
    pub probe: bool,
    /// How often a probe is sent.
    pub probe_interval: Duration,
    /// How long it may take.
    pub probe_timeout: Duration,
    /// How many messages may wait to be sent.
    pub send_queue_messages_max: NonZeroUsize,
    /// The largest message, both ways.
    pub message_bytes_max: usize,
}

/// A section that [`broker_section!`](crate::broker_section) declared.
pub trait BrokerSection: Section {
    /// How the URL may begin.
    const SCHEMES: &'static [Scheme];

    /// The common keys.
    fn keys(&self) -> Keys<'_>;

    /// Where the broker is.
    ///
    /// # Errors
    /// If the URL does not say.
    fn address(&self) -> Result<BrokerAddress, Problem> {
        BrokerAddress::read(self.keys().url, Self::SCHEMES)
    }

    /// Adds what is wrong with the common keys.
    fn check_keys(&self, check: &mut Check) {
        let keys = self.keys();
        let by_tls = Self::SCHEMES.iter().find(|scheme| scheme.tls).map_or("", |scheme| scheme.name);
        let right = format!("{by_tls}://..., since there are certificates under tls");
        match self.address() {
            Ok(address) => {
                check.must(address.tls || keys.tls.is_empty(), "url", format_args!("{:?}", keys.url), right);
            }
            Err(problem) => check.add(problem),
        }
        check.section("tls", keys.tls);
        let (ms, second, ever) = (Duration::from_millis, Duration::from_secs(1), Duration::MAX);
        check.between("connect_timeout", keys.connect_timeout, second, ever);
        check.between("reconnect_pause_min", keys.reconnect_pause_min, ms(10), ever);
        check.between("reconnect_pause_max", keys.reconnect_pause_max, keys.reconnect_pause_min, ever);
        check.between("publish_ack_timeout", keys.publish_ack_timeout, ms(1), ever);
        // `probe = false` ends it, not a long pause.
        check.between("probe_interval", keys.probe_interval, ms(100), ever);
        check.between("probe_timeout", keys.probe_timeout, ms(100), ever);
        let bytes = keys.message_bytes_max;
        let right = format!("1024 to {MESSAGE_BYTES_LIMIT}");
        check.must((1024..=MESSAGE_BYTES_LIMIT).contains(&bytes), "message_bytes_max", bytes, right);
    }
}

/// Declares the section of the configuration for one external broker: the keys that all of them have, and between them, in
/// the order in which a person reads them, those of its own, each with its default. The crate that calls it needs `serde` and
/// `humantime-serde`.
#[macro_export]
macro_rules! broker_section {
    (
        $(#[$doc:meta])*
        $vis:vis struct $name:ident($schemes:expr);
        $(#[$url_doc:meta])*
        url = $url:expr;
        $(after url { $($(#[$a_doc:meta])* $a:ident: $a_type:ty = $a_default:expr,)* })?
        $(after tls { $($(#[$b_doc:meta])* $b:ident: $b_type:ty = $b_default:expr,)* })?
        $(after sync_topic { $($(#[$c_doc:meta])* $c:ident: $c_type:ty = $c_default:expr,)* })?
        $(after probe { $($(#[$d_doc:meta])* $d:ident: $d_type:ty = $d_default:expr,)* })?
        $(after send_queue_messages_max { $($(#[$e_doc:meta])* $e:ident: $e_type:ty = $e_default:expr,)* })?
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, ::serde::Deserialize)]
        #[serde(deny_unknown_fields, default)]
        $vis struct $name {
            $(#[$url_doc])*
            $vis url: ::std::string::String,
            $($($(#[$a_doc])* $vis $a: $a_type,)*)?
            /// Certificates, where it is spoken to by TLS.
            $vis tls: $crate::BrokerTls,
            $($($(#[$b_doc])* $vis $b: $b_type,)*)?
            /// The topic of synchronous calls, for products that do not say: `ext`, `rrpc` or `service`.
            $vis sync_topic: ::thingcall_core::SyncTopic,
            $($($(#[$c_doc])* $vis $c: $c_type,)*)?
            /// How long an attempt to connect may take, with all that must be there before deliveries are taken.
            #[serde(with = "humantime_serde")]
            $vis connect_timeout: ::std::time::Duration,
            /// The pause before the second attempt to connect; each further one is up to twice as long.
            #[serde(with = "humantime_serde")]
            $vis reconnect_pause_min: ::std::time::Duration,
            /// The longest pause between attempts.
            #[serde(with = "humantime_serde")]
            $vis reconnect_pause_max: ::std::time::Duration,
            /// How long a message without a deadline may wait for the broker's acknowledgement.
            #[serde(with = "humantime_serde")]
            $vis publish_ack_timeout: ::std::time::Duration,
            /// Whether the broker is probed: a message to ourselves, through it.
            $vis probe: bool,
            $($($(#[$d_doc])* $vis $d: $d_type,)*)?
            /// How often the probe is sent.
            #[serde(with = "humantime_serde")]
            $vis probe_interval: ::std::time::Duration,
            /// How long it may take.
            #[serde(with = "humantime_serde")]
            $vis probe_timeout: ::std::time::Duration,
            /// How many messages may wait to be sent; more are refused at once.
            $vis send_queue_messages_max: ::std::num::NonZeroUsize,
            $($($(#[$e_doc])* $vis $e: $e_type,)*)?
            /// The largest message, both ways.
            $vis message_bytes_max: usize,
        }

        impl ::std::default::Default for $name {
            fn default() -> Self {
                Self {
                    url: ::std::convert::From::from($url),
                    $($($a: $a_default,)*)?
                    tls: ::std::default::Default::default(),
                    $($($b: $b_default,)*)?
                    sync_topic: ::std::default::Default::default(),
                    $($($c: $c_default,)*)?
                    connect_timeout: ::std::time::Duration::from_secs(10),
                    reconnect_pause_min: ::std::time::Duration::from_millis(100),
                    reconnect_pause_max: ::std::time::Duration::from_secs(10),
                    publish_ack_timeout: ::std::time::Duration::from_secs(5),
                    probe: true,
                    $($($d: $d_default,)*)?
                    probe_interval: ::std::time::Duration::from_secs(5),
                    probe_timeout: ::std::time::Duration::from_secs(5),
                    send_queue_messages_max: const { ::std::num::NonZeroUsize::new(4096).unwrap() },
                    $($($e: $e_default,)*)?
                    message_bytes_max: 256 * 1024,
                }
            }
        }

        impl $crate::BrokerSection for $name {
            const SCHEMES: &'static [$crate::Scheme] = $schemes;

            fn keys(&self) -> $crate::Keys<'_> {
                $crate::Keys {
                    url: &self.url,
                    tls: &self.tls,
                    sync_topic: self.sync_topic,
                    connect_timeout: self.connect_timeout,
                    reconnect_pause_min: self.reconnect_pause_min,
                    reconnect_pause_max: self.reconnect_pause_max,
                    publish_ack_timeout: self.publish_ack_timeout,
                    probe: self.probe,
                    probe_interval: self.probe_interval,
                    probe_timeout: self.probe_timeout,
                    send_queue_messages_max: self.send_queue_messages_max,
                    message_bytes_max: self.message_bytes_max,
                }
            }
        }
    };
}
