//! The body of an answer that is a stream of events.
//!
//! **Invariant:** while it is there its place is taken, and its connection gives way to no other; with it both are free.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame};
use prometheus::IntGauge;
use thingcall_listen::Streaming;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::UnboundedReceiver;

/// A piece of it, and the room it takes among what waits.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) bytes: Bytes,
    pub(super) held: Option<Held>,
}

/// Room among what waits for a reader.
#[derive(Debug)]
pub(super) struct Held {
    _room: OwnedSemaphorePermit,
    bytes: i64,
    gauge: IntGauge,
}

impl Held {
    pub(super) fn new(room: OwnedSemaphorePermit, bytes: usize, gauge: IntGauge) -> Self {
        let bytes = thingcall_metrics::gauge_of(bytes);
        gauge.add(bytes);
        Self { _room: room, bytes, gauge }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.gauge.sub(self.bytes);
    }
}

/// The body.
#[derive(Debug)]
pub(crate) struct EventBody {
    chunks: UnboundedReceiver<Chunk>,
    streams: IntGauge,
    _place: OwnedSemaphorePermit,
    _streaming: Streaming,
}

impl EventBody {
    pub(super) fn new(
        chunks: UnboundedReceiver<Chunk>,
        (place, streams): (OwnedSemaphorePermit, IntGauge),
        streaming: Streaming,
    ) -> Self {
        streams.inc();
        Self { chunks, streams, _place: place, _streaming: streaming }
    }
}

impl Drop for EventBody {
    fn drop(&mut self) {
        self.streams.dec();
    }
}

impl Body for EventBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = self.chunks.poll_recv(cx);
        next.map(|chunk| {
            chunk.map(|Chunk { bytes, held }| {
                drop(held);
                Ok(Frame::data(bytes))
            })
        })
    }
}
