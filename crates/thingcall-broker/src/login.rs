//! Who may connect.
//!
//! **Invariant:** a connection is used only by a registered, enabled device that proved its secret, and its will, if any, is
//! on a topic it may publish on; also if it is disabled in that moment. Every refusal is counted under its own reason: what
//! is full is never told as a fault of the device.

use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use rmqtt_codec::MqttPacket;
use thingcall_alink as alink;
use thingcall_core::{DeviceKey, LookUpFailed, PeerText, TransportName};
use thingcall_transport::ConnectResult;

use crate::connection::{Begin, Connection, Ended};
use crate::deliver;
use crate::hub::Hub;
use crate::lobby::Place;
use crate::metrics::NoSession;
use crate::packet::{ConnackReason, Connect, Granted};
use crate::session::{Begun, Session};
use crate::sessions::NoRoom;
use crate::wire::{Socket, Wire};

/// Why a CONNECT is refused.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Credential(#[from] alink::Refusal),
    #[error("the device could not be looked up: {0}")]
    NotLookedUp(#[from] LookUpFailed),
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
    const fn told(&self) -> (ConnackReason, NoSession) {
        match self {
            Self::Credential(_) => (ConnackReason::Credentials, NoSession::Credentials),
            Self::NotLookedUp(_) => (ConnackReason::Unavailable, NoSession::NotLookedUp),
            Self::Disabled => (ConnackReason::NotAuthorized, NoSession::Disabled),
            Self::Will => (ConnackReason::NotAuthorized, NoSession::Will),
            Self::AuthMethod => (ConnackReason::AuthMethod, NoSession::Credentials),
            Self::Full(_) => (ConnackReason::Unavailable, NoSession::SessionsMax),
            Self::Closed => (ConnackReason::Unavailable, NoSession::Stopping),
        }
    }
}

/// Answers a CONNECT. The session, if there is one; what is pushed to it from now on follows its CONNACK.
pub(crate) async fn welcome<S: Socket>(
    hub: &Arc<Hub>,
    mut wire: Wire<S>,
    connect: Connect,
    (peer, place): (SocketAddr, Place),
) -> Option<Box<Session<S>>> {
    let entered = match admit(hub, &connect).await {
        Ok(login) => enter(hub, &connect, login, peer).await,
        Err(reason) => Err(reason),
    };
    let begun = match entered {
        Ok(begun) => begun,
        Err(reason) => {
            let (told, counted) = reason.told();
            hub.refused(counted);
            let username = PeerText::new(connect.username.as_deref().unwrap_or_default());
            tracing::info!(%username, %peer, %reason, "connect refused");
            if let Some(device) = alink::device_of(connect.username.as_deref().unwrap_or_default()) {
                hub.parts.presence.refused(&device, TransportName::EMBEDDED, &reason);
            }
            turn_away(wire, connect.version.refused(told)).await;
            return None;
        }
    };
    let (connection, window) = begun;
    let (keep_alive, silent_max) = keep_alive(hub, connect.keep_alive);
    let granted = Granted {
        packet_bytes_max: hub.config.message_bytes_max,
        receive_max: hub.receive_max(),
        keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
        client_id: connect.client_id.is_empty().then(|| connection.device.to_string().into()),
    };
    if let Err(error) = wire.put(connect.version.accepted(granted)) {
        tracing::warn!(device = %connection.device, %error, "no CONNACK");
        deliver::ended(hub, &connection);
        return None;
    }
    wire.allow(hub.config.message_bytes_max, u32::try_from(connection.packet_bytes_max).unwrap_or(u32::MAX));
    deliver::give_kept(hub, &connection, connect.begins_anew);
    deliver::start_flush(hub, connection.clone());
    let (hub, version) = (hub.clone(), connect.version);
    Some(Session::new(Begun { hub, connection, wire, place, version, window, silent_max }))
}

