//! Topics of devices.

use thingcall_core::{Delivery, DeviceKey, Reply, SyncTopic, TransportKind};

/// The filters under which an external broker delivers every reply of every device.
pub const REPLY_FILTERS: &[&str] = &[];

/// What a device published.
#[derive(Debug, Clone)]
pub enum Uplink {
    /// An answer to a call.
    Reply(Reply),
    /// Something else of this device (properties, events, ...).
    Other(DeviceKey),
    /// Our own request, echoed by a broker; to be ignored.
    Echo,
    /// Not a topic of a device.
    Foreign,
}

/// Reads a message that a device published. `bytes_max` bounds the reply's size.
pub fn uplink(transport: TransportKind, topic: &str, payload: &[u8], bytes_max: usize) -> Uplink {
    let _ = (transport, topic, payload, bytes_max);
    Uplink::Foreign
}

/// The topic of a delivery: for a synchronous call the given form's, else the service's.
pub fn request_topic(delivery: &Delivery, sync_topic: SyncTopic) -> String {
    let _ = (delivery, sync_topic);
    String::new()
}

/// Whether this device may publish on this topic.
pub fn may_publish(device: &DeviceKey, topic: &str) -> bool {
    let _ = (device, topic);
    false
}

/// Whether this device may subscribe to this filter.
pub fn may_subscribe(device: &DeviceKey, filter: &str) -> bool {
    let _ = (device, filter);
    false
}
