//! What connections, deliveries and tasks of the broker share.
//!
//! **Invariant:** a connection that came to nothing is counted under its own reason and under that of all transports.

use std::num::NonZeroU16;
use std::sync::Arc;

use thingcall_core::{Credentials, Outbox, PresenceSink, Registrar, ReplySink};
use thingcall_transport::{ConnectResult, TransportMetrics};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::Config;
use crate::kept::Kept;
use crate::lobby::Lobby;
use crate::metrics::{Metrics, NoSession};
use crate::sessions::Sessions;

/// What the broker works with.
#[derive(Clone)]
pub struct BrokerParts {
    /// Whom to believe.
    pub credentials: Arc<dyn Credentials>,
    /// QoS 1 commands that wait for devices.
    pub outbox: Arc<dyn Outbox>,
    /// Who is told of devices coming and going.
    pub presence: Arc<dyn PresenceSink>,
    /// Who takes what devices answer.
    pub replies: Arc<dyn ReplySink>,
    /// Who gives devices their secrets that come without one; where nobody does, they are refused.
    pub registrar: Option<Arc<dyn Registrar>>,
}

/// The middle of the broker.
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) parts: BrokerParts,
    pub(crate) sessions: Sessions,
    pub(crate) kept: Kept,
    pub(crate) metrics: TransportMetrics,
    pub(crate) own_metrics: Metrics,
    pub(crate) lobby: Arc<Lobby>,
    pub(crate) outbox_reads: Semaphore,
    pub(crate) tasks: TaskTracker,
    /// Cancelled when the broker stops: nobody else is let in.
    pub(crate) stopping: CancellationToken,
}

impl Hub {
    /// How many QoS 1 messages may be under way to a device, and QoS 2 messages from it. Room for synchronous calls
    /// beside the outbox's window; it is never reached, the connection's places are.
    pub(crate) fn receive_max(&self) -> NonZeroU16 {
        self.config.inflight_messages_max.saturating_add(self.config.session_queue_messages_max.get())
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn refused(&self, why: NoSession) {
        self.own_metrics.refused(why);
        self.metrics.connected(match why {
            NoSession::Credentials | NoSession::Disabled => ConnectResult::Auth,
            NoSession::Timeout => ConnectResult::Timeout,
            NoSession::Handshake => ConnectResult::Tls,
            NoSession::SocketsMax
            | NoSession::SessionsMax
            | NoSession::Stopping
            | NoSession::NotLookedUp
            | NoSession::Malformed
            | NoSession::Will => ConnectResult::Refused,
        });
    }
}
