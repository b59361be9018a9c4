//! A transport to a broker of lines: `SUB filter` and `PUB topic payload` go there, `OK` and `MSG topic payload` come back.
//! All that is not the client or its topics is the kit's.

use std::sync::Arc;

use bytes::Bytes;
use thingcall_alink::{REPLY_FILTERS, payload, request_topic, uplink};
use thingcall_core::{Check, DeliverError, Delivery, Problem, Problems, Section, Sent, TransportKind, Unawaited};
use thingcall_transport::{
    BrokerAddress, BrokerSection, BrokerTransport, Contact, Ended, NotSent, Protocol, Scheme, Session, broker_section,
};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

broker_section! {
    /// The configuration of one broker of lines.
    pub struct Config(&[Scheme::plain("line", 7000)]);
    /// `line://host:port`.
    url = "line://127.0.0.1:7000";
}

impl Section for Config {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        self.check_keys(&mut check);
        check.into_problems()
    }
}

/// The way to devices behind a broker of lines.
pub type LineTransport = BrokerTransport<Line>;

/// One broker of lines.
pub struct Line {
    config: Config,
    address: BrokerAddress,
    contact: Contact<mpsc::Sender<String>>,
}

/// A connection that has subscribed.
pub struct Connection {
    line: Arc<Line>,
    reader: Lines<BufReader<OwnedReadHalf>>,
    writer: OwnedWriteHalf,
    queue: mpsc::Sender<String>,
    queued: mpsc::Receiver<String>,
}

impl Protocol for Line {
    type Config = Config;
    type Open = mpsc::Sender<String>;
    type Session = Connection;

    // A transport for users adds its own.
    const KIND: TransportKind = TransportKind::Mqtt;

    fn new(config: Config, contact: Contact<Self::Open>) -> Result<Self, Problems> {
        let address = config.address().map_err(Problems::from)?;
        Ok(Self { config, address, contact })
    }

    fn config(&self) -> &Config {
        &self.config
    }

    fn contact(&self) -> &Contact<Self::Open> {
        &self.contact
    }

    async fn connect(self: &Arc<Self>) -> Result<Connection, Ended> {
        let socket = TcpStream::connect((&*self.address.host, self.address.port)).await.map_err(Ended::refused)?;
        let (reader, mut writer) = socket.into_split();
        let mut reader = BufReader::new(reader).lines();
        for filter in REPLY_FILTERS {
            writer.write_all(format!("SUB {filter}\n").as_bytes()).await.map_err(Ended::refused)?;
            if reader.next_line().await.map_err(Ended::refused)?.as_deref() != Some("OK") {
                return Err(Ended::refused(format_args!("it does not let us subscribe to {filter}")));
            }
        }
        let (queue, queued) = mpsc::channel(self.config.send_queue_messages_max.get());
        Ok(Connection { line: self.clone(), reader, writer, queue, queued })
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, NotSent> {
        let payload = payload(delivery);
        let (bytes, max) = (payload.len(), self.config.message_bytes_max);
        if bytes > max {
            return Err(DeliverError::TooLarge { bytes, max }.into());
        }
        let Ok(text) = std::str::from_utf8(&payload) else {
            return Err(DeliverError::Refused("this broker carries no bytes of a device's own".to_owned()).into());
        };
        let topic = request_topic(delivery, delivery.sync_topic.unwrap_or(self.config.sync_topic));
        let queue = self.contact.present().ok_or_else(NotSent::down)?;
        queue.try_send(format!("PUB {topic} {text}\n")).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => DeliverError::QueueFull(queue.max_capacity()),
            mpsc::error::TrySendError::Closed(_) => DeliverError::Down,
        })?;
        Ok(Sent::Sent)
    }
}

impl Session for Connection {
    type Open = mpsc::Sender<String>;

    fn open(&self) -> Self::Open {
        self.queue.clone()
    }

    async fn run(&mut self, stop: &CancellationToken) -> Ended {
        let Self { line, reader, writer, queued, .. } = self;
        // Side by side: a broker that reads nothing must not keep us from reading.
        tokio::select! {
            ended = receive(line, reader) => ended,
            ended = send(queued, writer) => ended,
            () = stop.cancelled() => Ended::stopping(),
        }
    }
}

async fn receive(line: &Line, reader: &mut Lines<BufReader<OwnedReadHalf>>) -> Ended {
    loop {
        match reader.next_line().await {
            Ok(Some(said)) => line.take(&said),
            Ok(None) => return Ended::refused("it closed the connection"),
            Err(error) => return Ended::refused(error),
        }
    }
}

async fn send(queued: &mut mpsc::Receiver<String>, writer: &mut OwnedWriteHalf) -> Ended {
    while let Some(said) = queued.recv().await {
        if let Err(error) = writer.write_all(said.as_bytes()).await {
            return Ended::refused(error);
        }
    }
    Ended::refused("the queue is gone")
}

impl Line {
    /// Hands a message on. Nothing here waits.
    fn take(&self, said: &str) {
        let message = said.strip_prefix("MSG ").and_then(|rest| rest.split_once(' '));
        let Some((topic, payload)) = message else { return };
        let payload = Bytes::copy_from_slice(payload.as_bytes());
        if self.contact.is_anothers(topic, &payload) {
            return;
        }
        let takes = |device: &_, id| self.contact.replies.takes(device, id);
        let said = uplink(Self::KIND, topic, &payload, self.config.message_bytes_max, takes);
        self.contact.take(said, topic, &payload, &Unawaited);
    }
}
