//! What devices are told.
//!
//! **Invariants:** `deliver` answers from memory and never waits. A message goes into the session of the device's
//! current connection or nowhere. A QoS 1 command of an asynchronous call is in the outbox before it comes here, so
//! whatever cannot be sent now is kept.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rmqtt_codec::types::{Publish, QoS};
use thingcall_alink as alink;
use thingcall_core::{
    CallMode, DeliverError, Delivery, DeviceKey, Presence, Qos, Sent, SyncTopic, Transport, TransportKind,
    TransportName,
};
use thingcall_transport::PublishResult;
use tokio::time::Instant;

use crate::broker::{Broker, Inner};
use crate::connection::{Connection, Outgoing, Waits};
use crate::flush::{Offer, Take};

/// Entries read from the outbox at once.
const PAGE_MESSAGES: usize = 64;
/// How long the flush waits after the outbox could not be read.
const READ_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// The most that a PUBLISH adds to topic and payload: fixed header, topic length, packet id, properties.
const HEADER_BYTES: usize = 32;

#[async_trait]
impl Transport for Broker {
    fn kind(&self) -> TransportKind {
        TransportKind::Embedded
    }

    fn name(&self) -> TransportName {
        TransportName::EMBEDDED
    }

    fn presence(&self, device: &DeviceKey) -> Presence {
        match self.inner().sessions.of_device(device) {
            Some(_) => Presence::Online,
            None => Presence::Offline,
        }
    }

    fn ready(&self) -> bool {
        self.inner().sessions.is_open()
    }

    async fn deliver(&self, delivery: &Delivery) -> Result<Sent, DeliverError> {
        self.inner().deliver(delivery)
    }
}

impl Inner {
    fn deliver(self: &Arc<Self>, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let kept = delivery.mode == CallMode::Async && delivery.qos == Qos::AtLeastOnce;
        let Some(connection) = self.sessions.of_device(&delivery.device.key) else {
            if kept {
                return Ok(Sent::Kept);
            }
            self.metrics.published(PublishResult::Returned);
            return Err(DeliverError::Offline);
        };
        if !kept {
            let message = self.composed(&connection, delivery)?;
            return self.push(&connection, message).map(|()| Sent::Sent);
        }
        let offer = connection.flush().offer(delivery.id, Instant::now());
        match offer {
            Offer::Send => self.push_kept(&connection, delivery),
            Offer::Sent => Ok(Sent::Sent),
            Offer::Later => Ok(Sent::Kept),
            Offer::LaterAndFlush => {
                self.start_flush(connection);
                Ok(Sent::Kept)
            }
        }
    }

    /// Hands a command of the outbox to the session. Whatever hinders that, it is counted when the device has it.
    fn push_kept(&self, connection: &Connection, delivery: &Delivery) -> Result<Sent, DeliverError> {
        let message = self.composed(connection, delivery).inspect_err(|_| connection.flush().gave_up(delivery.id))?;
        Ok(if self.hand_over(connection, message, Waits::Kept) == Handed::Over { Sent::Sent } else { Sent::Kept })
    }

    /// Hands any other message to the session, unless too many wait there already.
    fn push(&self, connection: &Connection, message: Outgoing) -> Result<(), DeliverError> {
        let max = usize::from(self.config.session_queue_messages_max.get());
        match self.hand_over(connection, message, Waits::OneOf(max)) {
            Handed::Over => Ok(()),
            Handed::NoPlace => {
                self.metrics.published(PublishResult::Blocked);
                Err(DeliverError::QueueFull(max))
            }
            Handed::Ended { counted } => {
                if !counted {
                    self.metrics.published(PublishResult::Returned);
                }
                Err(DeliverError::Offline)
            }
            // Whoever forgot or wrote it has counted it.
            Handed::OverTooLate => Err(DeliverError::Lost),
        }
    }

    fn hand_over(&self, connection: &Connection, message: Outgoing, waits: Waits) -> Handed {
        if !connection.reserve(waits) {
            return Handed::NoPlace;
        }
        // Counted before it is handed over: the session may write it at once.
        self.metrics.send_queue_length.inc();
        if !connection.send(message) {
            let ours = connection.release(waits == Waits::Kept);
            if ours {
                self.metrics.send_queue_length.dec();
            }
            return Handed::Ended { counted: !ours };
        }
        if connection.gone.is_cancelled() {
            // It ended while this was handed over, maybe before its calls were ended; nobody else tells this one.
            self.forget_waiting(connection);
            return Handed::OverTooLate;
        }
        Handed::Over
    }

    fn composed(&self, connection: &Connection, delivery: &Delivery) -> Result<Outgoing, DeliverError> {
        compose(connection, delivery).inspect_err(|_| self.metrics.published(PublishResult::Failed))
    }

