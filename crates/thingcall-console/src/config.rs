//! What can be configured of the console.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};
use thingcall_listen::Tls;

/// `[console]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Whether there is one.
    pub enabled: bool,
    /// Where it listens. Beyond this machine only with TLS, its own or that of a proxy in front of it.
    pub listen: SocketAddr,
    /// TLS of its own; without it, it speaks HTTP.
    pub tls: Option<Tls>,
    /// A proxy in front of it speaks TLS with browsers: it may listen beyond this machine, and its cookies are for TLS alone.
    pub behind_tls: bool,
    /// How long a login lasts.
    #[serde(with = "humantime_serde")]
    pub session: Duration,
    /// So many logins with a wrong secret, of a key or from an address, lock it out for `lock_out`.
    pub failed_logins_max: NonZeroUsize,
    /// How long that lasts.
    #[serde(with = "humantime_serde")]
    pub lock_out: Duration,
    /// How many requests that nobody is known to have sent, such as logins with a wrong secret, the audit log has of a minute.
    pub refused_per_minute_max: u32,
    /// How many connections are open at once. One more takes the place of the one that has waited longest.
    pub connections_max: NonZeroUsize,
    /// So many pages follow what happens at once, each on a connection of its own; `connections_max` is some more.
    pub live_tails_max: NonZeroUsize,
    /// The largest body of a request, such as a thing model or a list of devices.
    pub body_bytes_max: NonZeroUsize,
    /// What all requests together may hold before their bodies are read.
    pub unauthenticated_bytes_max: NonZeroUsize,
    /// How long a request's head may take, and how long a connection may idle between two.
    #[serde(with = "humantime_serde")]
    pub header_read_timeout: Duration,
    /// How long an answer may take to be read.
    #[serde(with = "humantime_serde")]
    pub write_timeout: Duration,
}

/// So many connections are left for pages beside those that are live.
const BESIDE_TAILS: usize = 8;

impl Config {
    /// Whether browsers speak TLS, with it or with a proxy in front of it: its cookies are for TLS alone then.
    pub(crate) const fn is_tls(&self) -> bool {
        self.behind_tls || self.tls.is_some()
    }

    /// How many pages may be live, so that others can be loaded: there may be fewer connections than were asked for.
    pub(crate) fn tails_max(&self) -> usize {
        self.live_tails_max.get().min(self.room_for_tails())
    }

    fn room_for_tails(&self) -> usize {
        self.connections_max.get().saturating_sub(BESIDE_TAILS).max(1)
    }
}

impl Default for Config {
    fn default() -> Self {
        let some = |count| NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN);
        Self {
            enabled: true,
            listen: SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8090),
            tls: None,
            behind_tls: false,
            session: Duration::from_secs(12 * 60 * 60),
            failed_logins_max: some(5),
            lock_out: Duration::from_secs(60),
            refused_per_minute_max: 60,
            connections_max: some(128),
            live_tails_max: some(64),
            body_bytes_max: some(2 * 1024 * 1024),
            unauthenticated_bytes_max: some(16 * 1024 * 1024),
            header_read_timeout: Duration::from_secs(30),
            write_timeout: Duration::from_secs(30),
        }
    }
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        check.more_than_zero("session", self.session);
        check.more_than_zero("lock_out", self.lock_out);
        check.more_than_zero("header_read_timeout", self.header_read_timeout);
        check.more_than_zero("write_timeout", self.write_timeout);
        let mut all = check.into_problems();
        if self.live_tails_max.get() > self.room_for_tails() {
            let right = format!(
                "{} at most: connections_max ({}) without {BESIDE_TAILS}, on which pages are loaded beside them",
                self.room_for_tails(),
                self.connections_max
            );
            all.push(Problem::new("live_tails_max", self.live_tails_max, right));
        }
        if self.enabled && !self.listen.ip().is_loopback() && !self.is_tls() {
            let right = "an address of this machine alone, such as 127.0.0.1:8090; or [console.tls]; or behind_tls = true, where a proxy in \
                         front of it speaks TLS with browsers";
            all.push(Problem::new("listen", format_args!("{}, which others reach without TLS", self.listen), right));
        }
        all
    }
}

#[cfg(test)]
mod tests;
