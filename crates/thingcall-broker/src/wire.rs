//! Packets on a socket.
//!
//! **Invariants:** an idle connection holds `READ_BYTES` for what may come and nothing for what may leave. `next` loses
//! nothing when it is dropped half way. Before a device has proved itself no packet of its is larger than
//! [`CONNECT_BYTES_MAX`].

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use rmqtt_codec::error::{DecodeError, EncodeError};
use rmqtt_codec::version::{ProtocolVersion, VersionCodec};
use rmqtt_codec::{MqttCodec, MqttPacket, v3, v5};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::codec::{Decoder, Encoder};

/// The largest CONNECT; room for the longest client id, a will and more properties than devices send.
const CONNECT_BYTES_MAX: u32 = 16 * 1024;
/// Read at once; most packets are smaller.
const READ_BYTES: usize = 1024;
/// A buffer that has grown beyond this is given back once it is empty.
const KEPT_BYTES: usize = 4 * READ_BYTES;

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
            if self.read.is_empty() && self.read.capacity() > KEPT_BYTES {
                self.read = BytesMut::new();
            }
            self.read.reserve(READ_BYTES);
            if self.socket.read_buf(&mut self.read).await? == 0 {
                return Err(Broken::Closed);
            }
        }
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
        let writing = async {
            self.socket.write_all_buf(&mut self.write).await?;
            self.socket.flush().await
        };
        match tokio::time::timeout(self.send_timeout, writing).await {
            Ok(written) => written?,
            Err(_elapsed) => return Err(Broken::Stuck),
        }
        if self.write.capacity() > KEPT_BYTES {
            self.write = BytesMut::new();
        }
        Ok(true)
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
    pub(crate) async fn close(mut self) {
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
