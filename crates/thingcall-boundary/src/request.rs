//! A call in the words of the ABI: texts that its plugin may read as long as the call's actor lives.
//!
//! **Invariant:** once [`CallRequest::begin`] was called it stays where it is: what it gave points into it. The actor that
//! holds it is behind an `Arc`.
#![expect(unsafe_code, reason = "hands out pointers to texts that it keeps")]

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::sync::Arc;

use thingcall_core::{Args, Call, CallId, CallMode, Deadline, Device, RequestId, TraceContext};
use thingcall_plugin::abi::{Bytes, FORMAT_JSON, MODE_ASYNC, MODE_SYNC, Request};
use tokio::time::Instant;

use crate::foreign::size32;

/// The longest module, its colon and the longest service.
const IDENTIFIER_BYTES_MAX: usize = 30 + 1 + 50;

/// The request of one call, and what it points at.
pub(crate) struct CallRequest {
    id: CallId,
    mode: CallMode,
    device: Arc<Device>,
    args: Args,
    deadline: Deadline,
    request_id: [u8; RequestId::TEXT_LEN],
    /// `module:service`, or the service alone.
    identifier: [u8; IDENTIFIER_BYTES_MAX],
    module_bytes: usize,
    identifier_bytes: usize,
    /// Where the call belongs to a trace: the plugin's own place in it.
    trace: Option<Box<(String, TraceContext)>>,
    /// Written by `begin`, and read by the plugin alone.
    request: UnsafeCell<MaybeUninit<Request>>,
}

// SAFETY: its pointers lead to texts of its own, which nobody changes; `begin` is called once.
unsafe impl Send for CallRequest {}
// SAFETY: see above.
unsafe impl Sync for CallRequest {}

impl CallRequest {
    pub(crate) fn new(call: &Call, deadline: Deadline) -> Self {
        let mut request_id = [0; RequestId::TEXT_LEN];
        let _written = call.request_id.write(&mut request_id);
        let mut identifier = [0; IDENTIFIER_BYTES_MAX];
        let (mut module_bytes, mut identifier_bytes) = (0, 0);
        let mut put = |text: &str| {
            let end = identifier_bytes + text.len();
            if let Some(place) = identifier.get_mut(identifier_bytes..end) {
                place.copy_from_slice(text.as_bytes());
                identifier_bytes = end;
            }
        };
        if let Some(module) = &call.service.module {
            module_bytes = module.as_str().len();
            put(module.as_str());
            put(":");
        }
        put(call.service.service.as_str());
        Self {
            id: call.id,
            mode: call.mode,
            device: call.device.clone(),
            args: call.args.clone(),
            deadline,
            request_id,
            identifier,
            module_bytes,
            identifier_bytes,
            trace: call.trace.as_ref().map(|trace| trace.in_handler()).map(|own| Box::new((own.parent(), own))),
            request: UnsafeCell::new(MaybeUninit::uninit()),
        }
    }

    pub(crate) const fn id(&self) -> CallId {
        self.id
    }

    pub(crate) const fn args(&self) -> &Args {
        &self.args
    }

    pub(crate) const fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// What the plugin gets, at this time.
    ///
    /// # Safety
    /// It is called once, and what it belongs to does not move as long as the plugin may read it.
    pub(crate) unsafe fn begin(&self, now: Instant) -> *const Request {
        let identifier = self.identifier.get(..self.identifier_bytes).unwrap_or_default();
        let (module, service) = match self.module_bytes {
            0 => (&[][..], identifier),
            end => (identifier.get(..end).unwrap_or_default(), identifier.get(end + 1..).unwrap_or_default()),
        };
        let request = Request {
            struct_size: size32::<Request>(),
            mode: match self.mode {
                CallMode::Sync => MODE_SYNC,
                CallMode::Async => MODE_ASYNC,
            },
            format: FORMAT_JSON,
            reserved0: 0,
            timeout_ms: left_ms(self.deadline, now),
            product_key: of(self.device.key.product.as_str()),
            device_name: of(self.device.key.name.as_str()),
            identifier: Bytes::of(identifier),
            module: Bytes::of(module),
            service: Bytes::of(service),
            request_id: Bytes::of(&self.request_id),
            args: of(self.args.as_str()),
            traceparent: self.trace.as_ref().map_or(Bytes::EMPTY, |trace| of(&trace.0)),
            tracestate: self.trace.as_ref().and_then(|trace| trace.1.state.as_deref()).map_or(Bytes::EMPTY, of),
        };
        // SAFETY: the caller vouches that nobody else has been here.
        unsafe { (*self.request.get()).write(request) }
    }
}

pub(crate) const fn of(text: &str) -> Bytes {
    Bytes::of(text.as_bytes())
}

/// Milliseconds before the deadline.
pub(crate) fn left_ms(deadline: Deadline, now: Instant) -> u64 {
    u64::try_from(deadline.left(now.into_std()).as_millis()).unwrap_or(u64::MAX)
}
