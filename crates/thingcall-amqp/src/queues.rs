//! The queues that are consumed on one connection: one of our own, and that of each slot that is held.
//!
//! A slot's queue outlives its holder, so replies that come between the death of one and the take-over by another wait in
//! it. Everything that a broker cannot route by slot (answers of MQTT devices, gateways' topics) comes to each of them.
//!
//! **Invariants:** what came from a slot's queue is acknowledged only while that slot is held: what its holder cannot hear
//! goes back into the queue. What the journal has to write is acknowledged once it is written. The latest holder is given
//! messages first, so that one that is stopped and not dead, whose connection the broker has not given up yet, keeps none
//! from it.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures_util::stream::{BoxStream, FuturesUnordered, SelectAll};
use futures_util::{StreamExt, stream};
use lapin::message::Delivery as Message;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Acker, Channel, Connection, ErrorKind, Queue};
use prometheus::IntCounter;
use thingcall_alink::{POST_FILTERS, REPLY_FILTERS};
use thingcall_core::{Arrival, CallId, Slots, Unawaited, UnixMillis};
use thingcall_transport::{Arrivals, Ended};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use crate::bindings::{Bindings, Wanted};
use crate::config::Config;
use crate::keys::{pattern_of, posts_queue, replies_to, slot_queue};

/// What came.
pub(crate) enum Came {
    /// To our own queue.
    Own(Message),
    /// To the queue of reports; it is to be given to [`Queues::taken`].
    Post(Message),
    /// To the queue of this slot; it is to be given to [`Queues::taken`].
    Reply(u8, Message),
    /// Something that concerns the queues alone.
    Nothing,
    /// Slots have changed hands: [`Queues::settle`] has to be called.
    Unsettled,
}

/// A message, or the end, of a consumer; which one it is.
type Item = (Consumer, Option<lapin::Result<Message>>);
/// What acknowledges a message that came to a consumer; `None` if one could not be written.
type Ready = (Consumer, Option<Acker>);
type Ack = Pin<Box<dyn Future<Output = (Consumer, lapin::Result<bool>)> + Send>>;

/// A consumer. No two have the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Consumer {
    of: Of,
    number: u64,
}

/// What a consumer consumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    /// Our own queue.
    Own,
    /// That of a slot's replies.
    Slot(u8),
    /// That of devices' reports.
    Posts,
}

pub(crate) struct Queues {
    consumers: SelectAll<BoxStream<'static, Item>>,
    acks: FuturesUnordered<Ack>,
    /// What may be acknowledged, in the order in which it came.
    ready: mpsc::UnboundedReceiver<Ready>,
    readies: mpsc::UnboundedSender<Ready>,
    early: IntCounter,
    slots: BTreeMap<u8, Consumed>,
    posts: Option<Consumed>,
    numbers: u64,
    /// A bit for each slot whose queue is consumed.
    told: watch::Sender<u64>,
}

/// A queue that is consumed, of a slot or of reports.
struct Consumed {
    consumer: Consumer,
    channel: Channel,
    /// What is not acknowledged yet.
    arrivals: Arrivals<Acker>,
    /// The acknowledgement of what was received, to come: one at a time is on its way, each for all before it.
    owed: Option<Acker>,
    acking: bool,
    /// The slot was lost, or a report was not written: nothing more is acknowledged.
    lost: bool,
}

/// The slots whose queues are consumed, for whoever waits for one.
pub(crate) type InQueues = watch::Receiver<u64>;

const fn bit(slot: u8) -> u64 {
    1 << (slot & CallId::SLOT_MAX)
}

/// Waits until a slot's queue is consumed: until then nothing that is answered to its calls is kept.
pub(crate) async fn consumed(slots: &InQueues, slot: u8) {
    if *slots.borrow() & bit(slot) == 0 {
        // The other side is gone where the connection is; then whoever waits finds that out itself.
        let mut slots = slots.clone();
        let _there = slots.wait_for(|slots| slots & bit(slot) != 0).await;
    }
}

fn holds(slots: &Slots, slot: u8) -> bool {
    slots.holds(CallId::new(slot, 0))
}

