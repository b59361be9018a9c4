//! A call in the words of the ABI: borrowed texts, valid as long as the call's actor.
#![expect(unsafe_code, reason = "hands out pointers to texts that it keeps")]

use thingcall_core::{Call, CallMode, Deadline, ModuleId, RequestId};
use thingcall_plugin::abi::{Bytes, FORMAT_JSON, MODE_ASYNC, MODE_SYNC, Request};
use tokio::time::Instant;

use crate::foreign::size32;

/// The request's id, a module, a colon and a service.
const TEXTS_BYTES_MAX: usize = RequestId::TEXT_LEN + 30 + 1 + 50;

/// The request of one call, and the texts that nobody else keeps.
pub(crate) struct CallRequest {
    request: Request,
    /// The request's id and the identifier. Its bytes stay where they are when this moves.
    _texts: String,
}

// SAFETY: it is never changed after it was made, and points at texts that nobody changes.
unsafe impl Send for CallRequest {}
// SAFETY: see above.
unsafe impl Sync for CallRequest {}

impl CallRequest {
    /// Of a call that outlives it: the other texts are the call's own.
    pub(crate) fn new(call: &Call, deadline: Deadline, now: Instant) -> Self {
        let mut texts = String::with_capacity(TEXTS_BYTES_MAX);
        texts.push_str(call.request_id.write(&mut [0; RequestId::TEXT_LEN]));
        if let Some(module) = &call.service.module {
            texts.extend([module.as_str(), ":"]);
        }
        texts.push_str(call.service.service.as_str());
        let (request_id, identifier) = texts.split_at_checked(RequestId::TEXT_LEN).unwrap_or_default();
        let request = Request {
            struct_size: size32::<Request>(),
            mode: match call.mode {
                CallMode::Sync => MODE_SYNC,
                CallMode::Async => MODE_ASYNC,
            },
            format: FORMAT_JSON,
            reserved0: 0,
            timeout_ms: left_ms(deadline, now),
            product_key: of(call.device.key.product.as_str()),
            device_name: of(call.device.key.name.as_str()),
            identifier: of(identifier),
            module: of(call.service.module.as_ref().map_or("", ModuleId::as_str)),
            service: of(call.service.service.as_str()),
            request_id: of(request_id),
            args: of(call.args.as_str()),
        };
        Self { request, _texts: texts }
    }

    pub(crate) const fn get(&self) -> &Request {
        &self.request
    }
}

pub(crate) const fn of(text: &str) -> Bytes {
    Bytes::of(text.as_bytes())
}

/// Milliseconds before the deadline.
pub(crate) fn left_ms(deadline: Deadline, now: Instant) -> u64 {
    u64::try_from(deadline.left(now.into_std()).as_millis()).unwrap_or(u64::MAX)
}
