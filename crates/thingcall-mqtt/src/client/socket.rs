//! The socket: how it is opened, and when what is written leaves.
//!
//! The library flushes after each acknowledgement of a message of ours that it reads, since each may be the last for a
//! long time: a system call each. Here what is written while packets that were read are still worked off is gathered, and
//! leaves before the socket is read again.
//!
//! **Invariant:** what is flushed leaves at the latest when the socket is read again or dropped, and at once where nothing
//! was read since the socket said that nothing is there. Beyond [`GATHERED_BYTES_MAX`] it leaves at once.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rumqttc_v4::{NetworkOptions, default_socket_connect};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// How much is gathered before it is sent all the same.
const GATHERED_BYTES_MAX: usize = 64 * 1024;
/// How long an address is waited for before the next one is tried beside it.
const NEXT_ADDRESS_AFTER: Duration = Duration::from_millis(250);

/// Connects to the first address of the name that answers. An address that leads nowhere holds up no other.
pub(super) async fn connect(name_and_port: String, network: NetworkOptions) -> io::Result<Gathered> {
    let mut addresses = lookup_host(name_and_port).await?.peekable();
    let mut attempts = JoinSet::new();
    let mut failed = io::Error::new(io::ErrorKind::NotFound, "the broker's name has no address");
    loop {
        match addresses.next() {
            Some(address) => drop(attempts.spawn(default_socket_connect(address.to_string(), network.clone()))),
            None if attempts.is_empty() => return Err(failed),
            None => {}
        }
        tokio::select! {
            Some(attempt) = attempts.join_next() => match attempt {
                Ok(Ok(socket)) => return Ok(Gathered::new(socket)),
                Ok(Err(error)) => failed = error,
                Err(error) => failed = io::Error::other(error),
            },
            () = sleep(NEXT_ADDRESS_AFTER), if addresses.peek().is_some() => {}
        }
    }
}

/// A socket that gathers what is written while what it gave is worked off.
pub(super) struct Gathered {
    socket: TcpStream,
    out: BytesMut,
    /// What was read last may still be worked off.
    working: bool,
}

impl Gathered {
    fn new(socket: TcpStream) -> Self {
        Self { socket, out: BytesMut::new(), working: false }
    }

    fn gathers(&self) -> bool {
        self.working && self.out.len() < GATHERED_BYTES_MAX
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.out.is_empty() {
            let sent = ready!(Pin::new(&mut self.socket).poll_write(context, &self.out))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out.advance(sent);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for Gathered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.working = false;
        // A socket that takes nothing now may well have something to read.
        if let Poll::Ready(Err(error)) = self.poll_send(context) {
            return Poll::Ready(Err(error));
        }
        ready!(Pin::new(&mut self.socket).poll_read(context, buffer))?;
        self.working = true;
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Gathered {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.gathers() {
            self.out.extend_from_slice(bytes);
            return Poll::Ready(Ok(bytes.len()));
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.socket).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.gathers() {
            return Poll::Ready(Ok(()));
        }
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.socket).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(context))?;
        Pin::new(&mut self.socket).poll_shutdown(context)
    }
}

impl Drop for Gathered {
    /// The last words, where the broker takes them now: a goodbye is not followed by a read.
    fn drop(&mut self) {
        if !self.out.is_empty() {
            let _sent = self.socket.try_write(&self.out);
        }
    }
}

#[cfg(test)]
mod tests;
