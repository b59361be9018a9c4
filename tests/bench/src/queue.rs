//! RabbitMQ's side of a measurement of messages: a durable queue with persistent ones, read by its plugin for AMQP 1.0.

use anyhow::Context;
use futures::stream::{FuturesUnordered, StreamExt};
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions, QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties};

const NAME: &str = "bench.messages";
const PERSISTENT: u8 = 2;
/// Messages whose confirmation is waited for at once.
const UNCONFIRMED_MAX: usize = 2000;

/// The queue.
pub(crate) struct Queue {
    channel: Channel,
    _connection: Connection,
}

impl Queue {
    /// Makes it anew, with so many messages that are confirmed.
    ///
    /// # Errors
    /// If the broker refuses something.
    pub(crate) async fn filled(address: &str, messages: u64, body: &str) -> anyhow::Result<Self> {
        let url = format!("amqp://guest:guest@{address}/%2f");
        let connection = Connection::connect(&url, ConnectionProperties::default()).await.context("--rabbit")?;
        let channel = connection.create_channel().await?;
        channel.queue_delete(NAME.into(), QueueDeleteOptions::default()).await?;
        let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(NAME.into(), durable, FieldTable::default()).await?;
        channel.confirm_select(ConfirmSelectOptions::default()).await?;
        let mut unconfirmed = FuturesUnordered::new();
        for _ in 0..messages {
            let about = BasicProperties::default().with_delivery_mode(PERSISTENT);
            let options = BasicPublishOptions::default();
            unconfirmed.push(channel.basic_publish("".into(), NAME.into(), options, body.as_bytes(), about).await?);
            if unconfirmed.len() >= UNCONFIRMED_MAX {
                unconfirmed.next().await.context("a confirmation")??;
            }
        }
        while let Some(confirmed) = unconfirmed.next().await {
            confirmed?;
        }
        Ok(Self { channel, _connection: connection })
    }

    /// As a link of AMQP 1.0 names it.
    pub(crate) fn source(&self) -> String {
        format!("/amq/queue/{NAME}")
    }

    /// Removes it; how many messages were in it.
    ///
    /// # Errors
    /// If the broker refuses.
    pub(crate) async fn left(self) -> anyhow::Result<u64> {
        let left = self.channel.queue_delete(NAME.into(), QueueDeleteOptions::default()).await?;
        Ok(left.into())
    }
}
