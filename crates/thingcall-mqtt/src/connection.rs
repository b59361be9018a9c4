//! The task that owns the connection: connect, subscribe, receive; and again.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use thingcall_alink::{REPLY_FILTERS, Uplink, uplink};
use thingcall_core::{DropReason, Dropped, PeerText, TransportKind, UnixMillis};
use thingcall_transport::{ConnectResult, ReceivedKind};
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use crate::client::{self, Client, Ended, Event, Loop};
use crate::transport::{Open, Shared};
use crate::unacked::Unacked;
use crate::watch::Watch;

/// A connection that lasted so long was a good one: the next one is tried soon. Two instances that share a client id end
/// each other's connections at once, and must not do so all the time.
const GOOD_AFTER: Duration = Duration::from_secs(5);

/// Keeps a connection until the transport shuts down.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut pause = shared.config.reconnect_pause_min;
    while !shared.stopping() {
        let (client, event_loop) = client::build(shared.target());
        let unacked = Unacked::new(shared.unacknowledged.clone());
        let mut connection = Connection { shared: &shared, client, event_loop, up_since: None, unacked, watch: None };
        let ended = connection.serve().await;
        let lasted = connection.close(&ended);
        if shared.stopping() {
            return;
        }
        match lasted {
            Some(lasted) if lasted >= GOOD_AFTER => pause = shared.config.reconnect_pause_min,
            Some(_) => {}
            None => shared.metrics.connected(ended.result),
        }
        let why = PeerText::new(&ended.why);
        warn!(broker = %shared.config.url, %why, retry_ms = pause.as_millis(), "no connection to the broker");
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

/// Woken again within this time, the connection is busy: what else is ready is likely to have messages for it too.
const BUSY_WITHIN: Duration = Duration::from_micros(50);

/// Drives the socket, but on a busy connection, one woken within `busy_within` of having come to rest, lets the tasks that
/// are ready run before: the messages they queue leave in one write. Woken by the first of them, it would run next, and
/// write each alone.
///
/// An idle one is driven at once: a task that lets others run wakes a second worker, which finds nothing to do, and the
/// message waits for that.
async fn unhurried<T>(busy_within: Duration, driving: impl Future<Output = T>) -> T {
    let mut driving = pin!(driving);
    let mut rested: Option<Instant> = None;
    poll_fn(|context| {
        if rested.take().is_some_and(|rested| rested.elapsed() < busy_within) {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let polled = driving.as_mut().poll(context);
        rested = polled.is_pending().then(Instant::now);
        polled
    })
    .await
}

struct Connection<'a> {
    shared: &'a Arc<Shared>,
    client: Client,
    event_loop: Loop,
    /// Since when deliveries are taken.
    up_since: Option<Instant>,
    unacked: Unacked,
    watch: Option<Watch>,
}

impl Connection<'_> {
    /// Connects, and receives until the connection ends.
    async fn serve(&mut self) -> Ended {
        let shared = self.shared;
        let ended = |result, why: &str| Err(Ended { result, why: why.to_owned() });
        let connected = tokio::select! {
            connected = timeout(shared.config.connect_timeout, self.connect()) => {
                connected.unwrap_or_else(|_| ended(ConnectResult::Timeout, "no answer in time"))
            }
            () = shared.stop.notified() => ended(ConnectResult::Refused, "shutting down"),
        };
        match connected {
            Ok(()) => self.receive().await,
            Err(ended) => ended,
        }
    }

    /// Connects and subscribes; only then deliveries are taken.
    async fn connect(&mut self) -> Result<(), Ended> {
        let mut limit = None;
        loop {
            match self.event_loop.poll().await? {
                Event::Connected { packet_bytes_max } => {
                    limit = packet_bytes_max;
                    self.client.subscribe()?;
                }
                Event::Subscribed { refused } if refused.is_empty() => break,
                Event::Subscribed { refused } => return Err(self.not_subscribed(&refused)),
                Event::Message { topic, payload } => self.take(&topic, &payload),
                Event::Sent(_) | Event::Acked(_) | Event::Nothing => {}
            }
        }
        self.up_since = Some(Instant::now());
        self.shared.metrics.connected(ConnectResult::Ok);
        self.shared.metrics.last_connect.set(UnixMillis::now().0 / 1000);
        let packet_bytes_max = limit.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(usize::MAX);
        self.shared.open(Open { client: self.client.clone(), packet_bytes_max });
        info!(broker = %self.shared.config.url, client_id = %self.shared.client_id, "connected and subscribed");
        self.watch = Some(Watch::start(self.shared.clone(), self.client.clone()));
        // A shutdown that began before the line above found no connection to say goodbye on.
        if self.shared.stopping() {
            self.client.disconnect();
        }
        Ok(())
    }

    /// Why deliveries are not taken though the broker let us in. It would carry commands, and no answer.
    fn not_subscribed(&self, refused: &[usize]) -> Ended {
        let refused: Vec<&str> = refused.iter().filter_map(|at| REPLY_FILTERS.get(*at).copied()).collect();
        let user = self.shared.user();
        let why = format!("its access rules must let {user} subscribe to {}", refused.join(", "));
        Ended { result: ConnectResult::Auth, why }
    }

    async fn receive(&mut self) -> Ended {
        loop {
            match unhurried(BUSY_WITHIN, self.event_loop.poll()).await {
                Ok(Event::Message { topic, payload }) => self.take(&topic, &payload),
                Ok(Event::Sent(packet)) => {
                    self.shared.metrics.send_queue_length.dec();
                    self.unacked.sent(packet);
                }
                Ok(Event::Acked(packet)) => self.unacked.acked(packet),
                // Of all that is subscribed to, the probe comes last.
                Ok(Event::Subscribed { refused }) if !refused.is_empty() => self.shared.probe_refused(),
                Ok(Event::Connected { .. } | Event::Subscribed { .. } | Event::Nothing) => {}
                Err(ended) => return ended,
            }
        }
    }

    /// Hands a message on. Nothing here waits.
    fn take(&self, topic: &Bytes, payload: &Bytes) {
        let Ok(topic) = std::str::from_utf8(topic) else { return };
        let shared = self.shared;
        if topic == shared.config.probe_topic {
            return shared.probe_came(payload);
        }
        let speaks_raw = |device: &_| shared.replies.speaks_raw(device);
        match uplink(TransportKind::Mqtt, topic, payload, shared.config.message_bytes_max, speaks_raw) {
            Uplink::Reply(reply) => {
                shared.heard();
                shared.metrics.received(ReceivedKind::Reply);
                shared.presence.seen(&reply.device, shared.name, UnixMillis::now());
                shared.replies.accept(reply, topic);
            }
            Uplink::Raw(raw) if shared.echoes.take(&raw) => {}
            Uplink::Raw(raw) => {
                shared.heard();
                shared.metrics.received(ReceivedKind::Reply);
                shared.presence.seen(&raw.device, shared.name, UnixMillis::now());
                shared.replies.accept_raw(raw, topic);
            }
            Uplink::Other(_) => shared.metrics.received(ReceivedKind::Other),
            Uplink::Dropped(device, reason) => {
                if reason != DropReason::Echo {
                    shared.metrics.received(ReceivedKind::Other);
                }
                let (device, transport, bytes) = (device.as_ref(), TransportKind::Mqtt, payload.len());
                shared.replies.dropped(Dropped { device, transport, reason, topic, bytes, problem: None });
            }
        }
    }

    /// Takes no more deliveries, drops what was queued, and then ends the calls that were sent. Says how long deliveries
    /// were taken.
    fn close(self, ended: &Ended) -> Option<Duration> {
        let Self { shared, client, event_loop, up_since, unacked, watch } = self;
        drop(watch);
        let was_open = shared.close(&ended.why);
        drop((client, event_loop, unacked));
        if was_open {
            shared.lost();
        }
        up_since.map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests;
