//! What goes to a device.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Args, CallId, CallMode, Deadline, Device, Hop, Letter, Qos, ServiceId, SyncTopic};

/// One command for one device. The transport puts it into the device's words.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The id the device must answer with.
    pub id: CallId,
    /// The device.
    pub device: Arc<Device>,
    /// The service the device runs.
    pub service: ServiceId,
    /// The service's parameters.
    pub params: Args,
    /// The message that the device gets in place of a command.
    pub letter: Option<Arc<Letter>>,
    /// What the device gets instead of the Alink request, where it speaks its own bytes.
    pub raw: Option<Bytes>,
    /// Whether somebody waits for the answer.
    pub mode: CallMode,
    /// How it travels.
    pub qos: Qos,
    /// When nobody waits for it any more; where the protocol can say so, the message expires then.
    pub deadline: Option<Deadline>,
    /// The topic of synchronous calls: the product's setting, else what the device's last login said. For a transport that
    /// does not know the device's own.
    pub sync_topic: Option<SyncTopic>,
    /// The place in a trace that its device is told.
    pub trace: Option<Arc<Hop>>,
}
