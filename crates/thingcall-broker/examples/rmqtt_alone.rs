//! The broker whose codec is in the server, as `tests/memory/run idle` compares the server with it.
//!
//! **Invariant:** the listener's settings are those of the server's own listener; nothing else of thingcall is in it.

#![expect(clippy::print_stdout, reason = "says where it listens")]

use std::error::Error;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mimalloc::MiMalloc;
use rmqtt::context::ServerContext;
use rmqtt::net::Builder;
use rmqtt::server::MqttServer;
use thingcall_broker::Config;

/// The program's.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let config = Config::default();
    let sessions_max = usize::try_from(config.sessions_max.get())?;
    let waiting = config.session_queue_messages_max;
    let inflight = config.inflight_messages_max.saturating_add(waiting.get());
    let context =
        ServerContext::new().busy_check_enable(false).mqtt_max_sessions(isize::try_from(sessions_max)?).build().await;
    let listener = Builder::new()
        .name("devices")
        .laddr(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .nodelay(true)
        .reuseaddr(Some(true))
        .backlog(4096)
        // It knows nobody; the same packets with the same credentials reach it.
        .allow_anonymous(true)
        .max_connections(sessions_max)
        .max_handshaking_limit(sessions_max)
        .max_packet_size(config.message_bytes_max)
        .max_clientid_len(1024)
        .max_subscriptions(256)
        .max_inflight(inflight)
        .max_mqueue_len(usize::from(inflight.get()))
        .handshake_timeout(config.handshake_timeout)
        .send_timeout(config.send_timeout)
        .message_retry_interval(Duration::ZERO)
        .message_expiry_interval(Duration::ZERO)
        .session_expiry_interval(Duration::ZERO)
        .bind()?;
    println!("ready mqtt={}", listener.local_addr()?);
    MqttServer::new(context).listener_by_id(listener.tcp()?, 1).build().run().await?;
    Ok(())
}