async fn admit(hub: &Hub, connect: &Connect) -> Result<alink::Login, Reason> {
    if connect.other_auth {
        return Err(Reason::AuthMethod);
    }
    let username = connect.username.as_deref().unwrap_or_default();
    let password = connect.password.as_deref().unwrap_or_default();
    let claimed = alink::Claimed::read(&connect.client_id, username)?;
    let credential = hub.parts.credentials.credential(claimed.device()).await?;
    let login = claimed.verify(password, credential.as_ref().map(|credential| &credential.secret))?;
    if credential.is_some_and(|credential| !credential.enabled) {
        return Err(Reason::Disabled);
    }
    if connect.will_topic.as_ref().is_some_and(|topic| !alink::may_publish(&login.device, topic)) {
        return Err(Reason::Will);
    }
    Ok(login)
}

/// Makes the connection the device's; the one it takes over from is closed.
async fn enter(hub: &Hub, connect: &Connect, login: alink::Login, peer: SocketAddr) -> Result<Entered, Reason> {
    let asked = connect.packet_bytes_max.map_or(hub.config.message_bytes_max, NonZeroU32::get);
    let receive_max = connect.receive_max.unwrap_or(NonZeroU16::MAX).min(hub.receive_max());
    let connection = Arc::new(Connection::new(Begin {
        device: login.device,
        peer,
        ext_rrpc: login.ext_rrpc,
        version: connect.version,
        packet_bytes_max: asked.min(hub.config.message_bytes_max) as usize,
        keeps: connect.keeps,
        window: hub.config.inflight_messages_max.min(receive_max).get().into(),
    }));
    let old = hub.sessions.enter(&connection, &peer.to_string()).map_err(|no_room| match no_room {
        NoRoom::Full => Reason::Full(hub.config.sessions_max.get()),
        NoRoom::Closed => Reason::Closed,
    })?;
    match old {
        Some(old) => {
            deliver::forget_waiting(hub, &old);
            old.close(Ended::TakenOver);
            hub.own_metrics.takeovers.inc();
            tracing::info!(
                device = %connection.device, %peer, before = %old.peer,
                "the device logged in again: its connection before is closed"
            );
        }
        None => hub.own_metrics.sessions.inc(),
    }
    if let Err(reason) = still_welcome(hub, &connection.device).await {
        deliver::ended(hub, &connection);
        return Err(reason);
    }
    hub.metrics.connected(ConnectResult::Ok);
    tracing::debug!(device = %connection.device, %peer, ext_rrpc = connection.ext_rrpc, "connected");
    Ok((connection, receive_max.get().into()))
}

/// Looks again at a device that has a connection by now. Who disabled it after it was looked up the first time found no
/// connection to close; who does it from now on finds this one.
async fn still_welcome(hub: &Hub, device: &DeviceKey) -> Result<(), Reason> {
    match hub.parts.credentials.credential(device).await? {
        Some(credential) if credential.enabled => {
            hub.parts.presence.first_is_written(device).await?;
            Ok(())
        }
        Some(_) => Err(Reason::Disabled),
        None => Err(alink::Refusal::UnknownDevice(device.clone()).into()),
    }
}

/// The keep-alive that a device is granted, in seconds, and how long it may be silent. MQTT allows one and a half
/// times the keep-alive; very short ones get 3 s more.
fn keep_alive(hub: &Hub, asked: u16) -> (u16, Duration) {
    let max = u16::try_from(hub.config.keep_alive_max.as_secs()).unwrap_or(u16::MAX).max(1);
    let granted = if asked == 0 { max } else { asked.min(max) };
    (granted, Duration::from_secs(u64::from(granted) + u64::from(granted / 2).max(3)))
}

/// Answers a CONNECT with no.
pub(crate) async fn turn_away<S: Socket>(mut wire: Wire<S>, answer: MqttPacket) {
    if let Err(error) = wire.put(answer) {
        tracing::warn!(%error, "no CONNACK");
    }
    wire.close().await;
}

/// A connection, and how many QoS 1 messages may be unacknowledged on it.
type Entered = (Arc<Connection>, usize);
