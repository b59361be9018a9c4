//! A signing client for one connection: what `call` and `demo` speak to the API with.
//!
//! It signs with `thingcall_api::sign`, whose text was checked against Alibaba's own SDKs.

use std::time::Duration;

use anyhow::{Context, bail};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use thingcall_api::sign::{self, Signer};
use thingcall_core::UnixMillis;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};

use crate::exit::WrongUse;
use crate::trust::Trust;

/// Longer than the 8 s a synchronous call may take, and than the network's share of it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(20);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The body of an answer, of all actions together.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Body {
    /// Names the request in the server's logs.
    pub request_id: String,
    /// Whether the service did it.
    pub success: bool,
    /// What failed.
    pub code: Option<String>,
    /// Why, from the service.
    pub error_message: Option<String>,
    /// Why, from the gateway.
    pub message: Option<String>,
    /// What was asked for.
    pub data: Option<Data>,
}

/// `Data` of InvokeThingService.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct Data {
    /// The call's id.
    pub message_id: Option<String>,
    /// What the device answered, JSON as text; only of a synchronous call.
    pub result: Option<String>,
}

/// An answer and the time it took.
#[derive(Debug, Clone)]
pub(crate) struct FrontAnswer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body's text.
    pub text: Bytes,
    /// From the request's first byte to the answer's last.
    pub took: Duration,
}

impl FrontAnswer {
    /// The body, read.
    ///
    /// # Errors
    /// If it is not the API's.
    pub(crate) fn body(&self) -> anyhow::Result<Body> {
        serde_json::from_slice(&self.text).with_context(|| {
            let text = String::from_utf8_lossy(&self.text);
            format!("HTTP {} with a body that is not of this API: {:.200}", self.status.as_u16(), text)
        })
    }
}

impl Body {
    /// The code and the words of a failure.
    pub(crate) fn failure(&self) -> (&str, &str) {
        let words = self.error_message.as_deref().or(self.message.as_deref());
        (self.code.as_deref().unwrap_or("no code"), words.unwrap_or("no reason given"))
    }
}

/// Reads a server's URL.
///
/// # Errors
/// If it is none, or holds a user: a password does not belong into a URL, and even less into an error.
fn server_url(url: &str) -> anyhow::Result<Uri> {
    if url.contains('@') {
        bail!(WrongUse("a server's URL holds no user (it is not shown); right is http://127.0.0.1:8080".to_owned()));
    }
    url.parse().with_context(|| format!("{url:?} is not a URL; right is http://127.0.0.1:8080"))
}

/// A connection for requests without bodies to `HOST:PORT`.
///
/// # Errors
/// If nobody listens there.
pub(crate) async fn connection(address: &str, tls: Option<&Trust>) -> anyhow::Result<SendRequest<Empty<Bytes>>> {
    let stream = timeout(CONNECT_TIMEOUT, TcpStream::connect(address))
        .await
        .map_err(|_| anyhow::anyhow!("{address} did not take the connection within 5 s"))?
        .with_context(|| format!("cannot connect to {address}; is `thingcall serve` running there?"))?;
    stream.set_nodelay(true)?;
    match tls {
        None => began(stream).await,
        Some(trust) => {
            let greeted = timeout(CONNECT_TIMEOUT, Box::pin(trust.greet(stream, address))).await;
            began(greeted.map_err(|_| anyhow::anyhow!("no TLS with {address} within 5 s"))??).await
        }
    }
}

async fn began<S>(stream: S) -> anyhow::Result<SendRequest<Empty<Bytes>>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // It ends with the connection, which ends with `sender`; its error is also the request's.
    tokio::spawn(connection);
    Ok(sender)
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Lost {
    /// It did not leave.
    #[error("{0:#}; the request was not sent")]
    NotSent(anyhow::Error),
    /// It may have arrived.
    #[error("{0:#}")]
    Sent(anyhow::Error),
}

impl Lost {
    fn sent(error: hyper::Error) -> Self {
        Self::Sent(
            anyhow::Error::new(error)
                .context("the connection ended before the answer; the device may have executed the call"),
        )
    }
}

/// A connection to a server and the key to sign with.
pub(crate) struct Client {
    sender: SendRequest<Empty<Bytes>>,
    host: String,
    signer: Signer,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// If nobody listens there, or the URL is of another kind than `http://HOST:PORT` and `https://HOST:PORT`.
    pub(crate) async fn connect(url: &str, trust: &Trust, signer: Signer) -> anyhow::Result<Self> {
        let uri = server_url(url)?;
        let (tls, port) = match uri.scheme_str() {
            Some("http") => (None, 80),
            Some("https") => (Some(trust), 443),
            Some(_) | None => bail!("{url:?}: right is http://HOST:PORT or https://HOST:PORT"),
        };
        let host = uri.authority().map_or_else(String::new, |authority| authority.as_str().to_owned());
        let address = if uri.port_u16().is_some() { host.clone() } else { format!("{host}:{port}") };
        Ok(Self { sender: connection(&address, tls).await?, host, signer })
    }

    /// Sends one signed request and waits for its answer.
    ///
    /// # Errors
    /// If the connection ends or no answer comes; a failure that the server answers is not an error here.
    pub(crate) async fn ask(&mut self, action: &str, params: &[(&str, &str)]) -> anyhow::Result<FrontAnswer> {
        Ok(self.ask_once(action, params).await?)
    }

    /// The same, which says whether a request without an answer left.
    ///
    /// # Errors
    /// If the connection ends or no answer comes.
    pub(crate) async fn ask_once(&mut self, action: &str, params: &[(&str, &str)]) -> Result<FrontAnswer, Lost> {
        let signed = sign::acs3_request(&self.host, action, params, &self.signer, UnixMillis::now());
        let mut request = Request::post(format!("/?{}", signed.query));
        for (name, value) in &signed.headers {
            request = request.header(*name, value);
        }
        let request = request.body(Empty::new()).map_err(|error| Lost::NotSent(error.into()))?;
        let started = Instant::now();
        let exchange = async {
            let not_sent =
                |error: hyper::Error| Lost::NotSent(anyhow::Error::new(error).context("the connection ended"));
            self.sender.ready().await.map_err(not_sent)?;
            let response = self.sender.try_send_request(request).await.map_err(|mut error| {
                let returned = error.take_message().is_some();
                if returned { not_sent(error.into_error()) } else { Lost::sent(error.into_error()) }
            })?;
            let status = response.status();
            let body = response.into_body().collect().await.map_err(Lost::sent)?;
            Ok((status, body.to_bytes()))
        };
        let in_time = timeout(ANSWER_TIMEOUT, exchange).await;
        let silent = |_| Lost::Sent(anyhow::anyhow!("no answer within 20 s; the device may have executed the call"));
        let (status, text) = in_time.map_err(silent)??;
        Ok(FrontAnswer { status, text, took: started.elapsed() })
    }
}
