//! An HTTP connection of the load.
//!
//! It shares two cores with the server it measures, so it does what a request needs and no more: a general client costs
//! more here than the server does. One write for a request, and what comes is read into the same memory.

use std::time::Duration;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// More than the head or the body of any answer here.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;
const HEADERS_MAX: usize = 32;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// One connection, for one request at a time.
pub(crate) struct Wire {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// Where an answer lies in what was read.
struct Head {
    status: u16,
    body: std::ops::Range<usize>,
}

/// `HOST:PORT` of a server's URL, as the `host` header says it too.
///
/// # Errors
/// If the URL is of another kind.
pub(crate) fn address_of(url: &str) -> anyhow::Result<String> {
    let address = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/'));
    let address =
        address.filter(|address| address.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok()));
    Ok(address.with_context(|| format!("{url:?} is no server; right is http://HOST:PORT"))?.to_owned())
}

impl Wire {
    /// Connects to `HOST:PORT`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub(crate) async fn connect(address: &str) -> anyhow::Result<Self> {
        let connected = timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await;
        let stream = connected
            .with_context(|| format!("{address} did not take the connection within 5 s"))?
            .with_context(|| format!("cannot connect to {address}"))?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Vec::with_capacity(4096) })
    }

    /// Sends a request, and gives the answer's status and body.
    ///
    /// # Errors
    /// If the connection ends, or what comes is no HTTP answer with a length.
    pub(crate) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
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