impl Queues {
    /// Declares and consumes our own queue.
    pub(crate) async fn open(channel: &Channel, own: &ShortString, early: IntCounter) -> Result<Self, lapin::Error> {
        let alone = QueueDeclareOptions { exclusive: true, auto_delete: true, ..QueueDeclareOptions::default() };
        channel.queue_declare(own.clone(), alone, FieldTable::default()).await?;
        let consume = BasicConsumeOptions { no_ack: true, exclusive: true, ..BasicConsumeOptions::default() };
        let messages = channel.basic_consume(own.clone(), "own".into(), consume, FieldTable::default()).await?;
        let (readies, ready) = mpsc::unbounded_channel();
        let mut queues = Self {
            consumers: SelectAll::new(),
            acks: FuturesUnordered::new(),
            ready,
            readies,
            early,
            slots: BTreeMap::new(),
            posts: None,
            numbers: 0,
            told: watch::Sender::new(0),
        };
        let _own = queues.hear(Of::Own, messages);
        Ok(queues)
    }

    /// Which slots' queues are consumed.
    pub(crate) fn in_queues(&self) -> InQueues {
        self.told.subscribe()
    }

    /// Consumes the queues of the slots that are held, and no others.
    pub(crate) async fn settle(
        &mut self,
        reader: &Connection,
        (config, slots): (&Config, &Slots),
        bindings: Option<(&Bindings, &Wanted)>,
    ) -> Result<(), Ended> {
        if !config.serves_devices() {
            return Ok(());
        }
        let gone: Vec<u8> =
            self.slots.iter().filter(|(slot, of)| of.lost || !holds(slots, **slot)).map(|(slot, _)| *slot).collect();
        for slot in gone {
            self.told.send_modify(|told| *told &= !bit(slot));
            if let Some(of) = self.slots.remove(&slot) {
                // What was not acknowledged goes back into the queue.
                of.channel.close(200, "the slot is another's".into()).await.map_err(Ended::refused)?;
                info!(slot, "the replies of this slot are heard no more");
            }
        }
        if let Some(of) = self.posts.take_if(|of| of.lost) {
            of.channel.close(200, "reports could not be written".into()).await.map_err(Ended::refused)?;
            self.hear_posts(reader, config).await.map_err(Ended::refused)?;
        }
        for slot in slots.held().filter(|slot| !self.slots.contains_key(slot)).collect::<Vec<_>>() {
            let queue = slot_queue(&config.replies_exchange, slot);
            let heard = self.consume(reader, config, slot, bindings).await;
            heard.map_err(|error| Ended::refused(format_args!("queue {queue}: {error}")))?;
            self.told.send_modify(|told| *told |= bit(slot));
        }
        Ok(())
    }

    async fn consume(
        &mut self,
        reader: &Connection,
        config: &Config,
        slot: u8,
        bindings: Option<(&Bindings, &Wanted)>,
    ) -> Result<(), lapin::Error> {
        let name = ShortString::try_new(slot_queue(&config.replies_exchange, slot)).unwrap_or_default();
        let limits = Limits { messages_max: config.reply_queue_messages_max.get(), hold: config.reply_queue_hold };
        let (channel, queue) = declare(reader, limits, &name).await?;
        if queue.consumer_count() > 0 {
            warn!(queue = %name, "another instance hears the replies of this slot too: it is stopped, or has the same \
                `instance_slot` and another store");
        }
        if config.amqp_devices {
            // Gateways that carry topics over as they are answer on these.
            let topics = REPLY_FILTERS.iter().map(|filter| pattern_of(filter));
            for pattern in std::iter::once(replies_to(slot)).chain(topics) {
                let (exchange, pattern) = (config.replies_exchange.as_str().into(), pattern.as_str().into());
                let options = QueueBindOptions::default();
                channel.queue_bind(name.clone(), exchange, pattern, options, FieldTable::default()).await?;
            }
        }
        if let Some((bindings, wanted)) = bindings {
            bindings.begin(wanted, slot).await?;
        }
        channel.basic_qos(config.prefetch_messages_max.get(), BasicQosOptions::default()).await?;
        let mut first = FieldTable::default();
        first.insert("x-priority".into(), AMQPValue::LongLongInt(UnixMillis::now().0 / 1000));
        let options = BasicConsumeOptions::default();
        let messages = channel.basic_consume(name, "replies".into(), options, first).await?;
        let consumer = self.hear(Of::Slot(slot), messages);
        let consumed = self.consumed(config, consumer, channel);
        self.slots.insert(slot, consumed);
        Ok(())
    }

