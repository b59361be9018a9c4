//! A connection's socket, as the HTTP library reads and writes it.
//!
//! **Invariant:** whoever does not read in time what it asked for loses its connection; what is read counts for its
//! [`Caller`]; and an answer that the library makes up by itself, which has no body, is not sent: the listener sends its own.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use hyper::StatusCode;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::{Sleep, sleep, timeout};

use crate::caller::Caller;
use crate::tls::Stream;

/// More than the library's own answers have: a status line and three headers.
const OWN_ANSWER_BYTES_MAX: usize = 256;

/// How long a connection is read from after its last answer. Closed at once, it would be reset, and a caller that still
/// sends would lose the answer.
const LINGER: Duration = Duration::from_secs(2);

/// What is read in place of the request that could not be, so that the library writes the answer to it.
const IN_ITS_PLACE: &[u8] = b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n";

#[derive(Debug)]
pub(crate) struct Socket {
    stream: Stream,
    caller: Caller,
    write_timeout: Duration,
    /// Runs while the peer does not read.
    stalled: Option<Pin<Box<Sleep>>>,
    /// The library's own answer, which was not sent.
    withheld: Option<StatusCode>,
    /// Read before what comes from the peer.
    first: &'static [u8],
    /// Why it is of no use any more.
    ended: Option<Ended>,
}

/// Why a socket was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The peer did not read.
    SlowToRead,
    /// There was no room for what it sent, and no service to say so.
    NoBytesLeft,
}

impl Socket {
    pub(crate) fn new(stream: Stream, caller: Caller, write_timeout: Duration) -> Self {
        Self { stream, caller, write_timeout, stalled: None, withheld: None, first: &[], ended: None }
    }

    pub(crate) fn ended(&self) -> Option<Ended> {
        self.ended
    }

    pub(crate) fn withheld(&self) -> Option<StatusCode> {
        self.withheld
    }

    /// The same socket, from which the library reads a request that asks for the listener's own answer.
    pub(crate) fn for_an_answer(self) -> Self {
        Self { first: IN_ITS_PLACE, withheld: None, ended: None, ..self }
    }

    /// Says that nothing more comes, and reads on for a while, until the peer has closed its side too.
    pub(crate) async fn linger(mut self) {
        if self.stream.shutdown().await.is_err() {
            return;
        }
        let mut unread = [0; 4096];
        let rest = async { while self.stream.read(&mut unread).await.is_ok_and(|bytes| bytes > 0) {} };
        // Either way it is closed now.
        timeout(LINGER, rest).await.ok();
    }

    fn stalls(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let stalled = self.stalled.get_or_insert_with(|| Box::pin(sleep(self.write_timeout)));
        ready!(stalled.as_mut().poll(cx));
        self.ended = Some(Ended::SlowToRead);
        Poll::Ready(io::ErrorKind::TimedOut.into())
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if !this.first.is_empty() {
            let (now, later) = this.first.split_at(this.first.len().min(buf.remaining()));
            buf.put_slice(now);
            this.first = later;
            return Poll::Ready(Ok(()));
        }
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        if this.caller.sent(buf.filled().len() - before) {
            return Poll::Ready(Ok(()));
        }
        if !this.caller.is_in_service() {
            this.ended = Some(Ended::NoBytesLeft);
        }
        Poll::Ready(Err(io::ErrorKind::OutOfMemory.into()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let mut buf = buf;
        if let Some((before, status)) = librarys_own(buf) {
            if before.is_empty() {
                this.withheld = Some(status);
                return Poll::Ready(Ok(buf.len()));
            }
            buf = before;
        }
        match Pin::new(&mut this.stream).poll_write(cx, buf) {
            Poll::Ready(Ok(bytes)) => {
                if bytes == buf.len() {
                    this.stalled = None;
                    this.caller.written();
                }
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.stalls(cx).map(Err),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        // What TLS holds back waits for the peer, too.
        if flushed.is_pending() { this.stalls(cx).map(Err) } else { flushed }
    }

    // Whoever has the socket then closes it, or lingers; with TLS the end is said before.
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        match &mut this.stream {
            Stream::Plain(_) => Poll::Ready(Ok(())),
            Stream::Tls(stream) => match Pin::new(stream).poll_shutdown(cx) {
                Poll::Ready(ended) => Poll::Ready(ended),
                Poll::Pending => this.stalls(cx).map(Err),
            },
        }
    }
}

/// What stands before the library's own answer, and its status. It is always the last one written, has an empty body and
/// no type; no service answers these statuses so.
fn librarys_own(written: &[u8]) -> Option<(&[u8], StatusCode)> {
    if !written.ends_with(b"\r\n\r\n") {
        return None;
    }
    let from = written.len().saturating_sub(OWN_ANSWER_BYTES_MAX);
    let at = from + written.get(from..)?.windows(7).rposition(|seven| seven == b"HTTP/1.")?;
    let (before, answer) = written.split_at(at);
    let status = StatusCode::from_bytes(answer.get(9..12)?).ok()?;
    let refusals = [StatusCode::BAD_REQUEST, StatusCode::URI_TOO_LONG, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE];
    let has = |line: &[u8]| answer.windows(line.len()).any(|part| part.eq_ignore_ascii_case(line));
    let own = refusals.contains(&status) && has(b"\r\ncontent-length: 0\r\n") && !has(b"\r\ncontent-type:");
    own.then_some((before, status))
}

#[cfg(test)]
mod tests;
