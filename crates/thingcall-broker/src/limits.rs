//! What a connection is granted, whatever it asks for.
//!
//! **Invariant:** a session ends with its connection: rmqtt keeps nothing for an absent device, clean session or not.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt::Result;
use rmqtt::codec::types::Publish;
use rmqtt::fitter::{Fitter, FitterManager};
use rmqtt::types::{ConnectInfo, Disconnect, FitterType, Id, ListenerConfig};

/// Makes the limits of each connection.
pub(crate) struct LimitsOf {
    /// The longest keep-alive in seconds.
    pub(crate) keep_alive_max: u16,
}

impl FitterManager for LimitsOf {
    fn create(&self, connect: Arc<ConnectInfo>, _id: Id, listener: ListenerConfig) -> FitterType {
        let receive_max = match &*connect {
            ConnectInfo::V3(..) => None,
            ConnectInfo::V5(_, connect) => connect.receive_max,
        };
        Arc::new(Limits { keep_alive_max: self.keep_alive_max, receive_max, listener })
    }
}

struct Limits {
    keep_alive_max: u16,
    receive_max: Option<NonZeroU16>,
    listener: ListenerConfig,
}

impl Fitter for Limits {
    /// `keep_alive` is what the device asked for in seconds and becomes what it is told (MQTT 5 only); the result is
    /// how long it may be silent. MQTT allows one and a half times the keep-alive; very short ones get 3 s more.
    fn keep_alive(&self, keep_alive: &mut u16) -> Result<u16> {
        if *keep_alive == 0 || *keep_alive > self.keep_alive_max {
            *keep_alive = self.keep_alive_max;
        }
        Ok(keep_alive.saturating_add((*keep_alive / 2).max(3)))
    }

    fn max_mqueue_len(&self) -> usize {
        self.listener.max_mqueue_len
    }

    fn mqueue_rate_limit(&self) -> (NonZeroU32, Duration) {
        self.listener.mqueue_rate_limit
    }

    fn max_inflight(&self) -> NonZeroU16 {
        self.receive_max.map_or(self.listener.max_inflight, |max| max.min(self.listener.max_inflight))
    }

    /// Zero, which rmqtt does not say in an MQTT 5 CONNACK: a client that asked for more learns it from `session
    /// present` when it connects again.
    fn session_expiry_interval(&self, _disconnect: Option<&Disconnect>) -> Duration {
        Duration::ZERO
    }

    fn message_expiry_interval(&self, _publish: &Publish) -> Duration {
        Duration::ZERO
    }

    fn max_client_topic_aliases(&self) -> u16 {
        0
    }

    fn max_server_topic_aliases(&self) -> u16 {
        0
    }
}