    /// Declares the queue of reports, which all instances share, and consumes it beside them.
    pub(crate) async fn hear_posts(&mut self, reader: &Connection, config: &Config) -> Result<(), lapin::Error> {
        let name = ShortString::try_new(posts_queue(&config.replies_exchange)).unwrap_or_default();
        let limits = Limits { messages_max: config.posts_queue_messages_max.get(), hold: config.reply_queue_hold };
        let (channel, _) = declare(reader, limits, &name).await?;
        let exchanges = [(config.amqp_devices, &config.replies_exchange), (config.mqtt_devices, &config.mqtt_exchange)];
        for (_, exchange) in exchanges.into_iter().filter(|(served, _)| *served) {
            for filter in POST_FILTERS {
                let (exchange, pattern) = (exchange.as_str().into(), pattern_of(filter).as_str().into());
                let options = QueueBindOptions::default();
                channel.queue_bind(name.clone(), exchange, pattern, options, FieldTable::default()).await?;
            }
        }
        channel.basic_qos(config.prefetch_messages_max.get(), BasicQosOptions::default()).await?;
        let options = BasicConsumeOptions::default();
        let messages = channel.basic_consume(name, "posts".into(), options, FieldTable::default()).await?;
        let consumer = self.hear(Of::Posts, messages);
        self.posts = Some(self.consumed(config, consumer, channel));
        Ok(())
    }

    fn consumed(&self, config: &Config, consumer: Consumer, channel: Channel) -> Consumed {
        let (readies, unwritten) = (self.readies.clone(), self.readies.clone());
        let limits = (config.prefetch_messages_max.get().into(), self.early.clone());
        // Where nobody hears of it any more, it goes back into the queue.
        let acknowledge = move |acker| readies.send((consumer, Some(acker))).or(Ok(()));
        let arrivals = Arrivals::with_reports(limits, acknowledge, move || drop(unwritten.send((consumer, None))));
        Consumed { consumer, channel, arrivals, owed: None, acking: false, lost: false }
    }

    fn hear(&mut self, of: Of, messages: lapin::Consumer) -> Consumer {
        self.numbers += 1;
        let consumer = Consumer { of, number: self.numbers };
        // lapin ends the stream when the broker has cancelled the consumer.
        let end = stream::once(async move { (consumer, None) });
        self.consumers.push(messages.map(move |message| (consumer, Some(message))).chain(end).boxed());
        consumer
    }

    /// Waits for the next thing to come. Cancel-safe.
    pub(crate) async fn next(&mut self, slots: &Slots) -> Result<Came, Ended> {
        tokio::select! {
            Some((consumer, acked)) = self.acks.next() => {
                let Some(of) = self.of(consumer) else { return Ok(Came::Nothing) };
                of.acking = false;
                acked.map_err(Ended::refused)?;
                let next = of.acknowledge();
                self.acks.extend(next);
                Ok(Came::Nothing)
            }
            Some(ready) = self.ready.recv() => {
                self.owe(ready);
                Ok(Came::Nothing)
            }
            item = self.consumers.next() => match item {
                Some((consumer, message)) => self.came(consumer, message, slots),
                None => Err(Ended::refused("our own queue is gone")),
            },
        }
    }

