//! Connecting: two connections, and all that must be there before deliveries are taken.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::StreamExt;
use lapin::options::{ExchangeDeclareOptions, QueueBindOptions};
use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};
use lapin::types::{FieldTable, LongString, ShortString};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo};
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, ErrorKind, ExchangeKind, runtime};
use thingcall_core::PeerText;
use thingcall_transport::{ConnectResult, Ended};
use tokio::net::lookup_host;
use tracing::warn;

use super::Connections;
use crate::amqp::{Amqp, Links};
use crate::bindings::Bindings;
use crate::config::{Config, Presence};
use crate::events::{EVENT_EXCHANGE, EVENT_KEYS};
use crate::keys::posts_queue;
use crate::publisher::{Publisher, Shown};
use crate::queues::Queues;
use crate::socket::Socket;

fn ended(error: lapin::Error) -> Ended {
    Ended::new(result_of(&error), error)
}

/// Why the broker does not let us in, and where the right login belongs.
fn not_let_in(error: lapin::Error) -> Ended {
    let Ended { result, why } = ended(error);
    match result {
        ConnectResult::Auth => {
            Ended { result, why: format!("{why}: look at `username`, `password` and `vhost` in its section") }
        }
        ConnectResult::Ok | ConnectResult::Refused | ConnectResult::Tls | ConnectResult::Timeout => {
            Ended { result, why }
        }
    }
}

/// Why reports of devices are not heard. An error ends its channel alone, but where the queue is ours to have, so is the rest.
fn no_posts(config: &Config, error: lapin::Error) -> Ended {
    let Ended { result, why } = ended(error);
    let queue = posts_queue(&config.replies_exchange);
    Ended { result, why: format!("queue {queue}: {why}; without reports of devices, set `posts = false`") }
}

fn result_of(error: &lapin::Error) -> ConnectResult {
    let ErrorKind::ProtocolError(said) = error.kind() else { return ConnectResult::Refused };
    match said.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) | AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => {
            ConnectResult::Auth
        }
        AMQPErrorKind::Soft(_) | AMQPErrorKind::Hard(_) => ConnectResult::Refused,
    }
}

/// Opens both connections and declares all that is needed.
pub(super) async fn open(amqp: &Arc<Amqp>) -> Result<Connections, Ended> {
    let ((reader, reader_socket), (writer, writer_socket)) =
        tokio::try_join!(connect(amqp, "replies"), connect(amqp, "requests"))?;
    let config = &amqp.config;
    let channel = reader.create_channel().await.map_err(ended)?;
    declare_exchanges(amqp, &channel).await?;
    // A name of its own for each connection: that of one that broke may be locked until the broker notices.
    let own = format!("thingcall.own.{}.{:08x}", amqp.instance, fastrand::u32(..));
    let own = ShortString::try_new(own).map_err(Ended::refused)?;
    let mut queues = Queues::open(&channel, &own, amqp.contact.metrics.early_acks.clone()).await.map_err(ended)?;
    if config.hears_posts() {
        queues.hear_posts(&reader, config).await.map_err(|error| no_posts(config, error))?;
    }
    if config.presence == Presence::Rabbitmq {
        hear_events(amqp, &reader, &own).await?;
    }
    let bindings = match config.mqtt_devices {
        true => Some(Bindings::new(reader.create_channel().await.map_err(ended)?, config)),
        false => None,
    };
    let writer_events = writer.events_listener().boxed();
    let metrics = &amqp.contact.metrics;
    let shown =
        Shown { waiting: metrics.send_queue_length.clone(), confirmed_seconds: metrics.publish_ack_seconds.clone() };
    let publisher =
        Publisher::new(writer, config.publish_channels_max.get(), config.send_queue_messages_max.get(), shown);
    let ender = publisher.ender();
    let links = Arc::new(Links { publisher, bindings, queue: own, in_queues: queues.in_queues() });
    let (amqp, sockets) = (amqp.clone(), [reader_socket, writer_socket]);
    let mut all = Connections { amqp, links, queues, reader, writer_events, _ender: ender, _sockets: sockets };
    all.settle().await?;
    Ok(all)
}

async fn connect(amqp: &Amqp, what: &str) -> Result<(Connection, Socket), Ended> {
    let (address, config) = (&amqp.address, &amqp.config);
    let runtime = runtime::default_runtime().map_err(ended)?;
    let addresses: Vec<_> = lookup_host((address.host.as_str(), address.port)).await.map_err(Ended::refused)?.collect();
    let stream = AsyncTcpStream::connect(&runtime, addresses).await.map_err(Ended::refused)?;
    let AsyncTcpStream::Plain(plain) = &stream else { return Err(Ended::refused("no plain connection")) };
    let socket = Socket::of(plain.get_ref()).map_err(Ended::refused)?;
    let stream = match amqp.tls() {
        Some(tls) => stream.into_rustls(&tls, &address.host).await.map_err(|e| Ended::new(ConnectResult::Tls, e))?,
        None => stream,
    };
    let uri = AMQPUri {
        scheme: if address.tls { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: config.username.clone(), password: config.password.expose().to_owned() },
            host: address.host.clone(),
            port: address.port,
        },
        vhost: config.vhost.clone(),
        query: AMQPQueryString {
            heartbeat: Some(u16::try_from(config.heartbeat.as_secs()).unwrap_or(u16::MAX)),
            ..AMQPQueryString::default()
        },
    };
    let name = format!("thingcall {} ({what})", amqp.instance);
    let properties = ConnectionProperties::default().with_connection_name(LongString::from(name));
    // lapin asks for a connection once, since its own recovery is off.
    let stream = Mutex::new(Some(stream));
    let take = move || {
        let taken = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
        taken.ok_or_else(|| lapin::Error::from(io::Error::from(io::ErrorKind::NotConnected)))
    };
    let connection = Connection::connector(uri, runtime, async move |_, _| take(), properties).await;
    Ok((connection.map_err(not_let_in)?, socket))
}

/// Binds our own queue to what the broker tells of connections. Where it does not, calls are served all the same.
async fn hear_events(amqp: &Amqp, reader: &Connection, own: &ShortString) -> Result<(), Ended> {
    // An error ends the channel.
    let channel = reader.create_channel().await.map_err(ended)?;
    for key in EVENT_KEYS {
        let (queue, exchange) = (own.clone(), EVENT_EXCHANGE.into());
        let bound = channel.queue_bind(queue, exchange, key.into(), QueueBindOptions::default(), FieldTable::default());
        if let Err(error) = bound.await {
            let (transport, why) = (amqp.contact.name, PeerText::new(&error.to_string()).to_string());
            warn!(
                %transport, why,
                "RabbitMQ does not tell who is connected: enable its plugin rabbitmq_event_exchange, on our virtual host, and \
                 let our user read amq.rabbitmq.event; or set `presence = \"none\"`"
            );
            return Ok(());
        }
    }
    Ok(())
}

async fn declare_exchanges(amqp: &Amqp, channel: &Channel) -> Result<(), Ended> {
    let config = &amqp.config;
    let of_amqp = config.amqp_devices.then_some([&config.commands_exchange, &config.replies_exchange]);
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for exchange in of_amqp.into_iter().flatten().chain(&config.results_exchange).chain(&config.messages_exchange) {
        channel
            .exchange_declare(exchange.as_str().into(), ExchangeKind::Topic, durable, FieldTable::default())
            .await
            .map_err(|e| Ended::new(result_of(&e), format_args!("exchange {exchange}: {e}")))?;
    }
    Ok(())
}
