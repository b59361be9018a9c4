//! What becomes of what is published for applications.
//!
//! **Invariant:** what is called published is confirmed by the broker. Nothing is published twice by us: where no word
//! comes, the caller decides, and consumers know a message by its id.

use lapin::types::ShortString;

use crate::amqp::Amqp;
use crate::publisher::{Confirmed, NotConfirmed, Outgoing};

/// What became of a published message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivered {
    /// It is in a consumer's queue at least.
    Queued,
    /// No consumer's queue is bound for it: it is kept nowhere.
    Nobody,
}

/// Why a message is not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDelivered {
    /// There is no connection, or the broker takes no messages for now; nothing was sent.
    #[error("no connection to the exchange's broker")]
    Down,
    /// So many wait already; nothing was sent.
    #[error("send queue is full ({0} messages)")]
    QueueFull(usize),
    /// The broker refused it.
    #[error("the exchange's broker refused it: {0}")]
    Refused(&'static str),
    /// No word came of it; consumers may have it.
    #[error("connection to the exchange's broker lost while sending")]
    Lost,
    /// It is no message.
    #[error("it cannot be written as a message: {0}")]
    Unwritable(String),
}

/// Publishes one, and waits until the broker has it on disk where a durable queue takes it.
pub(crate) async fn publish(amqp: &Amqp, message: Outgoing) -> Result<Delivered, NotDelivered> {
    let links = amqp.contact.present().ok_or(NotDelivered::Down)?;
    match links.publisher.publish(message, amqp.config.publish_ack_timeout).await {
        Ok(Confirmed::Routed) => Ok(Delivered::Queued),
        Ok(Confirmed::Unroutable) => Ok(Delivered::Nobody),
        Err(NotConfirmed::Down | NotConfirmed::Blocked) => Err(NotDelivered::Down),
        Err(NotConfirmed::Full(max)) => Err(NotDelivered::QueueFull(max)),
        Err(NotConfirmed::Refused(why)) => Err(NotDelivered::Refused(why)),
        Err(NotConfirmed::Lost) => Err(NotDelivered::Lost),
    }
}

/// A text of at most 255 bytes.
pub(crate) fn short(text: String) -> Result<ShortString, NotDelivered> {
    ShortString::try_new(text).map_err(|error| NotDelivered::Unwritable(error.to_string()))
}
