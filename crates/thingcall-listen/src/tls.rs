//! TLS in front of HTTP: the certificate that is shown now, and the handshake.
//!
//! **Invariant:** a handshake is done by the task of its connection, within the time that a head may take, and its connection gives
//! way to others as one that is silent. Who speaks HTTP without TLS is told so.

use std::io;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::{Context, Poll};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::server::TlsStream;

/// What every record of a handshake begins with, and no request.
const HANDSHAKE: u8 = 0x16;

/// Certificates of a listener, as PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate chain.
    pub cert_file: PathBuf,
    /// The private key.
    pub key_file: PathBuf,
    /// Whose certificates callers must show; none, if not given.
    pub client_ca_file: Option<PathBuf>,
}

/// What is shown to those who connect.
#[derive(Debug)]
pub struct Shown(RwLock<Arc<ServerConfig>>);

impl Shown {
    /// This, until there is another.
    pub fn new(config: Arc<ServerConfig>) -> Arc<Self> {
        Arc::new(Self(RwLock::new(config)))
    }

    /// Shows another from now on; connections that are open stay.
    pub fn show(&self, config: Arc<ServerConfig>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = config;
    }

    fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

/// A connection's bytes.
#[derive(Debug)]
pub(crate) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// How a connection began.
pub(crate) enum Greeted {
    /// As it should.
    Right(Stream),
    /// Without TLS.
    Plain(Stream),
    /// Not at all.
    Failed(io::Error),
}

/// Begins a connection to which this is shown.
pub(crate) async fn greet(stream: TcpStream, shown: &Shown, within: Duration) -> Greeted {
    let handshake = async {
        let mut first = [0];
        if stream.peek(&mut first).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first != [HANDSHAKE] {
            return Ok(Greeted::Plain(Stream::Plain(stream)));
        }
        let stream = shown.acceptor().accept(stream).await?;
        Ok(Greeted::Right(Stream::Tls(Box::new(stream))))
    };
    match timeout(within, handshake).await {
        Ok(greeted) => greeted.unwrap_or_else(Greeted::Failed),
        Err(_elapsed) => Greeted::Failed(io::ErrorKind::TimedOut.into()),
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
