//! Two connections: connect, declare, receive.

mod connect;

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::options::BasicAckOptions;
use lapin::protocol::AMQPErrorKind;
use lapin::{Acker, Connection, Consumer, ErrorKind, Event};
use thingcall_transport::{Ended, Session, Watch};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::amqp::{Amqp, Links};
use crate::socket::Socket;

/// How often the connections are looked at, beside being told of their end.
const WATCH_PAUSE: Duration = Duration::from_secs(1);
/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Both connections, with all that is declared on them.
pub struct Connections {
    amqp: Arc<Amqp>,
    links: Arc<Links>,
    consumer: Consumer,
    /// Replies come on it.
    reader: Connection,
    /// What happens to the connection for requests.
    writer_events: BoxStream<'static, Event>,
    _ender: DropGuard,
    _sockets: [Socket; 2],
}

impl Connections {
    /// Opens both and declares all that is needed.
    pub(crate) async fn open(amqp: &Arc<Amqp>) -> Result<Self, Ended> {
        let connections = connect::open(amqp).await?;
        amqp.begins();
        Ok(connections)
    }
}

impl Session for Connections {
    type Open = Arc<Links>;

    fn open(&self) -> Arc<Links> {
        self.links.clone()
    }

    async fn run(&mut self, stop: &CancellationToken) -> Ended {
        let Self { amqp, links, consumer, reader, writer_events, .. } = self;
        info!(
            broker = %amqp.config.url, instance = %amqp.instance, "connected, and the replies' queue is there"
        );
        let _watch = Watch::start(amqp.clone(), links.clone());
        let publisher = &links.publisher;
        let (mut acks, mut watch) = (Acks::default(), interval(WATCH_PAUSE));
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut stopping = pin!(stop.cancelled());
        loop {
            tokio::select! {
                message = consumer.next() => match message {
                    Some(Ok(message)) => acks.owe(amqp.take(message)),
                    Some(Err(error)) => return Ended::refused(error),
                    // lapin ends the stream when the broker has cancelled the consumer.
                    None => return Ended::refused("the replies' queue is gone"),
                },
                acked = acks.running(), if acks.are_running() => if let Err(error) = acked {
                    return Ended::refused(error);
                },
                event = writer_events.next() => if let Some(ended) = heard(amqp, event) {
                    return ended;
                },
                _ = watch.tick() => if !reader.status().connected() || !publisher.connection().status().connected() {
                    return Ended::refused("the connection is not there any more");
                },
                () = publisher.missing.notified() => return Ended::refused("an exchange is gone"),
                () = &mut stopping => return Ended::stopping(),
            }
            acks.start();
        }
    }

    async fn close(self) {
        let publisher = &self.links.publisher;
        publisher.end().await;
        tokio::join!(goodbye(publisher.connection()), goodbye(&self.reader));
    }
}

/// A connection that is gone already has nobody to say it to.
async fn goodbye(connection: &Connection) {
    let _said = timeout(CLOSE_TIMEOUT, connection.close(200, "bye".into())).await;
}

/// What an event of the connection for requests means for it.
fn heard(amqp: &Amqp, event: Option<Event>) -> Option<Ended> {
    match event {
        Some(Event::ConnectionBlocked(why)) => {
            amqp.blocked(&why);
            None
        }
        Some(Event::ConnectionUnblocked) => {
            amqp.unblocked();
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
