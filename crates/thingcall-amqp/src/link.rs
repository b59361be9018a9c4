//! The task that owns the connections: connect, declare, receive; and again.

mod connect;

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use lapin::protocol::AMQPErrorKind;
use lapin::types::ShortString;
use lapin::{Acker, Connection, Consumer, ErrorKind, Event};
use thingcall_alink::Uplink;
use thingcall_core::{DropReason, Dropped, PeerText, TransportKind, UnixMillis};
use thingcall_transport::{ConnectResult, ReceivedKind};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, timeout};
use tokio_util::sync::DropGuard;
use tracing::{info, warn};

use crate::inbound::{Incoming, Read, Reader};
use crate::publisher::Publisher;
use crate::socket::Socket;
use crate::transport::{Open, Shared};
use crate::watch::{Watch, is_probe};

/// Connections that lasted so long were good ones: the next ones are tried soon.
const GOOD_AFTER: Duration = Duration::from_secs(5);
/// How often the connections are looked at, beside being told of their end.
const WATCH_PAUSE: Duration = Duration::from_secs(1);
/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Why the connections ended, for the counter and the log.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) result: ConnectResult,
    pub(crate) why: String,
}

impl Ended {
    fn refused(why: impl std::fmt::Display) -> Self {
        Self { result: ConnectResult::Refused, why: why.to_string() }
    }
}

/// Keeps connections until the transport shuts down.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut pause = shared.config.reconnect_pause_min;
    while !shared.stopping() {
        let opened = tokio::select! {
            opened = timeout(shared.config.connect_timeout, connect::open(&shared)) => opened
                .unwrap_or_else(|_| Err(Ended { result: ConnectResult::Timeout, why: "no answer in time".to_owned() })),
            () = shared.stop.notified() => return,
        };
        let ended = match opened {
            Ok(mut link) => {
                let began = Instant::now();
                let ended = link.serve(&shared).await;
                link.close(&shared, &ended.why).await;
                if began.elapsed() >= GOOD_AFTER {
                    pause = shared.config.reconnect_pause_min;
                }
                ended
            }
            Err(ended) => {
                shared.metrics.connected(ended.result);
                shared.no_connection(&ended.why);
                ended
            }
        };
        if shared.stopping() {
            return;
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

/// Both connections, with all that is declared on them.
struct Link {
    open: Open,
    consumer: Consumer,
    /// Where they come from.
    queue: ShortString,
    /// Replies come on it.
    reader: Connection,
    /// What happens to the connection for requests.
    writer_events: BoxStream<'static, Event>,
    _ender: DropGuard,
    _sockets: [Socket; 2],
}

impl Link {
    fn publisher(&self) -> &Publisher {
        &self.open.publisher
    }

    /// Takes deliveries and receives until either connection ends.
    async fn serve(&mut self, shared: &Arc<Shared>) -> Ended {
        shared.metrics.connected(ConnectResult::Ok);
        shared.metrics.last_connect.set(UnixMillis::now().0 / 1000);
        shared.open(self.open.clone());
        info!(broker = %shared.config.url, instance = %shared.instance, "connected, and the replies' queue is there");
        let publisher = self.open.publisher.clone();
        let _watch = Watch::start(shared.clone(), publisher.clone(), self.queue.clone());
        let (mut acks, mut watch) = (Acks::default(), interval(WATCH_PAUSE));
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                message = self.consumer.next() => match message {
                    Some(Ok(delivery)) => acks.owe(take(shared, delivery)),
                    Some(Err(error)) => return Ended::refused(error),
                    // lapin ends the stream when the broker has cancelled the consumer.
                    None => return Ended::refused("the replies' queue is gone"),
                },
                acked = acks.running(), if acks.are_running() => if let Err(error) = acked {
                    return Ended::refused(error);
                },
                event = self.writer_events.next() => if let Some(ended) = heard(shared, event) {
                    return ended;
                },
                _ = watch.tick() => if !self.reader.status().connected() || !publisher.connection().status().connected() {
                    return Ended::refused("the connection is not there any more");
                },
                () = publisher.missing.notified() => return Ended::refused("an exchange is gone"),
                () = shared.stop.notified() => return Ended::refused("shutting down"),
            }
            acks.start();
        }
    }

    /// Takes no more deliveries, closes, and then ends the calls that were sent.
    async fn close(self, shared: &Shared, why: &str) {
        shared.close(why);
        self.publisher().end().await;
        tokio::join!(goodbye(self.publisher().connection()), goodbye(&self.reader));
        drop(self);
        shared.lost();
    }
}

