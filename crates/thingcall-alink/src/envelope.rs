//! Alink envelopes: requests to devices and their replies.

use bytes::Bytes;
use thingcall_core::{CallId, Delivery};

/// The request a device gets: id, version, params, method.
pub fn request_payload(delivery: &Delivery) -> Bytes {
    let _ = delivery;
    Bytes::new()
}

/// The id of a request that [`request_payload`] made.
pub fn request_id(payload: &[u8]) -> Option<CallId> {
    let _ = payload;
    None
}
