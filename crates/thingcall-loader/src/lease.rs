//! Who still may call a generation: the table, and every caller that found it there.
//!
//! **Invariant:** a caller that found a handler can use it, however late: the generation is retired when the last
//! lease is gone.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;

use bytes::Bytes;
use thingcall_core::{Answer, Call, CallError, Codec, CodecError, Decoded, Delivery, DeviceLink, Handler, RawReply};
use tokio::sync::oneshot;

type Boxed<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Held by every lease of one generation. Dropping the last one wakes whoever waits for [`Idle`].
#[derive(Debug)]
pub(crate) struct InUse {
    _last: oneshot::Sender<Infallible>,
}

/// Ends when the last lease is gone.
pub(crate) type Idle = oneshot::Receiver<Infallible>;

/// A new count of leases.
pub(crate) fn in_use() -> (Arc<InUse>, Idle) {
    let (last, idle) = oneshot::channel();
    (Arc::new(InUse { _last: last }), idle)
}

/// A handler in use.
pub(crate) struct HandlerLease {
    inner: Arc<dyn Handler>,
    _in_use: Arc<InUse>,
}

impl HandlerLease {
    /// Leases it.
    pub(crate) fn of(inner: Arc<dyn Handler>, in_use: &Arc<InUse>) -> Arc<dyn Handler> {
        Arc::new(Self { inner, _in_use: in_use.clone() })
    }
}

// Written out, not by the macro: the inner future is passed on as it is, without a box around its box.
impl Handler for HandlerLease {
    fn handle<'life0, 'life1, 'life2, 'async_trait>(
        &'life0 self,
        call: &'life1 Call,
        device: &'life2 dyn DeviceLink,
    ) -> Boxed<'async_trait, Result<Answer, CallError>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        'life2: 'async_trait,
        Self: 'async_trait,
    {
        self.inner.handle(call, device)
    }

    fn plugin(&self) -> Option<String> {
        self.inner.plugin()
    }
}

/// A translator in use.
pub(crate) struct CodecLease {
    inner: Arc<dyn Codec>,
    _in_use: Arc<InUse>,
}

impl CodecLease {
    /// Leases it.
    pub(crate) fn of(inner: Arc<dyn Codec>, in_use: &Arc<InUse>) -> Arc<dyn Codec> {
        Arc::new(Self { inner, _in_use: in_use.clone() })
    }
}

impl Codec for CodecLease {
    fn encode<'life0, 'life1, 'async_trait>(
        &'life0 self,
        delivery: &'life1 Delivery,
    ) -> Boxed<'async_trait, Result<Bytes, CodecError>>
    where
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        self.inner.encode(delivery)
    }

    fn decode<'life0, 'async_trait>(&'life0 self, raw: RawReply) -> Boxed<'async_trait, Result<Decoded, CodecError>>
    where
        'life0: 'async_trait,
        Self: 'async_trait,
    {
        self.inner.decode(raw)
    }
}

#[cfg(test)]
mod tests;
