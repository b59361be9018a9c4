//! MQTT over WebSocket: the bytes of its messages, one after another.
//!
//! **Invariant:** message boundaries mean nothing (MQTT 3.1.1, 6.0); no message is larger than an MQTT packet may be.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use futures::{Sink, Stream};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::http::header::SEC_WEBSOCKET_PROTOCOL;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{WebSocketStream, accept_hdr_async_with_config};

use crate::wire::Socket;

/// The names under which clients ask for MQTT; the first is the registered one.
const PROTOCOLS: [&str; 2] = ["mqtt", "mqttv3.1"];
/// What a message may be larger than an MQTT packet: some clients put several into one.
const MORE_BYTES: usize = 16 * 1024;

/// A WebSocket as a stream of bytes.
pub(crate) struct WebSocketBytes {
    inner: WebSocketStream<TcpStream>,
    /// What is left of the last message.
    rest: Bytes,
}

impl WebSocketBytes {
    /// Answers the handshake.
    pub(crate) async fn accept(stream: TcpStream, message_bytes_max: u32) -> Result<Self, Error> {
        let bytes_max = (message_bytes_max as usize).saturating_add(MORE_BYTES);
        let config = WebSocketConfig::default()
            .read_buffer_size(4096)
            .write_buffer_size(0)
            .max_message_size(Some(bytes_max))
            .max_frame_size(Some(bytes_max));
        let inner = accept_hdr_async_with_config(stream, choose, Some(config)).await?;
        Ok(Self { inner, rest: Bytes::new() })
    }
}

/// Chooses the protocol; a client that offers none of ours is refused.
#[expect(clippy::result_large_err, reason = "the library's type")]
fn choose(request: &Request, mut response: Response) -> Result<Response, ErrorResponse> {
    let offered = request.headers().get_all(SEC_WEBSOCKET_PROTOCOL).iter().filter_map(|value| value.to_str().ok());
    let offered: Vec<_> = offered.flat_map(|list| list.split(',')).map(str::trim).collect();
    let Some(chosen) = PROTOCOLS.into_iter().find(|protocol| offered.contains(protocol)) else {
        let mut refusal = ErrorResponse::new(Some("right is Sec-WebSocket-Protocol: mqtt".to_owned()));
        *refusal.status_mut() = tokio_tungstenite::tungstenite::http::StatusCode::BAD_REQUEST;
        return Err(refusal);
    };
    response.headers_mut().append(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static(chosen));
    Ok(response)
}

impl Socket for WebSocketBytes {
    fn tcp(&self) -> &TcpStream {
        self.inner.get_ref()
    }
}

impl AsyncRead for WebSocketBytes {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        while self.rest.is_empty() {
            match ready!(Pin::new(&mut self.inner).poll_next(cx)) {
                Some(Ok(Message::Binary(bytes))) => self.rest = bytes,
                // Pings are answered by the library, and what closes comes to its end by itself.
                Some(Ok(
                    Message::Text(_) | Message::Ping(_) | Message::Pong(_) | Message::Close(_) | Message::Frame(_),
                )) => {}
                Some(Err(Error::ConnectionClosed)) | None => return Poll::Ready(Ok(())),
                Some(Err(error)) => return Poll::Ready(Err(of(error))),
            }
        }
        let taken = self.rest.len().min(buf.remaining());
        buf.put_slice(self.rest.get(..taken).unwrap_or_default());
        self.rest.advance(taken);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for WebSocketBytes {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        ready!(Pin::new(&mut self.inner).poll_ready(cx)).map_err(of)?;
        let message = Message::Binary(Bytes::copy_from_slice(bytes));
        Pin::new(&mut self.inner).start_send(message).map_err(of)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(cx).map_err(of)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(cx).map_err(of)
    }
}

fn of(error: Error) -> io::Error {
    if let Error::Io(error) = error { error } else { io::Error::other(error) }
}
