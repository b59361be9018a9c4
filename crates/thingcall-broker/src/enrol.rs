//! Devices that come for their secret.
//!
//! **Invariant:** such a connection is no session: nothing it sends is read as a device's, and it ends within
//! `handshake_timeout`, whether the device has heard or not.

use std::net::SocketAddr;

use rmqtt_codec::types::{Publish, QoS};
use thingcall_alink as alink;
use thingcall_core::{Enrolled, Enrolment, NotEnrolled, PeerText};
use tokio::time::timeout;

use crate::hub::Hub;
use crate::login;
use crate::metrics::NoSession;
use crate::packet::{ConnackReason, Connect, Granted};
use crate::wire::{Broken, Socket, Wire};

/// Why a device gets nothing.
#[derive(Debug, thiserror::Error)]
enum Reason {
    #[error(transparent)]
    Malformed(#[from] alink::Refusal),
    #[error(transparent)]
    Not(#[from] NotEnrolled),
    #[error("nobody here gives devices their secrets")]
    Nobody,
}

impl Reason {
    const fn told(&self) -> (ConnackReason, NoSession) {
        match self {
            Self::Malformed(_) | Self::Nobody => (ConnackReason::Credentials, NoSession::Credentials),
            Self::Not(why) => match why {
                NotEnrolled::Off(_)
                | NotEnrolled::SignMethod(_)
                | NotEnrolled::Sign(_)
                | NotEnrolled::Unknown(_)
                | NotEnrolled::Activated(_) => (ConnackReason::Credentials, NoSession::Credentials),
                NotEnrolled::Disabled(_) => (ConnackReason::NotAuthorized, NoSession::Disabled),
                NotEnrolled::TooOften(_) | NotEnrolled::NotRegistered(_) => {
                    (ConnackReason::Unavailable, NoSession::SessionsMax)
                }
                NotEnrolled::NotLookedUp(_) => (ConnackReason::Unavailable, NoSession::NotLookedUp),
            },
        }
    }
}

/// Answers a device that asks for its secret.
pub(crate) async fn answer<S: Socket>(
    hub: &Hub,
    wire: Wire<S>,
    connect: Connect,
    asked: Result<Enrolment, alink::Refusal>,
    peer: SocketAddr,
) {
    match enrol(hub, asked).await {
        Ok((asked, enrolled)) => {
            let device = &asked.device;
            match timeout(hub.config.handshake_timeout, tell(hub, wire, &connect, &asked, &enrolled)).await {
                Ok(Ok(())) => tracing::info!(%device, %peer, "the device has its secret"),
                Ok(Err(error)) => tracing::info!(%device, %peer, %error, "the device did not take its secret"),
                Err(_elapsed) => tracing::info!(%device, %peer, "the device has its secret, and stayed too long"),
            }
        }
        Err(reason) => {
            let (told, counted) = reason.told();
            hub.refused(counted);
            let username = PeerText::new(connect.username.as_deref().unwrap_or_default());
            tracing::info!(%username, %peer, %reason, "a device gets no secret");
            login::turn_away(wire, connect.version.refused(told)).await;
        }
    }
}

async fn enrol(hub: &Hub, asked: Result<Enrolment, alink::Refusal>) -> Result<(Enrolment, Enrolled), Reason> {
    let asked = asked?;
    let registrar = hub.parts.registrar.as_ref().ok_or(Reason::Nobody)?;
    let enrolled = registrar.enrol(&asked).await?;
    Ok((asked, enrolled))
}

/// Tells it, and waits until it leaves: one that were cut off might not have read it.
async fn tell<S: Socket>(
    hub: &Hub,
    mut wire: Wire<S>,
    connect: &Connect,
    asked: &Enrolment,
    enrolled: &Enrolled,
) -> Result<(), Broken> {
    let granted = Granted {
        packet_bytes_max: hub.config.message_bytes_max,
        receive_max: hub.receive_max(),
        keep_alive: None,
        client_id: connect.client_id.is_empty().then(|| asked.device.to_string().into()),
    };
    wire.put(connect.version.accepted(granted))?;
    let (topic, payload) = alink::told(&asked.device, enrolled);
    let (topic, payload) = (topic.into(), payload.into());
    let publish =
        Publish { dup: false, retain: false, qos: QoS::AtMostOnce, topic, packet_id: None, payload, properties: None };
    wire.put(connect.version.publish(Box::new(publish)))?;
    wire.flush().await?;
    loop {
        match wire.next().await {
            Ok(_) => {}
            Err(Broken::Closed) => return Ok(()),
            Err(broken) => return Err(broken),
        }
    }
}
