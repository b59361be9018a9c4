//! Packets on a socket.
//!
//! **Invariants:** an idle connection holds no bytes for what may come or leave. `next` loses nothing when it is dropped half
//! way. Before a device has proved itself no packet of its is larger than
//! [`CONNECT_BYTES_MAX`].

use std::future::poll_fn;
use std::io;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, BytesMut};
use rmqtt_codec::error::{DecodeError, EncodeError};
use rmqtt_codec::version::{ProtocolVersion, VersionCodec};
use rmqtt_codec::{MqttCodec, MqttPacket, v3, v5};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder};

/// The largest CONNECT; room for the longest client id, a will and more properties than devices send.
const CONNECT_BYTES_MAX: u32 = 16 * 1024;
/// Read at once; most packets are smaller.
const READ_BYTES: usize = 2048;

/// A way to a device, whatever lies around its TCP connection.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Unpin + Send {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

/// Why nothing more can be read or written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Broken {
    #[error("what it sent is no MQTT: {0}")]
    Malformed(#[from] DecodeError),
    #[error("cannot be written: {0}")]
    Unwritable(#[from] EncodeError),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("it does not read what it is sent")]
    Stuck,
    #[error("it closed the connection")]
    Closed,
}

impl Broken {
    /// Whether what was malformed is the client id of a CONNECT.
    pub(crate) fn is_client_id(&self) -> bool {
        matches!(self, Self::Malformed(DecodeError::InvalidClientId))
    }
}

/// One end of a connection.
pub(crate) struct Wire<S> {
    socket: S,
    codec: MqttCodec,
    read: BytesMut,
    write: BytesMut,
    send_timeout: Duration,
}

impl<S: Socket> Wire<S> {
    pub(crate) fn new(socket: S, send_timeout: Duration) -> Self {
        let codec = MqttCodec::Version(VersionCodec);
        Self { socket, codec, read: BytesMut::new(), write: BytesMut::new(), send_timeout }
    }

    /// The first packet, whose version this connection speaks from then on.
    pub(crate) async fn first(&mut self) -> Result<MqttPacket, Broken> {
        if let MqttPacket::Version(version) = self.next().await? {
            self.codec = match version {
                ProtocolVersion::MQTT3 => MqttCodec::V3(v3::Codec::new(CONNECT_BYTES_MAX)),
                ProtocolVersion::MQTT5 => MqttCodec::V5(v5::Codec::new(CONNECT_BYTES_MAX, 0)),
            };
        }
        self.next().await
    }

    /// From now on packets may be this large: what comes, and what MQTT 5 lets us send.
    pub(crate) fn allow(&mut self, bytes_max: u32, send_bytes_max: u32) {
        match &mut self.codec {
            MqttCodec::V3(codec) => codec.set_max_size(bytes_max),
            MqttCodec::V5(codec) => {
                codec.set_max_inbound_size(bytes_max);
                codec.set_max_outbound_size(send_bytes_max);
            }
            MqttCodec::Version(_) => {}
        }
    }

    /// The next packet.
    pub(crate) async fn next(&mut self) -> Result<MqttPacket, Broken> {
        loop {
            if let Some(packet) = self.buffered()? {
                return Ok(packet);
            }
            let read = if self.read.is_empty() {
                poll_fn(|cx| self.poll_begin(cx)).await?
            } else {
                self.read.reserve(READ_BYTES);
                self.socket.read_buf(&mut self.read).await?
            };
            if read == 0 {
                return Err(Broken::Closed);
            }
        }
    }

    /// Reads the beginning of what comes, by way of the stack: until it is there, no buffer waits for it.
    fn poll_begin(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        let polled = Pin::new(&mut self.socket).poll_read(cx, &mut bytes);
        if polled.is_pending() {
            self.read = BytesMut::new();
        }
        ready!(polled)?;
        self.read.extend_from_slice(bytes.filled());
        Poll::Ready(Ok(bytes.filled().len()))
    }

    /// The next packet, if it is here already.
    pub(crate) fn buffered(&mut self) -> Result<Option<MqttPacket>, Broken> {
        Ok(self.codec.decode(&mut self.read)?.map(|(packet, _)| packet))
    }

    /// Puts a packet behind those that wait for `flush`.
    pub(crate) fn put(&mut self, packet: MqttPacket) -> Result<(), Broken> {
        Ok(self.codec.encode(packet, &mut self.write)?)
    }

    /// Writes what waits; `false` if nothing did.
    pub(crate) async fn flush(&mut self) -> Result<bool, Broken> {
        if self.write.is_empty() {
            return Ok(false);
        }
        // Nearly always all of it leaves at once, and no timer is needed.
        match poll_fn(|cx| Poll::Ready(self.poll_written(cx))).await {
            Poll::Ready(written) => written?,
            Poll::Pending => Box::pin(self.written_in_time()).await?,
        }
        self.write = BytesMut::new();
        Ok(true)
    }

    async fn written_in_time(&mut self) -> Result<(), Broken> {
        let send_timeout = self.send_timeout;
        match tokio::time::timeout(send_timeout, poll_fn(|cx| self.poll_written(cx))).await {
            Ok(written) => Ok(written?),
            Err(_elapsed) => Err(Broken::Stuck),
        }
    }

    fn poll_written(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.write.is_empty() {
            let written = ready!(Pin::new(&mut self.socket).poll_write(cx, &self.write))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.write.advance(written);
        }
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    /// Tells the device's system now that all has arrived. Where it has Nagle's algorithm on, it holds the next small
    /// packet back until then, and ours would wait 40 ms for something to send along with.
    pub(crate) fn acknowledge_now(&self) {
        #[cfg(target_os = "linux")]
        if let Err(error) = rustix::net::sockopt::set_tcp_quickack(self.socket.tcp(), true) {
            tracing::trace!(%error, "no TCP_QUICKACK");
        }
    }

    /// Writes what waits and closes.
    pub(crate) async fn close(&mut self) {
        let send_timeout = self.send_timeout;
        let closing = async {
            self.flush().await?;
            Ok::<_, Broken>(self.socket.shutdown().await?)
        };
        // Whoever does not read the last words does without.
        if let Ok(Err(error)) = tokio::time::timeout(send_timeout, closing).await {
            tracing::trace!(%error, "not closed in order");
        }
    }
}
