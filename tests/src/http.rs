//! Plain HTTP over a socket, for what no SDK does: sending the same request twice, hanging up, not signing.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::wait::TIMEOUT;

/// A request that was sent; dropping it hangs up.
#[derive(Debug)]
pub struct HttpCall {
    stream: TcpStream,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The status.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body.
    pub body: String,
}

impl HttpCall {
    /// Sends a request with an empty body.
    ///
    /// # Panics
    /// If nobody listens there.
    pub fn send(address: SocketAddr, method: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("a listener");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        stream.write_all(request(address, method, path).as_bytes()).expect("the request can be sent");
        Self { stream }
    }

    /// Sends a request that no web page can send.
    ///
    /// # Panics
    /// If the address cannot be connected to.
    pub fn by_hand(address: SocketAddr, method: &str, path: &str) -> Self {
        let mut stream = TcpStream::connect(address).expect("a listener");
        stream.set_read_timeout(Some(TIMEOUT)).expect("a time-out can be set");
        let request = request(address, method, path).replace("\r\n\r\n", "\r\nX-Thingcall: 1\r\n\r\n");
        stream.write_all(request.as_bytes()).expect("the request can be sent");
        Self { stream }
    }

    /// Waits for the answer.
    ///
    /// # Panics
    /// If there is none in time.
    pub fn answer(mut self) -> HttpAnswer {
        let mut bytes = Vec::new();
        self.stream.read_to_end(&mut bytes).expect("an answer");
        HttpAnswer::read(bytes)
    }
}

impl HttpAnswer {
    /// Reads all that came until the connection was closed.
    pub(crate) fn read(bytes: Vec<u8>) -> Self {
        let text = String::from_utf8(bytes).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not HTTP: {text:?}"));
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        Self {
            status: status.unwrap_or_else(|| panic!("no status: {head:?}")),
            head: head.to_owned(),
            body: body.to_owned(),
        }
    }
}

/// A request with an empty body, after which the connection is closed.
pub(crate) fn request(address: SocketAddr, method: &str, path: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
}
