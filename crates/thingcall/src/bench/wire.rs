//! An HTTP connection of the load.
//!
//! It shares two cores with the server it measures, so it does what a request needs and no more: a general client costs
//! more here than the server does. One write for a request, and what comes is read into the same memory.

use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::client::server_url;

/// More than the head or the body of any answer here.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const HEADERS_MAX: usize = 32;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection, for one request at a time.
pub(super) struct Wire {
    stream: TcpStream,
    host: String,
    request: String,
    answer: Vec<u8>,
}

/// Where an answer lies in what was read.
struct Head {
    status: u16,
    body: std::ops::Range<usize>,
}

impl Wire {
    /// Connects to the server of `http://HOST:PORT`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(super) async fn connect(url: &str) -> anyhow::Result<Self> {
        let uri = server_url(url)?;
        let authority = uri.authority().filter(|_| uri.scheme_str() == Some("http"));
        let host = authority.with_context(|| format!("{url:?}: only http:// is spoken here"))?.to_string();
        let address = if uri.port_u16().is_some() { host.clone() } else { format!("{host}:80") };
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(&address)).await;
        let stream = connected
            .with_context(|| format!("{address} did not take the connection within 5 s"))?
            .with_context(|| format!("cannot connect to {address}; is `thingcall serve` running there?"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, host, request: String::with_capacity(1024), answer: Vec::with_capacity(4096) })
    }

    /// The host as the `host` header says it.
    pub(super) fn host(&self) -> String {
        self.host.clone()
    }

    /// Sends a POST, and gives the answer's status and body. `host` must be among the headers.
    ///
    /// # Errors
    /// If the connection ends, or what comes is no HTTP answer with a length.
    pub(super) async fn post(
        &mut self,
        path: &str,
        headers: &[(&str, String)],
        body: &str,
    ) -> anyhow::Result<(u16, &[u8])> {
        self.request.clear();
        write!(self.request, "POST {path} HTTP/1.1\r\n")?;
        for (name, value) in headers {
            write!(self.request, "{name}: {value}\r\n")?;
        }
        write!(self.request, "content-length: {}\r\n\r\n{body}", body.len())?;
        self.stream.write_all(self.request.as_bytes()).await?;
        self.answer.clear();
        let head = loop {
            if let Some(head) = read_head(&self.answer)? {
                break head;
            }
            self.more().await?;
        };
        while self.answer.len() < head.body.end {
            self.more().await?;
        }
        Ok((head.status, self.answer.get(head.body).unwrap_or_default()))
    }

    async fn more(&mut self) -> anyhow::Result<()> {
        if self.answer.len() > ANSWER_BYTES_MAX {
            bail!("an answer of more than {ANSWER_BYTES_MAX} bytes");
        }
        if self.stream.read_buf(&mut self.answer).await? == 0 {
            bail!("the connection ended before the answer");
        }
        Ok(())
    }
}

/// The head of an answer; `None` if it is not whole yet.
fn read_head(bytes: &[u8]) -> anyhow::Result<Option<Head>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut response = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(start) = response.parse(bytes).context("not an HTTP answer")? else {
        return Ok(None);
    };
    let length = response.headers.iter().find(|header| header.name.eq_ignore_ascii_case("content-length"));
    let length = length.and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse::<usize>().ok());
    let length = length.filter(|bytes| *bytes <= ANSWER_BYTES_MAX).context("an answer without a length")?;
    Ok(Some(Head { status: response.code.unwrap_or_default(), body: start..start + length }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_when_its_head_is_whole() {
        let whole = b"HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\n{}";
        for end in 0..whole.len() - 2 {
            assert!(read_head(&whole[..end]).unwrap().is_none(), "{end}");
        }
        let head = read_head(whole).unwrap().unwrap();
        assert_eq!((head.status, &whole[head.body]), (404, &b"{}"[..]));
        assert!(read_head(b"HTTP/1.1 200 OK\r\n\r\n").is_err());
        assert!(read_head(b"SSH-2.0-OpenSSH\r\n").is_err());
    }
}
