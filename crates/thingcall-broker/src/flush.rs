//! Which QoS 1 command goes to a connected device now: a state machine for one connection, without I/O.
//!
//! A command reaches a connection in two ways: `deliver` offers it as soon as it is in the outbox, and the flush reads
//! the outbox, from its oldest entry on, when the device connects and whenever the window was full. Both may see the
//! same command, in either order.
//!
//! **Invariant:** a command is sent at most once on a connection, and one that was offered is sent or still in the
//! outbox for a flush that runs. At most `window` commands are unacknowledged.

use std::collections::HashMap;
use std::time::Duration;

use hashlink::LruCache;
use thingcall_core::CallId;
use tokio::time::Instant;

/// How many finished commands a connection remembers. An acknowledgement takes a moment to reach the store; within
/// it the outbox still shows the command.
const FINISHED_MAX: usize = 4096;

/// The state of one connection's commands.
#[derive(Debug)]
pub(crate) struct Flush {
    /// How many may be unacknowledged.
    window: usize,
    /// A flush runs; what is offered is left to it.
    behind: bool,
    /// Something was offered since the flush last read the outbox from its start.
    offered: bool,
    /// Sent and not acknowledged, with the time of sending.
    unacked: HashMap<CallId, Instant>,
    /// Sent and over.
    finished: LruCache<CallId, ()>,
}

/// What to do with a command that `deliver` offers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    /// Send it.
    Send,
    /// It was sent on this connection.
    Sent,
    /// The running flush sends it.
    Later,
    /// As `Later`, and the caller starts the flush.
    LaterAndFlush,
}

/// What to do with a command that the flush read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Take {
    /// Send it.
    Send,
    /// It was sent on this connection.
    Skip,
    /// Wait for an acknowledgement and take it again.
    Full,
}

impl Flush {
    /// A new connection's state: a flush is about to run.
    pub(crate) fn new(window: usize) -> Self {
        Self {
            window: window.max(1),
            behind: true,
            offered: false,
            unacked: HashMap::new(),
            finished: LruCache::new(FINISHED_MAX),
        }
    }

    /// `deliver` has this command, which is in the outbox.
    pub(crate) fn offer(&mut self, id: CallId, now: Instant) -> Offer {
        if self.knows(id) {
            return Offer::Sent;
        }
        if self.behind {
            self.offered = true;
            return Offer::Later;
        }
        if self.unacked.len() >= self.window {
            self.behind = true;
            return Offer::LaterAndFlush;
        }
        self.unacked.insert(id, now);
        Offer::Send
    }

    /// The flush read this command from the outbox.
    pub(crate) fn take(&mut self, id: CallId, now: Instant) -> Take {
        if self.knows(id) {
            return Take::Skip;
        }
        if self.unacked.len() >= self.window {
            return Take::Full;
        }
        self.unacked.insert(id, now);
        Take::Send
    }

    /// The flush read the outbox to its end. `true` if it is over; `false` if it must read again from the start.
    pub(crate) fn settle(&mut self) -> bool {
        if self.offered {
            self.offered = false;
            return false;
        }
        self.behind = false;
        true
    }

    /// The device acknowledged a message. How long it took, if it was one of these commands.
    pub(crate) fn acked(&mut self, id: CallId, now: Instant) -> Option<Duration> {
        let sent_at = self.unacked.remove(&id)?;
        self.finished.insert(id, ());
        Some(now.saturating_duration_since(sent_at))
    }

    /// The command will not be acknowledged on this connection, nor is it sent again on it.
    pub(crate) fn gave_up(&mut self, id: CallId) {
        if self.unacked.remove(&id).is_some() {
            self.finished.insert(id, ());
        }
    }

    fn knows(&self, id: CallId) -> bool {
        self.unacked.contains_key(&id) || self.finished.contains_key(&id)
    }
}

#[cfg(test)]
mod tests;
