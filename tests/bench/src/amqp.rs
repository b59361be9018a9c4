//! RabbitMQ's part of the benchmark: devices that speak AMQP, and bare lapin that asks them with confirms.
//!
//! The devices stand behind gateways: a connection with one queue, bound for each of its devices. Both the server and the
//! reference ask the same devices by the same exchanges.

use std::sync::Arc;

use anyhow::Context;
use futures::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, ConfirmSelectOptions,
    ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, ExchangeKind};
use thingcall_core::DeviceKey;
use tokio::task::JoinSet;

use crate::registered::IDENTIFIER;
use crate::unanswered::Unanswered;

/// As the transport names them where the configuration does not.
const COMMANDS: &str = "thingcall.commands";
const REPLIES: &str = "thingcall.replies";
/// How many connections the devices share.
const GATEWAYS: usize = 4;
/// Messages that the broker sends ahead of their acknowledgement.
const PREFETCH_MESSAGES: u16 = 1024;
/// The reference's own part of the routing key of replies.
const INSTANCE: &str = "bench-reference";

/// Connects devices that answer at once; they end with the returned set.
///
/// # Errors
/// If the broker refuses something.
pub(crate) async fn connect(url: &str, devices: &[DeviceKey]) -> anyhow::Result<JoinSet<()>> {
    let mut running = JoinSet::new();
    for gateway in devices.chunks(devices.len().div_ceil(GATEWAYS).max(1)) {
        let connection = connection(url).await?;
        let channel = connection.create_channel().await?;
        declare(&channel).await?;
        let queue = queue(&channel).await?;
        for DeviceKey { product, name } in gateway {
            bind(&channel, &queue, COMMANDS, &format!(".sys.{product}.{name}.#")).await?;
        }
        let consumer = consume(&channel, queue).await?;
        running.spawn(answer(connection, channel, consumer));
    }
    Ok(running)
}

/// Sends each command's parameters back.
async fn answer(connection: Connection, channel: Channel, mut consumer: lapin::Consumer) {
    while let Some(Ok(command)) = consumer.next().await {
        let (Some(reply_to), Some(id)) = (command.properties.reply_to(), command.properties.correlation_id()) else {
            continue;
        };
        let request: Request<'_> = match serde_json::from_slice(&command.data) {
            Ok(request) => request,
            Err(_) => continue,
        };
        let reply = format!(r#"{{"id":"{id}","code":200,"data":{}}}"#, request.params.get());
        let about = BasicProperties::default().with_correlation_id(id.clone());
        let options = BasicPublishOptions::default();
        let sent = channel.basic_publish(REPLIES.into(), reply_to.clone(), options, reply.as_bytes(), about).await;
        if sent.is_err() || command.ack(BasicAckOptions::default()).await.is_err() {
            break;
        }
    }
    drop(connection);
}

#[derive(serde::Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    params: &'a serde_json::value::RawValue,
}

/// Bare lapin: one channel with confirms for all requests, one queue of its own for the replies.
#[derive(Clone)]
pub(crate) struct Bare {
    channel: Channel,
    _connection: Arc<Connection>,
}

impl Bare {
    /// Connects, and takes replies in `tasks`.
    ///
    /// # Errors
    /// If the broker refuses something.
    pub(crate) async fn start(url: &str, waiting: &Arc<Unanswered>, tasks: &mut JoinSet<()>) -> anyhow::Result<Self> {
        let connection = connection(url).await?;
        let replies = connection.create_channel().await?;
        declare(&replies).await?;
        let queue = queue(&replies).await?;
        bind(&replies, &queue, REPLIES, &format!(".sys.*.*.thing.reply.{INSTANCE}")).await?;
        let mut consumer = consume(&replies, queue).await?;
        let waiting = waiting.clone();
        tasks.spawn(async move {
            while let Some(Ok(reply)) = consumer.next().await {
                let id = reply.properties.correlation_id().as_ref().and_then(|id| id.as_str().parse().ok());
                id.into_iter().for_each(|id| waiting.answered(id));
                if reply.ack(BasicAckOptions::default()).await.is_err() {
                    break;
                }
            }
        });
        let channel = connection.create_channel().await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Self { channel, _connection: Arc::new(connection) })
    }

    /// Sends a request and waits for its confirmation.
    ///
    /// # Errors
    /// If it is not confirmed, or no device takes it.
    pub(crate) async fn send(&self, id: u32, device: &DeviceKey, param: u64) -> anyhow::Result<()> {
        let DeviceKey { product, name } = device;
        let key: ShortString = format!(".sys.{product}.{name}.thing.service.{IDENTIFIER}").into();
        let payload = format!(
            r#"{{"id":"{id}","version":"1.0","params":{{"param1":{param}}},"method":"thing.service.{IDENTIFIER}"}}"#
        );
        let about = BasicProperties::default()
            .with_correlation_id(id.to_string().into())
            .with_reply_to(format!(".sys.{product}.{name}.thing.reply.{INSTANCE}").into())
            .with_content_type("application/json".into())
            .with_expiration("8000".into());
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirmed = self.channel.basic_publish(COMMANDS.into(), key, options, payload.as_bytes(), about).await?;
        match confirmed.await? {
            Confirmation::Ack(None) => Ok(()),
            Confirmation::Ack(Some(_)) | Confirmation::Nack(_) | Confirmation::NotRequested => {
                anyhow::bail!("not confirmed")
            }
        }
    }
}

async fn connection(url: &str) -> anyhow::Result<Connection> {
    Connection::connect(url, ConnectionProperties::default()).await.with_context(|| "cannot connect to the AMQP broker")
}

async fn declare(channel: &Channel) -> anyhow::Result<()> {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    for exchange in [COMMANDS, REPLIES] {
        channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, FieldTable::default()).await?;
    }
    Ok(())
}

/// A queue that ends with its connection.
async fn queue(channel: &Channel) -> anyhow::Result<ShortString> {
    let own = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
    Ok(channel.queue_declare("".into(), own, FieldTable::default()).await?.name().clone())
}

async fn bind(channel: &Channel, queue: &ShortString, exchange: &str, key: &str) -> anyhow::Result<()> {
    let options = QueueBindOptions::default();
    channel.queue_bind(queue.clone(), exchange.into(), key.into(), options, FieldTable::default()).await?;
    Ok(())
}

async fn consume(channel: &Channel, queue: ShortString) -> anyhow::Result<lapin::Consumer> {
    channel.basic_qos(PREFETCH_MESSAGES, BasicQosOptions::default()).await?;
    let options = BasicConsumeOptions::default();
    Ok(channel.basic_consume(queue, "".into(), options, FieldTable::default()).await?)
}
