//! Bytes to and from a client, with or without TLS.
//!
//! **Invariant:** bytes count as written when the system has taken them, not when they wait to be encrypted: with STOMP's
//! `ack:auto` a message that was written is done.

use std::future::poll_fn;
use std::mem::{self, MaybeUninit};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::time::timeout;

/// What is read at once.
const INPUT_BYTES: usize = 2048;
/// What is written at once.
const WRITE_BYTES_MAX: usize = 16 * 1024;
/// How long a client may take to read the last words.
const LAST_WORDS_TIMEOUT: Duration = Duration::from_secs(5);
/// How long what a client still sends is read, so that it can read our last words.
const LINGER: Duration = Duration::from_secs(2);

pub(crate) struct Wire<S> {
    stream: S,
    /// What was read last. While nothing comes, nothing is held for it.
    input: Vec<u8>,
    /// So many bytes were given to the stream and not yet to the system.
    unflushed: usize,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moved {
    /// It is in [`Wire::input`].
    Read,
    /// So many more of the output were taken.
    Written(usize),
    /// It ended, in whatever way.
    Ended,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, input: Vec::new(), unflushed: 0 }
    }

    /// What was read, once.
    pub(crate) fn input(&mut self) -> Vec<u8> {
        mem::take(&mut self.input)
    }

    /// Writes what there is, and reads where that is wanted. Nothing is lost if the future is dropped.
    pub(crate) async fn moves(&mut self, wants_input: bool, output: &[u8]) -> Moved {
        poll_fn(|context| self.poll(context, wants_input, output)).await
    }

    fn poll(&mut self, context: &mut Context<'_>, wants_input: bool, output: &[u8]) -> Poll<Moved> {
        if self.unflushed == 0 && !output.is_empty() {
            let part = output.get(..output.len().min(WRITE_BYTES_MAX)).unwrap_or(output);
            match Pin::new(&mut self.stream).poll_write(context, part) {
                Poll::Ready(Ok(written @ 1..)) => self.unflushed = written,
                Poll::Ready(Ok(0) | Err(_)) => return Poll::Ready(Moved::Ended),
                Poll::Pending => {}
            }
        }
        if self.unflushed > 0 {
            match Pin::new(&mut self.stream).poll_flush(context) {
                Poll::Ready(Ok(())) => return Poll::Ready(Moved::Written(mem::take(&mut self.unflushed))),
                Poll::Ready(Err(_)) => return Poll::Ready(Moved::Ended),
                Poll::Pending => {}
            }
        }
        if !wants_input {
            return Poll::Pending;
        }
        let mut space = [const { MaybeUninit::uninit() }; INPUT_BYTES];
        let mut read = ReadBuf::uninit(&mut space);
        match Pin::new(&mut self.stream).poll_read(context, &mut read) {
            Poll::Ready(Ok(())) if !read.filled().is_empty() => {
                self.input = read.filled().to_vec();
                Poll::Ready(Moved::Read)
            }
            Poll::Ready(Ok(()) | Err(_)) => Poll::Ready(Moved::Ended),
            Poll::Pending => Poll::Pending,
        }
    }

    /// Writes the rest of the output and closes, slowly enough for it to be read.
    pub(crate) async fn end(mut self, output: &[u8]) {
        let rest = output.get(self.unflushed..).unwrap_or_default();
        let said = timeout(LAST_WORDS_TIMEOUT, async {
            self.stream.write_all(rest).await?;
            self.stream.shutdown().await
        });
        if matches!(said.await, Ok(Ok(()))) {
            let mut space = vec![0; INPUT_BYTES];
            let silent = async { while let Ok(1..) = self.stream.read(&mut space).await {} };
            timeout(LINGER, silent).await.ok();
        }
    }
}
