//! Who may connect.
//!
//! **Invariant:** a connection exists only for a registered, enabled device that proved its secret, and its will, if
//! any, is on a topic it may publish on (rmqtt does not ask the publish hook about wills).

use rmqtt::context::ServerContext;
use rmqtt::types::{AuthResult, ConnectInfo, LastWill};
use thingcall_alink as alink;
use thingcall_core::ConnectResult;
use tokio::time::Instant;

use crate::broker::Inner;

/// Why a CONNECT is refused.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error(transparent)]
    Credential(#[from] alink::Refusal),
    #[error("the device is disabled")]
    Disabled,
    #[error("the will is on a topic the device may not publish on")]
    Will,
    #[error("the client id is in use by another device, or the broker is shutting down")]
    ClientId,
}

impl Inner {
    /// Answers a CONNECT: CONNACK 0, 4 (cannot prove who it is) or 5 (may not).
    pub(crate) async fn authenticate(&self, scx: &ServerContext, connect: &ConnectInfo) -> AuthResult {
        match self.admit(scx, connect).await {
            Ok(()) => AuthResult::Allow(false, None),
            Err(refused) => {
                self.metrics.connected(ConnectResult::Auth);
                let username = connect.username().map_or("", |name| name);
                tracing::info!(username, reason = %refused, "connect refused");
                match refused {
                    Refused::Credential(_) => AuthResult::BadUsernameOrPassword,
                    Refused::Disabled | Refused::Will | Refused::ClientId => AuthResult::NotAuthorized,
                }
            }
        }
    }

    async fn admit(&self, scx: &ServerContext, connect: &ConnectInfo) -> Result<(), Refused> {
        let username = connect.username().map_or("", |name| name);
        let password = connect.password().map_or(&[][..], |password| password);
        let mut enabled = true;
        let login = alink::verify(connect.client_id(), username, password, |device| {
            let credential = self.parts.credentials.credential(device)?;
            enabled = credential.enabled;
            Some(credential.secret)
        })?;
        if !enabled {
            return Err(Refused::Disabled);
        }
        let will = connect.last_will().map(|will| match will {
            LastWill::V3(will) => &will.topic,
            LastWill::V5(will) => &will.topic,
        });
        if will.is_some_and(|topic| !alink::may_publish(&login.device, topic)) {
            return Err(Refused::Will);
        }
        let now = Instant::now();
        let same = self
            .sessions
            .login(&login.device, connect.client_id(), login.ext_rrpc, now)
            .map_err(|_taken| Refused::ClientId)?;
        if same.is_some() {
            self.end_same(scx, connect).await;
        }
        Ok(())
    }

    /// Ends the session the device has under this very client id. rmqtt would do so too, but would then move its
    /// unacknowledged messages to the new one, which the outbox sends already.
    async fn end_same(&self, scx: &ServerContext, connect: &ConnectInfo) {
        let entry = scx.extends.shared().await.entry(connect.id().clone());
        let kicked = match entry.try_lock().await {
            Ok(mut entry) => entry.kick(true, true, true).await.map(|_| ()),
            Err(error) => Err(error),
        };
        if let Err(error) = kicked {
            tracing::debug!(%error, "session of the same client id could not be ended first");
        }
    }
}
