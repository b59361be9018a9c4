//! Where rmqtt asks us and tells us.
//!
//! **Invariant:** every hook is registered and started before the first connection is accepted: without one, rmqtt
//! allows.

use std::sync::Arc;

use async_trait::async_trait;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, Register, ReturnType, Type};
use rmqtt::session::Session;
use rmqtt::types::{Id, Publish, QoS, Reason};
use thingcall_core::{ConnectResult, PublishResult, TransportName};
use tokio::time::Instant;

use crate::broker::Inner;
use crate::connection::{Begin, Connection};
use crate::deliver::command_of;
use crate::sessions::Left;

const TYPES: [Type; 8] = [
    Type::ClientAuthenticate,
    Type::ClientConnected,
    Type::ClientDisconnected,
    Type::ClientSubscribeCheckAcl,
    Type::MessagePublishCheckAcl,
    Type::MessageDelivered,
    Type::MessageAcked,
    Type::MessageDropped,
];

/// Registers and starts the hooks.
pub(crate) async fn start(scx: &ServerContext, inner: &Arc<Inner>) {
    let register: Box<dyn Register> = scx.extends.hook_mgr().register();
    for kind in TYPES {
        register.add(kind, Box::new(Hooks { inner: inner.clone(), scx: scx.clone() })).await;
    }
    register.start().await;
}

struct Hooks {
    inner: Arc<Inner>,
    scx: ServerContext,
}

#[async_trait]
impl Handler for Hooks {
    #[expect(clippy::wildcard_enum_match_arm, reason = "only the registered types arrive")]
    #[expect(elided_lifetimes_in_paths, reason = "the trait elides it, and a named one would differ from it")]
    async fn hook(&self, parameter: &Parameter, so_far: Option<HookResult>) -> ReturnType {
        let inner = &self.inner;
        match parameter {
            Parameter::ClientAuthenticate(connect) => {
                let result = inner.authenticate(&self.scx, connect).await;
                return (false, Some(HookResult::AuthResult(result)));
            }
            Parameter::ClientSubscribeCheckAcl(session, subscribe) => {
                return (false, Some(HookResult::SubscribeAclResult(inner.subscribed(session, subscribe))));
            }
            Parameter::MessagePublishCheckAcl(session, publish) => {
                return (false, Some(HookResult::PublishAclResult(inner.published(session, publish))));
            }
            Parameter::ClientConnected(session) => inner.connected(session).await,
            Parameter::ClientDisconnected(session, reason) => inner.disconnected(session, reason),
            Parameter::MessageDelivered(session, _, _) => inner.written(&session.id),
            Parameter::MessageAcked(session, _, publish) => inner.acked(session, publish),
            Parameter::MessageDropped(Some(to), _, publish, reason) => inner.dropped(to, publish, reason),
            _ => {}
        }
        (true, so_far)
    }
}

impl Inner {
    /// A session is there; its CONNACK is about to be sent, and what is pushed to it from now on follows that.
    async fn connected(self: &Arc<Self>, session: &Session) {
        let id = session.id.clone();
        let claimed = self.sessions.claimed(&id.client_id);
        let tx = session.scx.extends.shared().await.entry(id.clone()).tx();
        let (Some((device, ext_rrpc)), Some(tx)) = (claimed, tx) else {
            tracing::error!("a session without a login");
            return;
        };
        let connect = session.connect_info().await.ok();
        let connection = Arc::new(Connection::new(Begin {
            packet_bytes_max: self.packet_bytes_max(connect.as_ref().and_then(|connect| connect.max_packet_size())),
            window: usize::from(self.config.inflight_messages_max.min(session.fitter.max_inflight()).get()),
            id,
            device,
            ext_rrpc,
            tx,
        }));
        let address = connection.id.remote_addr.map(|address| address.to_string());
        if let Some(old) = self.sessions.enter(&connection, address.as_deref()) {
            self.forget_waiting(&old);
            old.close(Reason::ConnectKicked(false));
            tracing::debug!(device = %connection.device, "taken over");
        }
        self.metrics.connected(ConnectResult::Ok);
        tracing::debug!(device = %connection.device, address, ext_rrpc, "connected");
        self.start_flush(connection);
    }

    fn disconnected(&self, session: &Session, reason: &Reason) {
        let Some(connection) = self.sessions.of_session(&session.id) else { return };
        tracing::debug!(device = %connection.device, %reason, "disconnected");
        self.ended(&connection);
    }

    /// A connection is over. Unless the device logs in again at this moment, its calls end.
    pub(crate) fn ended(&self, connection: &Arc<Connection>) {
        let left = self.sessions.leave(connection, Instant::now());
        self.forget_waiting(connection);
        match left {
            Left::Offline => self.parts.replies.device_gone(&connection.device, TransportName::EMBEDDED),
            Left::Handover | Left::Stale => {}
        }
    }

    /// The session is about to write a message.
    fn written(&self, id: &Id) {
        if self.sessions.of_session(id).is_some_and(|connection| connection.release()) {
            self.metrics.send_queue_length.dec();
        }
    }

    /// rmqtt dropped a message to a device: it expired, or the session ended.
    fn dropped(&self, to: &Id, publish: &Publish, reason: &Reason) {
        tracing::debug!(%reason, "message dropped");
        self.metrics.published(PublishResult::Failed);
        let Some(connection) = self.sessions.of_session(to) else { return };
        if connection.release() {
            self.metrics.send_queue_length.dec();
        }
        if publish.qos != QoS::AtMostOnce
            && let Some(id) = command_of(publish)
        {
            connection.flush().gave_up(id);
            connection.room.notify_one();
        }
    }

    /// Its waiting messages count no more.
    pub(crate) fn forget_waiting(&self, connection: &Connection) {
        let waiting = i64::try_from(connection.release_all()).unwrap_or(i64::MAX);
        self.metrics.send_queue_length.sub(waiting);
    }
}