    fn came(
        &mut self,
        consumer: Consumer,
        message: Option<lapin::Result<Message>>,
        slots: &Slots,
    ) -> Result<Came, Ended> {
        let slot = match consumer.of {
            Of::Slot(slot) => slot,
            Of::Own => {
                return match message {
                    Some(message) => message.map(Came::Own).map_err(Ended::refused),
                    None => Err(Ended::refused("our own queue is gone")),
                };
            }
            Of::Posts if self.of(consumer).is_none_or(|of| of.lost) => return Ok(Came::Nothing),
            Of::Posts => {
                return match message {
                    Some(message) => message.map(Came::Post).map_err(Ended::refused),
                    None => Err(Ended::refused("the queue of reports is gone")),
                };
            }
        };
        // Of a consumer that was ended, the rest does not count.
        let Some(of) = self.of(consumer) else { return Ok(Came::Nothing) };
        match message {
            Some(_) if of.lost || !holds(slots, slot) => {
                of.lost = true;
                Ok(Came::Unsettled)
            }
            Some(message) => message.map(|message| Came::Reply(slot, message)).map_err(Ended::refused),
            None => Err(Ended::refused("a queue of replies is gone")),
        }
    }

    /// Takes what came from a queue; it is acknowledged then, or once it is written.
    pub(crate) fn taken(&mut self, from: Of, take: impl FnOnce(&dyn Arrival) -> Acker) {
        let Some(consumed) = self.consumed_of(from) else {
            // Nobody hears of it any more: it goes back into the queue.
            let _unacknowledged = take(&Unawaited);
            return;
        };
        let arriving = consumed.arrivals.came();
        let acker = take(&arriving);
        arriving.taken(acker);
        while let Ok(ready) = self.ready.try_recv() {
            self.owe(ready);
        }
    }

    /// Acknowledges what waits too long to be written. Whether reports were not: then [`Queues::settle`] has to be called.
    pub(crate) fn look(&self) -> bool {
        self.slots.values().chain(&self.posts).for_each(|of| of.arrivals.look());
        self.posts.as_ref().is_some_and(|of| of.lost)
    }

    fn owe(&mut self, (consumer, acker): Ready) {
        if let Some(of) = self.of(consumer) {
            of.lost |= acker.is_none();
            of.owed = acker.or(of.owed.take());
            let next = of.acknowledge();
            self.acks.extend(next);
        }
    }

    fn of(&mut self, consumer: Consumer) -> Option<&mut Consumed> {
        self.consumed_of(consumer.of).filter(|of| of.consumer == consumer)
    }

    fn consumed_of(&mut self, of: Of) -> Option<&mut Consumed> {
        match of {
            Of::Own => None,
            Of::Slot(slot) => self.slots.get_mut(&slot),
            Of::Posts => self.posts.as_mut(),
        }
    }
}

impl Consumed {
    fn acknowledge(&mut self) -> Option<Ack> {
        if self.acking || self.lost {
            return None;
        }
        let (acker, consumer) = (self.owed.take()?, self.consumer);
        self.acking = true;
        Some(Box::pin(async move { (consumer, acker.ack(BasicAckOptions { multiple: true }).await) }))
    }
}

/// How much waits in a queue, and for how long it outlives its last consumer.
struct Limits {
    messages_max: u32,
    hold: Duration,
}

/// Declares a queue of several instances on a channel of its own. One that is there with other limits, as before its configuration was
/// changed, is used as it is.
async fn declare(reader: &Connection, limits: Limits, name: &ShortString) -> Result<(Channel, Queue), lapin::Error> {
    let mut arguments = FieldTable::default();
    arguments.insert("x-max-length".into(), AMQPValue::LongUInt(limits.messages_max));
    let hold = u32::try_from(limits.hold.as_millis()).unwrap_or(u32::MAX);
    arguments.insert("x-expires".into(), AMQPValue::LongUInt(hold));
    let channel = reader.create_channel().await?;
    // A broker that is started anew keeps it, and replies in it that were sent to be kept.
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    match channel.queue_declare(name.clone(), durable, arguments).await {
        Ok(queue) => return Ok((channel, queue)),
        Err(error) if has_other_arguments(&error) => {
            warn!(queue = %name, "the queue is there with other limits than those configured: they count once it was \
                unused for its time");
        }
        Err(error) => return Err(error),
    }
    let channel = reader.create_channel().await?;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare(name.clone(), passive, FieldTable::default()).await?;
    Ok((channel, queue))
}

fn has_other_arguments(error: &lapin::Error) -> bool {
    let ErrorKind::ProtocolError(said) = error.kind() else { return false };
    matches!(said.kind(), AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED))
}