/// A connection that is gone already has nobody to say it to.
async fn goodbye(connection: &Connection) {
    let _said = timeout(CLOSE_TIMEOUT, connection.close(200, "bye".into())).await;
}

/// What an event of the connection for requests means for it.
fn heard(shared: &Shared, event: Option<Event>) -> Option<Ended> {
    match event {
        Some(Event::ConnectionBlocked(why)) => {
            shared.blocked(&why);
            None
        }
        Some(Event::ConnectionUnblocked) => {
            shared.unblocked();
            None
        }
        // The broker closed one channel; who used it is told there.
        Some(Event::Error(error)) if is_soft(&error) => None,
        Some(Event::Error(error)) => Some(Ended::refused(error)),
        Some(_) => None,
        None => Some(Ended::refused("the connection's thread is gone")),
    }
}

/// Whether the error ends a channel and not its connection.
fn is_soft(error: &lapin::Error) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(said) if matches!(said.kind(), AMQPErrorKind::Soft(_)))
}

/// Hands a message on, and returns what acknowledges it. Nothing here waits.
fn take(shared: &Shared, delivery: Delivery) -> Acker {
    let Delivery { exchange, routing_key, properties, data, acker, .. } = delivery;
    let payload = Bytes::from(data);
    if is_probe(exchange.as_str(), &properties) {
        shared.probe_came(&payload);
        return acker;
    }
    let (exchange, routing_key) = (exchange.as_str(), routing_key.as_str());
    let reader = Reader { config: &shared.config, instance: &shared.instance };
    let message = Incoming { exchange, routing_key, properties: &properties, payload: &payload };
    let Read { said, topic } = reader.read(message, |device| shared.replies.speaks_raw(device));
    let topic = topic.as_deref().unwrap_or(routing_key);
    match said {
        Uplink::Reply(reply) => {
            shared.metrics.received(ReceivedKind::Reply);
            shared.presence.seen(&reply.device, shared.name, UnixMillis::now());
            shared.replies.accept(reply, topic);
        }
        Uplink::Raw(raw) => {
            shared.metrics.received(ReceivedKind::Reply);
            shared.presence.seen(&raw.device, shared.name, UnixMillis::now());
            shared.replies.accept_raw(raw, topic);
        }
        Uplink::Other(_) => shared.metrics.received(ReceivedKind::Other),
        Uplink::Dropped(device, reason) => {
            if reason != DropReason::Echo {
                shared.metrics.received(ReceivedKind::Other);
            }
            let (device, transport, bytes) = (device.as_ref(), TransportKind::Amqp, payload.len());
            shared.replies.dropped(Dropped { device, transport, reason, topic, bytes, problem: None });
        }
    }
    acker
}

type Ack = Pin<Box<dyn Future<Output = lapin::Result<bool>> + Send>>;

/// The acknowledgements of what was received: one at a time is on its way, each for all before it.
#[derive(Default)]
struct Acks {
    owed: Option<Acker>,
    running: Option<Ack>,
}

impl Acks {
    fn owe(&mut self, acker: Acker) {
        self.owed = Some(acker);
    }

    fn are_running(&self) -> bool {
        self.running.is_some()
    }

    /// Waits for the one that is on its way.
    async fn running(&mut self) -> lapin::Result<()> {
        if let Some(ack) = &mut self.running {
            let acked = ack.await;
            self.running = None;
            acked?;
        }
        Ok(())
    }

    fn start(&mut self) {
        if self.running.is_none()
            && let Some(acker) = self.owed.take()
        {
            self.running = Some(Box::pin(async move { acker.ack(BasicAckOptions { multiple: true }).await }));
        }
    }
}

#[cfg(test)]
mod tests;
