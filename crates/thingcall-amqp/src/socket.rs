//! The TCP connection below an AMQP one, kept to be cut.
//!
//! lapin's thread ends when its connection ends, and a broker that stops in the middle of the handshake never ends it.
//!
//! **Invariant:** the socket is shut down when this value goes, whatever state the connection was in.

use std::io;
use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;

/// Shuts the socket down when dropped.
#[derive(Debug)]
pub(crate) struct Socket(TcpStream);

impl Socket {
    pub(crate) fn of(stream: &impl AsFd) -> io::Result<Self> {
        Ok(Self(stream.as_fd().try_clone_to_owned()?.into()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _gone = self.0.shutdown(Shutdown::Both);
    }
}