    /// Starts the task that sends what the outbox holds for the device. It ends when the device has it all, or with
    /// the connection.
    pub(crate) fn start_flush(self: &Arc<Self>, connection: Arc<Connection>) {
        let inner = self.clone();
        self.tasks.spawn(async move {
            let gone = connection.gone.clone();
            gone.run_until_cancelled(inner.flush(&connection)).await;
        });
    }

    async fn flush(&self, connection: &Connection) {
        let mut after = None;
        loop {
            let Ok(turn) = self.outbox_reads.acquire().await else { return };
            let page = match self.parts.outbox.unacknowledged(&connection.device, after, PAGE_MESSAGES).await {
                Ok(page) => page,
                Err(error) => {
                    tracing::warn!(device = %connection.device, %error, "outbox cannot be read");
                    drop(turn);
                    tokio::time::sleep(READ_AGAIN_AFTER).await;
                    continue;
                }
            };
            drop(turn);
            for delivery in &page {
                self.flush_one(connection, delivery).await;
            }
            if page.len() >= PAGE_MESSAGES {
                after = page.last().map(|delivery| delivery.id);
            } else if connection.flush().settle() {
                return;
            } else {
                after = None;
            }
        }
    }

    /// Sends one command of the outbox as soon as the window lets it.
    async fn flush_one(&self, connection: &Connection, delivery: &Delivery) {
        loop {
            let take = connection.flush().take(delivery.id, Instant::now());
            match take {
                Take::Skip => return,
                Take::Full => connection.room.notified().await,
                Take::Send => {
                    if let Err(error) = self.push_kept(connection, delivery) {
                        tracing::warn!(device = %connection.device, id = %delivery.id, %error, "command not sent");
                    }
                    return;
                }
            }
        }
    }

    /// The session puts a message on the wire. One that the outbox keeps counts when the device acknowledges it.
    pub(crate) fn written(&self, connection: &Connection, kept: bool) {
        if !kept {
            self.metrics.published(PublishResult::Sent);
        }
        if connection.release(kept) {
            self.metrics.send_queue_length.dec();
        }
    }

    /// The session drops a message: nobody waits for it any more.
    pub(crate) fn dropped(&self, connection: &Connection, message: &Outgoing) {
        if connection.release(message.kept()) {
            self.metrics.send_queue_length.dec();
            self.metrics.published(PublishResult::Failed);
        }
        if let Some(id) = message.command {
            connection.flush().gave_up(id);
            connection.room.notify_one();
        }
    }

    /// A connection is over. If the device is offline by that, its calls end.
    pub(crate) fn ended(&self, connection: &Arc<Connection>) {
        let offline = self.sessions.leave(connection);
        self.forget_waiting(connection);
        if offline {
            self.own_metrics.sessions.dec();
            self.parts.replies.device_gone(&connection.device, TransportName::EMBEDDED);
        }
    }

    /// Its waiting messages will not be written. What the outbox keeps is not lost by that.
    pub(crate) fn forget_waiting(&self, connection: &Connection) {
        let (lost, kept) = connection.release_all();
        for _ in 0..lost {
            self.metrics.published(PublishResult::Failed);
        }
        for _ in 0..lost + kept {
            self.metrics.send_queue_length.dec();
        }
    }
}

/// What became of a message on its way to the session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Handed {
    Over,
    NoPlace,
    /// The session had ended; whether somebody counted the message among those that it left.
    Ended {
        counted: bool,
    },
    /// It ended meanwhile.
    OverTooLate,
}

/// The device's PUBLISH, or why there cannot be one.
fn compose(connection: &Connection, delivery: &Delivery) -> Result<Outgoing, DeliverError> {
    let sync_topic = match connection.ext_rrpc {
        true => SyncTopic::Ext,
        false => delivery.sync_topic.unwrap_or_default(),
    };
    if delivery.deadline.is_some_and(|deadline| deadline.left(Instant::now().into_std()).is_zero()) {
        return Err(DeliverError::Refused("its time was over before it was sent".to_owned()));
    }
    let topic = alink::request_topic(delivery, sync_topic);
    let payload = alink::payload(delivery);
    let bytes = topic.len() + payload.len() + HEADER_BYTES;
    if bytes > connection.packet_bytes_max {
        return Err(DeliverError::TooLarge { bytes, max: connection.packet_bytes_max });
    }
    let publish = Publish {
        dup: false,
        retain: false,
        qos: match delivery.qos {
            Qos::AtMostOnce => QoS::AtMostOnce,
            Qos::AtLeastOnce => QoS::AtLeastOnce,
        },
        topic: topic.into(),
        packet_id: None,
        payload,
        properties: None,
    };
    Ok(Outgoing {
        publish: Box::new(publish),
        command: (delivery.mode == CallMode::Async).then_some(delivery.id),
        correlation: delivery.raw.as_ref().map(|_| delivery.id),
        deadline: delivery.deadline,
    })
}
