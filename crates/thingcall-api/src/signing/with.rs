//! What a signature is held against.

use std::sync::Arc;
use std::time::Duration;

use thingcall_core::{AccessKey, Keys, UnixMillis};

/// What a signature is held against.
pub struct With<'a> {
    /// The keys there are.
    pub keys: &'a dyn Keys,
    /// Those whose secrets may have been used in place of the right one.
    pub others: &'a [Arc<AccessKey>],
    /// The moment of the server's clock.
    pub now: UnixMillis,
    /// How far a request's time may be off.
    pub skew: Duration,
    /// Hosts under which the server is known.
    pub hosts: &'a [String],
}

impl std::fmt::Debug for With<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("With").field("now", &self.now).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
