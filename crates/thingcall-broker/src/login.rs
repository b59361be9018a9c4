//! Who may connect.
//!
//! **Invariant:** a connection exists only for a registered, enabled device that proved its secret, and its will, if
//! any, is on a topic it may publish on. Every refusal is counted under its own reason: what is full is never told as
//! a fault of the device.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt_codec::MqttPacket;
use thingcall_alink as alink;
use thingcall_core::PeerText;
use thingcall_transport::ConnectResult;
use tokio::sync::mpsc;

use crate::broker::Inner;
use crate::connection::{Begin, Connection, Ended, Order};
use crate::metrics::Refused;
use crate::packet::{Connect, Granted, Refusal};
use crate::session::{Begun, Session};
use crate::sessions::NoRoom;
use crate::wire::{Socket, Wire};

/// Why a CONNECT is refused.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Credential(#[from] alink::Refusal),
    #[error("the device is disabled")]
    Disabled,
    #[error("the will is on a topic the device may not publish on")]
    Will,
    #[error("it asks for another authentication than by user name and password")]
    AuthMethod,
    #[error("{0} devices are connected, which is broker.sessions_max")]
    Full(u32),
    #[error("the broker is shutting down")]
    Closed,
}

impl Reason {
    const fn told(&self) -> (Refusal, Refused) {
        match self {
            Self::Credential(_) => (Refusal::Credentials, Refused::Credentials),
            Self::Disabled => (Refusal::NotAuthorized, Refused::Disabled),
            Self::Will => (Refusal::NotAuthorized, Refused::Will),
            Self::AuthMethod => (Refusal::AuthMethod, Refused::Credentials),
            Self::Full(_) => (Refusal::Unavailable, Refused::SessionsMax),
            Self::Closed => (Refusal::Unavailable, Refused::Stopping),
        }
    }
}

impl Inner {
    /// Answers a CONNECT. The session, if there is one; what is pushed to it from now on follows its CONNACK.
    pub(crate) async fn welcome<S: Socket>(
        self: &Arc<Self>,
        mut wire: Wire<S>,
        connect: Connect,
        peer: SocketAddr,
    ) -> Option<Session<S>> {
        let entered = self.admit(&connect).and_then(|login| self.enter(&connect, login, peer));
        let begun = match entered {
            Ok(begun) => begun,
            Err(reason) => {
                let (refusal, refused) = reason.told();
                self.refused(refused);
                let username = PeerText::new(connect.username.as_deref().unwrap_or_default());
                tracing::info!(%username, %peer, %reason, "connect refused");
                self.turn_away(wire, connect.version.refused(refusal)).await;
                return None;
            }
        };
        let (connection, orders, window) = begun;
        let (keep_alive, silent_max) = self.keep_alive(connect.keep_alive);
        let granted = Granted {
            packet_bytes_max: self.config.message_bytes_max,
            receive_max: self.receive_max(),
            keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
            client_id: connect.client_id.is_empty().then(|| connection.device.to_string().into()),
        };
        if let Err(error) = wire.put(connect.version.accepted(granted)) {
            tracing::warn!(device = %connection.device, %error, "no CONNACK");
            self.ended(&connection);
            return None;
        }
        wire.allow(self.config.message_bytes_max, u32::try_from(connection.packet_bytes_max).unwrap_or(u32::MAX));
        self.start_flush(connection.clone());
        let (inner, version) = (self.clone(), connect.version);
        Some(Session::new(Begun { inner, connection, orders, wire, version, window, silent_max }))
    }

