//! What one connection may take: time, memory, messages.

use std::time::Duration;

/// The limits of a connection. The defaults are those of the platform where it documents one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// From the connection's start until its user name and password are there.
    pub login_timeout: Duration,
    /// From the login, or the end of the last link, until there is a link (STOMP: a subscription).
    pub link_timeout: Duration,
    /// From sending a notice until it is settled; then it counts as given back.
    pub acknowledgement_timeout: Duration,
    /// How long a peer may send nothing at all. AMQP peers are told half of it as our idle-time-out.
    pub silence_timeout: Duration,
    /// How long output may wait without a byte of it being taken.
    pub stall_timeout: Duration,
    /// The most notices that are out and not settled, whatever credit the peer gives.
    pub unsettled_max: usize,
    /// The largest frame that a peer may send.
    pub frame_bytes_max: usize,
    /// The most AMQP sessions at once.
    pub sessions_max: usize,
    /// From this much waiting output on, nothing more is sent and nothing more is read.
    pub output_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            login_timeout: Duration::from_secs(15),
            link_timeout: Duration::from_secs(15),
            acknowledgement_timeout: Duration::from_secs(30),
            silence_timeout: Duration::from_secs(120),
            stall_timeout: Duration::from_secs(30),
            unsettled_max: 1000,
            frame_bytes_max: 16 * 1024,
            sessions_max: 8,
            output_bytes_max: 64 * 1024,
        }
    }
}
