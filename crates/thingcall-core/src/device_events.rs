//! What happens to a device, as whoever watches it is told.
//!
//! **Invariant:** what a peer chose is cut and fit to be shown. A refusal is of whoever said to be the device: nobody proved it.

use async_trait::async_trait;

use crate::{DropReason, UnixMillis};

/// Something that happened to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceEvent {
    /// When.
    pub at: UnixMillis,
    /// On which way to devices.
    pub by: &'static str,
    /// What.
    pub what: Happened,
}

/// What can happen to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Happened {
    /// It connected, from this address where that is known.
    Connected(Option<String>),
    /// Somebody who said to be it was not let in, for this reason.
    Refused(String),
    /// Its last connection ended.
    Left,
    /// It published so many bytes on this topic.
    Published {
        /// The topic.
        topic: String,
        /// How many.
        bytes: usize,
    },
    /// What it published led to nothing.
    Dropped {
        /// Why.
        reason: DropReason,
        /// On which topic it was.
        topic: String,
        /// How many bytes it had.
        bytes: usize,
        /// What was wrong with its content, where it was read.
        problem: Option<String>,
    },
    /// This was sent to it: a service's identifier, or a topic.
    Sent(String),
    /// This could not be sent to it, for this reason.
    NotSent {
        /// What.
        what: String,
        /// Why.
        why: String,
    },
}

/// What a watch saw.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// What happened, in its order.
    pub events: Vec<DeviceEvent>,
    /// So many more did that were let go, since the watch was not read.
    pub missed: u64,
}

/// Watches one device. Dropping it ends it.
#[async_trait]
pub trait DeviceWatch: Send {
    /// Waits until something happens. Nothing is lost if the future is dropped.
    async fn next(&mut self) -> Seen;
}
