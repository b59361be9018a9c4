//! A device that speaks AMQP, as `README.md` says it should.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions, QueueBindOptions,
    QueueDeclareOptions,
};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Connection, ConnectionProperties, Consumer, ExchangeKind};
use tokio::time::timeout;

use super::rabbit::Rabbit;
use super::{Names, PATIENCE};

pub(super) struct Device {
    names: Names,
    pub(super) channel: Channel,
    consumer: Consumer,
    _connection: Connection,
}

/// A connection of somebody's own.
pub(super) async fn connect(rabbit: &Rabbit, user: &str, password: &str) -> (Connection, Channel) {
    let user = user.replace('&', "%26");
    let url = format!("amqp://{user}:{}@127.0.0.1:{}/%2f", password.replace('\'', "%27"), rabbit.amqp);
    let connection = Connection::connect(&url, ConnectionProperties::default()).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    (connection, channel)
}

/// A queue of one's own that gets what is published under these keys.
pub(super) async fn queue(
    channel: &Channel,
    exchange: &str,
    keys: &[String],
    options: QueueDeclareOptions,
    arguments: FieldTable,
) -> ShortString {
    let durable = ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
    if !exchange.starts_with("amq.") {
        let made = channel.exchange_declare(exchange.into(), ExchangeKind::Topic, durable, FieldTable::default());
        made.await.unwrap();
    }
    let queue = channel.queue_declare("".into(), options, arguments).await.unwrap().name().clone();
    for key in keys {
        let bound = channel.queue_bind(
            queue.clone(),
            exchange.into(),
            key.as_str().into(),
            QueueBindOptions::default(),
            FieldTable::default(),
        );
        bound.await.unwrap();
    }
    queue
}

impl Device {
    pub(super) async fn start(rabbit: &Rabbit, names: &Names, name: &str) -> Self {
        Self::start_as(rabbit, names, name, ("guest", "guest")).await
    }

    pub(super) async fn start_as(rabbit: &Rabbit, names: &Names, name: &str, (user, password): (&str, &str)) -> Self {
        let (connection, channel) = connect(rabbit, user, password).await;
        let own = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
        let keys = [format!(".sys.pk.{name}.#")];
        let queue = queue(&channel, &names.commands, &keys, own, FieldTable::default()).await;
        let consumer = channel
            .basic_consume(queue, "device".into(), BasicConsumeOptions::default(), FieldTable::default())
            .await
            .unwrap();
        Self { names: names.clone(), channel, consumer, _connection: connection }
    }

    /// The next command.
    pub(super) async fn command(&mut self) -> Delivery {
        let delivery = timeout(PATIENCE, self.consumer.next()).await.unwrap().unwrap().unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        delivery
    }

    /// Answers a command with this body.
    pub(super) async fn answer(&self, command: &Delivery, body: &[u8], with: BasicProperties) {
        let reply_to = command.properties.reply_to().clone().unwrap();
        let id = command.properties.correlation_id().clone().unwrap();
        self.publish(reply_to, body, with.with_correlation_id(id)).await;
    }

    pub(super) async fn publish(&self, key: ShortString, body: &[u8], with: BasicProperties) {
        let exchange = self.names.replies.as_str().into();
        let sent = self.channel.basic_publish(exchange, key, BasicPublishOptions::default(), body, with);
        let _unconfirmed = sent.await.unwrap().await.unwrap();
    }
}
