//! One request to the collector.
//!
//! **Invariants:** a request that is over its time is gone, connection and all. Of an answer no more is read than this holds.

use std::time::Duration;

use bytes::{BufMut as _, Bytes, BytesMut};
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, TE, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;
use thingcall_core::{PeerText, Problem};
use tokio::time::timeout;

use crate::authorities::{authorities, nobody};
use crate::config::{Config, Protocol};

/// How much of an answer is read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;
/// What a collector's own pause is held to.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60);
/// Before a message of gRPC stand whether it is compressed and how long it is.
const GRPC_PREFIX_BYTES: usize = 5;

/// Sends to one collector.
pub(crate) struct Sender {
    uri: Uri,
    protocol: Protocol,
    headers: Vec<(HeaderName, HeaderValue)>,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What a collector did with a batch that it took.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Accepted {
    /// So many spans of it it did not want.
    pub(crate) rejected: usize,
    /// Why, or what else it has to say.
    pub(crate) said: String,
}

/// Why a collector has not taken a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// For people.
    pub(crate) why: String,
    pub(crate) again: Again,
}

/// Whether it may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Later,
    /// Not before, as the collector said.
    After(Duration),
    /// It would be refused again.
    Never,
}

impl Sender {
    /// To this collector, if there is one.
    ///
    /// # Errors
    /// What is wrong with its address or its files.
    pub(crate) fn new(config: &Config) -> Result<Option<Self>, Problem> {
        let Some(url) = config.url() else { return Ok(None) };
        let right = "an address of a collector";
        let uri = url.as_str().parse().map_err(|error| Problem::new("endpoint", error, right))?;
        let tls = if url.scheme() == "https" { authorities(config.ca_file.as_deref())? } else { nobody()? };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http();
        let (connector, is_grpc) = match config.protocol {
            Protocol::Http => (connector.enable_http1().wrap_connector(http), false),
            Protocol::Grpc => (connector.enable_http2().wrap_connector(http), true),
        };
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_max_idle_per_host(1).http2_only(is_grpc);
        let (headers, timeout) = (config.all_headers()?, config.export_timeout);
        Ok(Some(Self { uri, protocol: config.protocol, headers, timeout, client: client.build(connector) }))
    }

    /// Sends a batch; returns when the collector has taken it.
    pub(crate) async fn send(&self, batch: &[u8]) -> Result<Accepted, NotTaken> {
        let request = self.request(batch).map_err(|error| never(error.to_string()))?;
        let answered = timeout(self.timeout, self.exchange(request)).await;
        answered.map_err(|_elapsed| later(format!("no answer within {:?}", self.timeout)))?
    }

    async fn exchange(&self, request: Request<Full<Bytes>>) -> Result<Accepted, NotTaken> {
        let answer = self.client.request(request).await.map_err(|error| later(causes(&error)))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.map_err(|error| later(causes(&*error)))?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        let body = body.to_bytes();
        if !head.status.is_success() {
            let why = format!("{}: {}", head.status, PeerText::of_bytes(&body));
            return Err(NotTaken { why, again: again(head.status, &head.headers) });
        }
        match self.protocol {
            Protocol::Http => Ok(accepted(&body)),
            Protocol::Grpc => {
                // An answer without a message has its status in its head.
                let status = trailers.get(GRPC_STATUS).or_else(|| head.headers.get(GRPC_STATUS));
                grpc_status(status, trailers.get(GRPC_MESSAGE).or_else(|| head.headers.get(GRPC_MESSAGE)))?;
                Ok(accepted(body.get(GRPC_PREFIX_BYTES..).unwrap_or_default()))
            }
        }
    }

    fn request(&self, batch: &[u8]) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let request = Request::builder().method(Method::POST).uri(self.uri.clone());
        let request = request.header(USER_AGENT, concat!("thingcall/", env!("CARGO_PKG_VERSION")));
        let request = self.headers.iter().fold(request, |request, (name, value)| request.header(name, value));
        match self.protocol {
            Protocol::Http => {
                request.header(CONTENT_TYPE, "application/x-protobuf").body(Full::new(Bytes::copy_from_slice(batch)))
            }
            Protocol::Grpc => {
                let mut body = BytesMut::with_capacity(batch.len() + GRPC_PREFIX_BYTES);
                body.put_u8(0);
                body.put_u32(u32::try_from(batch.len()).unwrap_or(u32::MAX));
                body.put_slice(batch);
                let request = request.header(CONTENT_TYPE, "application/grpc").header(TE, "trailers");
                request.body(Full::new(body.freeze()))
            }
        }
    }
}

const GRPC_STATUS: &str = "grpc-status";
const GRPC_MESSAGE: &str = "grpc-message";

/// What a collector says of a batch that it took. What cannot be read says nothing.
fn accepted(body: &[u8]) -> Accepted {
    let said = ExportTraceServiceResponse::decode(body).unwrap_or_default().partial_success.unwrap_or_default();
    Accepted { rejected: usize::try_from(said.rejected_spans).unwrap_or(0), said: said.error_message }
}

/// Which answers may be other ones later: as OTLP's specification lists them.
fn again(status: StatusCode, headers: &HeaderMap) -> Again {
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => pause(headers).map_or(Again::Later, Again::After),
        _ => Again::Never,
    }
}

fn grpc_status(status: Option<&HeaderValue>, message: Option<&HeaderValue>) -> Result<(), NotTaken> {
    let status = status.and_then(|status| status.to_str().ok()).unwrap_or("missing");
    if status == "0" {
        return Ok(());
    }
    let message = message.map(|message| PeerText::of_bytes(message.as_bytes()).to_string()).unwrap_or_default();
    let why = format!("gRPC status {status}: {message}");
    match status {
        // Cancelled, deadline exceeded, resource exhausted, aborted, out of range, unavailable, data loss.
        "1" | "4" | "8" | "10" | "11" | "14" | "15" => Err(later(why)),
        _ => Err(never(why)),
    }
}

fn later(why: String) -> NotTaken {
    NotTaken { why, again: Again::Later }
}

fn never(why: String) -> NotTaken {
    NotTaken { why, again: Again::Never }
}

/// The seconds of `retry-after`. A date there is left unread.
fn pause(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(RETRY_AFTER_MAX))
}

/// An error and what is behind it: the outermost one says little.
fn causes(error: &dyn std::error::Error) -> String {
    let behind = std::iter::successors(error.source(), |error| error.source());
    behind.fold(error.to_string(), |all, cause| format!("{all}: {cause}"))
}