    fn admit(&self, connect: &Connect) -> Result<alink::Login, Reason> {
        if connect.other_auth {
            return Err(Reason::AuthMethod);
        }
        let username = connect.username.as_deref().unwrap_or_default();
        let password = connect.password.as_deref().unwrap_or_default();
        let mut enabled = true;
        let login = alink::verify(&connect.client_id, username, password, |device| {
            let credential = self.parts.credentials.credential(device)?;
            enabled = credential.enabled;
            Some(credential.secret)
        })?;
        if !enabled {
            return Err(Reason::Disabled);
        }
        if connect.will_topic.as_ref().is_some_and(|topic| !alink::may_publish(&login.device, topic)) {
            return Err(Reason::Will);
        }
        Ok(login)
    }

    /// Makes the connection the device's; the one it takes over from is closed.
    fn enter(&self, connect: &Connect, login: alink::Login, peer: SocketAddr) -> Result<Entered, Reason> {
        let asked = connect.packet_bytes_max.map_or(self.config.message_bytes_max, NonZeroU32::get);
        let receive_max = connect.receive_max.unwrap_or(NonZeroU16::MAX).min(self.receive_max());
        let (connection, orders) = Connection::new(Begin {
            device: login.device,
            peer,
            ext_rrpc: login.ext_rrpc,
            packet_bytes_max: asked.min(self.config.message_bytes_max) as usize,
            window: self.config.inflight_messages_max.min(receive_max).get().into(),
        });
        let connection = Arc::new(connection);
        let old = self.sessions.enter(&connection, &peer.to_string()).map_err(|no_room| match no_room {
            NoRoom::Full => Reason::Full(self.config.sessions_max.get()),
            NoRoom::Closed => Reason::Closed,
        })?;
        match old {
            Some(old) => {
                self.forget_waiting(&old);
                old.close(Ended::TakenOver);
                self.own_metrics.takeovers.inc();
                tracing::info!(
                    device = %connection.device, %peer, before = %old.peer,
                    "the device logged in again: its connection before is closed"
                );
            }
            None => self.own_metrics.sessions.inc(),
        }
        self.metrics.connected(ConnectResult::Ok);
        tracing::debug!(device = %connection.device, %peer, ext_rrpc = connection.ext_rrpc, "connected");
        Ok((connection, orders, receive_max.get().into()))
    }

    /// How many QoS 1 messages may be under way to a device, and QoS 2 messages from it. Room for synchronous calls
    /// beside the outbox's window; it is never reached, the connection's places are.
    pub(crate) fn receive_max(&self) -> NonZeroU16 {
        self.config.inflight_messages_max.saturating_add(self.config.session_queue_messages_max.get())
    }

    /// The keep-alive that a device is granted, in seconds, and how long it may be silent. MQTT allows one and a half
    /// times the keep-alive; very short ones get 3 s more.
    fn keep_alive(&self, asked: u16) -> (u16, Duration) {
        let max = u16::try_from(self.config.keep_alive_max.as_secs()).unwrap_or(u16::MAX).max(1);
        let granted = if asked == 0 { max } else { asked.min(max) };
        (granted, Duration::from_secs(u64::from(granted) + u64::from(granted / 2).max(3)))
    }

    /// Answers a CONNECT with no.
    pub(crate) async fn turn_away<S: Socket>(&self, mut wire: Wire<S>, answer: MqttPacket) {
        if let Err(error) = wire.put(answer) {
            tracing::warn!(%error, "no CONNACK");
        }
        wire.close().await;
    }

    /// Counts a connection that came to nothing.
    pub(crate) fn refused(&self, refused: Refused) {
        self.own_metrics.refused(refused);
        self.metrics.connected(match refused {
            Refused::Credentials | Refused::Disabled => ConnectResult::Auth,
            Refused::Timeout => ConnectResult::Timeout,
            Refused::Handshake => ConnectResult::Tls,
            Refused::SocketsMax | Refused::SessionsMax | Refused::Stopping | Refused::Malformed | Refused::Will => {
                ConnectResult::Refused
            }
        });
    }
}

/// A connection, the orders to its session, and how many QoS 1 messages may be unacknowledged on it.
type Entered = (Arc<Connection>, mpsc::UnboundedReceiver<Order>, usize);
