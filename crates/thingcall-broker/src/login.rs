//! Who may connect.
//!
//! **Invariant:** a connection exists only for a registered, enabled device that proved its secret, and its will, if
//! any, is on a topic it may publish on (rmqtt does not ask the publish hook about wills).

use rmqtt::context::ServerContext;
use rmqtt::types::{AuthResult, ConnectInfo, Id, LastWill};
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
    #[error("the client id is in use, or the broker is shutting down")]
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
        self.sessions
            .login(&login.device, connect.client_id(), login.ext_rrpc, Instant::now())
            .map_err(|_taken| Refused::ClientId)?;
        end_old(scx, connect.id()).await
    }
}

/// Ends the session that rmqtt still has under this client id, connected or just ending. rmqtt would do so too, but
/// would then move the old session's messages to the new one: the device's own, which the outbox sends already, or
/// those of another device that had the client id until a moment ago.
async fn end_old(scx: &ServerContext, id: &Id) -> Result<(), Refused> {
    let shared = scx.extends.shared().await;
    if !shared.exist(&id.client_id) {
        return Ok(());
    }
    let entry = shared.entry(id.clone());
    let mut entry = entry.try_lock().await.map_err(|_locked| Refused::ClientId)?;
    let ended = match entry.kick(true, true, true).await {
        Ok(_) => Ok(()),
        // It ended by itself meanwhile, and may have left its entry.
        Err(_) => entry.remove().await.map(|_| ()),
    };
    ended.map_err(|_error| Refused::ClientId)
}
