//! The task that owns the connection: connect, subscribe, receive; and again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use thingcall_alink::{Uplink, uplink};
use thingcall_core::{ConnectResult, ReceivedKind, TransportKind, UnixMillis};
use tokio::time::{sleep, timeout};
use tracing::{debug, info, warn};

use crate::client::{self, Client, Ended, Incoming, Loop};
use crate::transport::Shared;

/// Keeps a connection until the transport shuts down.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut pause = shared.config.reconnect_pause_min;
    while !shared.stopping() {
        let (client, event_loop) =
            client::build(&shared.config, &shared.address, &shared.client_id, shared.tls.as_ref());
        let mut connection = Connection { shared: &shared, client, event_loop, up: false };
        let ended = connection.serve().await;
        let was_up = connection.close();
        if shared.stopping() {
            return;
        }
        if was_up {
            pause = shared.config.reconnect_pause_min;
        } else {
            shared.metrics.connected(ended.result);
        }
        warn!(broker = %shared.config.url, why = %ended.why, retry_ms = pause.as_millis(), "no connection to the broker");
        tokio::select! {
            () = sleep(jittered(pause)) => {}
            () = shared.stop.notified() => {}
        }
        pause = (pause * 2).min(shared.config.reconnect_pause_max);
    }
}

/// Half to all of the pause, so that instances that lost their broker together do not return together.
fn jittered(pause: Duration) -> Duration {
    pause.mul_f64(0.5 + fastrand::f64() / 2.0)
}

struct Connection<'a> {
    shared: &'a Shared,
    client: Client,
    event_loop: Loop,
    up: bool,
}

impl Connection<'_> {
    /// Connects, and receives until the connection ends.
    async fn serve(&mut self) -> Ended {
        let connecting = timeout(self.shared.config.connect_timeout, self.connect()).await;
        let ended = connecting
            .unwrap_or_else(|_| Err(Ended { result: ConnectResult::Timeout, why: "no answer in time".to_owned() }));
        match ended {
            Ok(()) => self.receive().await,
            Err(ended) => ended,
        }
    }

    /// Connects and subscribes; only then deliveries are taken.
    async fn connect(&mut self) -> Result<(), Ended> {
        loop {
            match self.event_loop.poll().await? {
                Incoming::Connected => self.client.subscribe()?,
                Incoming::Subscribed { refused: 0 } => break,
                Incoming::Subscribed { refused } => {
                    let why = format!("the broker refused {refused} subscriptions to the devices' replies");
                    return Err(Ended { result: ConnectResult::Auth, why });
                }
                Incoming::Message { topic, payload } => self.take(&topic, &payload),
                Incoming::Nothing => {}
            }
        }
        self.up = true;
        self.shared.metrics.connected(ConnectResult::Ok);
        self.shared.metrics.last_connect.set(UnixMillis::now().0 / 1000);
        self.shared.metrics.up.set(1);
        self.shared.open(self.client.clone());
        info!(broker = %self.shared.config.url, client_id = %self.shared.client_id, "connected and subscribed");
        Ok(())
    }

    async fn receive(&mut self) -> Ended {
        loop {
            match self.event_loop.poll().await {
                Ok(Incoming::Message { topic, payload }) => self.take(&topic, &payload),
                Ok(Incoming::Connected | Incoming::Subscribed { .. } | Incoming::Nothing) => {}
                Err(ended) => return ended,
            }
        }
    }

    /// Hands a message on. Nothing here waits.
    fn take(&self, topic: &Bytes, payload: &Bytes) {
        let Ok(topic) = std::str::from_utf8(topic) else { return };
        match uplink(TransportKind::Mqtt, topic, payload, self.shared.config.message_bytes_max) {
            Uplink::Reply(reply) => {
                self.shared.metrics.received(ReceivedKind::Reply);
                self.shared.presence.seen(&reply.device, UnixMillis::now());
                self.shared.replies.accept(reply);
            }
            Uplink::Echo => {}
            Uplink::Other(_) | Uplink::Foreign => self.shared.metrics.received(ReceivedKind::Other),
        }
    }

    /// Takes no more deliveries, drops what was queued, and then ends the calls that were sent. Says whether the
    /// connection had been up.
    fn close(self) -> bool {
        let Self { shared, client, event_loop, up } = self;
        shared.close();
        drop((client, event_loop));
        if up {
            shared.metrics.up.set(0);
            debug!("connection to the broker ended");
            shared.replies.transport_lost(TransportKind::Mqtt);
        }
        up
    }
}
