//! Two connections: connect, declare, receive.

mod connect;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use lapin::protocol::AMQPErrorKind;
use lapin::{Connection, ErrorKind, Event};
use thingcall_transport::{Ended, Session, Watch};
use tokio::time::{Interval, MissedTickBehavior, interval, timeout};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::info;

use crate::amqp::{Amqp, Links};
use crate::queues::{Came, Of, Queues};
use crate::socket::Socket;

/// How often the connections are looked at, beside being told of their end.
const WATCH_PAUSE: Duration = Duration::from_secs(1);
/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Both connections, with all that is declared on them.
pub struct Connections {
    amqp: Arc<Amqp>,
    links: Arc<Links>,
    queues: Queues,
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

    /// Consumes the queues of the slots that are held now.
    async fn settle(&mut self) -> Result<(), Ended> {
        let Self { amqp, links, queues, reader, .. } = self;
        let bindings = links.bindings.as_ref().map(|bindings| (bindings, &amqp.wanted));
        let settled = queues.settle(reader, (&amqp.config, &amqp.contact.slots), bindings);
        let in_time = timeout(amqp.config.connect_timeout, settled).await;
        in_time.unwrap_or_else(|_| Err(Ended::refused("the queues of replies were not there in time")))
    }

    /// Waits for the next thing to happen. `None` if slots have changed hands.
    async fn next(&mut self, watch: &mut Interval) -> Result<Option<()>, Ended> {
        let Self { amqp, links, queues, reader, writer_events, .. } = self;
        let publisher = &links.publisher;
        tokio::select! {
            came = queues.next(&amqp.contact.slots) => match came? {
                Came::Reply(slot, message) => queues.taken(Of::Slot(slot), |arrival| amqp.take(slot, message, arrival)),
                Came::Post(message) => queues.taken(Of::Posts, |arrival| amqp.take_post(message, arrival)),
                Came::Own(message) => amqp.take_own(message),
                Came::Nothing => {}
                Came::Unsettled => return Ok(None),
            },
            () = amqp.slots_changed.notified() => return Ok(None),
            event = writer_events.next() => if let Some(ended) = heard(amqp, event) {
                return Err(ended);
            },
            _ = watch.tick() => {
                let unwritten = queues.look();
                if !reader.status().connected() || !publisher.connection().status().connected() {
                    return Err(Ended::refused("the connection is not there any more"));
                }
                if unwritten {
                    return Ok(None);
                }
            },
            () = publisher.missing.notified() => return Err(Ended::refused("an exchange is gone")),
        }
        Ok(Some(()))
    }

    async fn receive(&mut self) -> Result<(), Ended> {
        let mut watch = interval(WATCH_PAUSE);
        watch.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            if self.next(&mut watch).await?.is_none() {
                self.settle().await?;
            }
        }
    }
}

impl Session for Connections {
    type Open = Arc<Links>;

    fn open(&self) -> Arc<Links> {
        self.links.clone()
    }

    async fn run(&mut self, stop: &CancellationToken) -> Ended {
        info!(
            broker = %self.amqp.config.url, instance = %self.amqp.instance, "connected, and the replies' queues are there"
        );
        let _watch = Watch::start(self.amqp.clone(), self.links.clone());
        self.amqp.contact.metrics.posts_up.set(i64::from(self.amqp.config.hears_posts()));
        tokio::select! {
            received = self.receive() => received.err().unwrap_or_else(Ended::stopping),
            () = stop.cancelled() => Ended::stopping(),
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
