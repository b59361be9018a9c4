//! One request to a target.
//!
//! **Invariants:** a request that is over its time is gone, connection and all. An answer's status says whether the target has
//! taken a message; of what follows no more is read than this holds, and not for long.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::header::{CONTENT_TYPE, HeaderMap, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request, StatusCode, Uri};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use thingcall_core::{Message, PeerText, Problem, Telling, TraceContext, Tracer, UnixMillis};
use thingcall_subscription::Envelope;
use tokio::time::timeout;

use crate::authorities::{authorities, nobody};
use crate::config::Config;
use crate::sign::SigningKeys;

/// How much of an answer is read: what stands behind it closes the connection.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// How long the rest of an answer is read, at most.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);
/// How long a connection is kept for the next message.
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);
/// What a target's own pause is held to.
const RETRY_AFTER_MAX: Duration = Duration::from_secs(60 * 60);

/// Sends messages to one target.
pub(crate) struct Poster {
    uri: Uri,
    keys: SigningKeys,
    timeout: Duration,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    /// Takes what is recorded of its requests.
    tracer: Option<Arc<dyn Tracer>>,
}

/// Why a target has not taken a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotTaken {
    /// For people.
    pub(crate) why: String,
    pub(crate) again: Again,
}

/// When it may be sent again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Again {
    Later,
    /// Not before, as the target said.
    After(Duration),
    /// The target says that it wants none any more.
    Never,
}

impl Poster {
    /// To this target.
    ///
    /// # Errors
    /// What is wrong with its address or its files.
    pub(crate) fn new(config: &Config) -> Result<Self, Problem> {
        let uri = config.url.parse().map_err(|error| Problem::new("url", error, "an address without a fragment"))?;
        let tls = if config.url.starts_with("https") { authorities(config.ca_file())? } else { nobody()? };
        let mut http = HttpConnector::new();
        http.enforce_http(false);
        http.set_nodelay(true);
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(config.in_flight_requests_max.get())
            .build(connector.wrap_connector(http));
        Ok(Self { uri, keys: config.keys()?, timeout: config.timeout, client, tracer: None })
    }

    /// The same; what is recorded of its requests goes there.
    pub(crate) fn traced(self, tracer: Option<Arc<dyn Tracer>>) -> Self {
        Self { tracer, ..self }
    }

    /// Sends a message; returns when the target has taken it.
    pub(crate) async fn post(&self, message: &Message) -> Result<(), NotTaken> {
        let telling = message.words.trace.as_ref().map(|trace| Telling::begin(self.tracer.as_ref(), trace, "webhook"));
        let sent = self.send(message, telling.as_ref().map(Telling::context)).await;
        if let Some(telling) = telling {
            let error = sent.as_ref().err().map(|_| "not_taken".into());
            telling.done([("server.address", self.uri.host().unwrap_or_default().to_owned().into())], error);
        }
        sent
    }

    async fn send(&self, message: &Message, trace: Option<&TraceContext>) -> Result<(), NotTaken> {
        let request = self.request(message, trace).map_err(|error| later(error.to_string()))?;
        let answer = timeout(self.timeout, self.client.request(request)).await;
        let answer = answer.map_err(|_elapsed| later(format!("no answer within {:?}", self.timeout)))?;
        let (head, body) = answer.map_err(|error| later(causes(&error)))?.into_parts();
        // Read so that the connection can be used again. Where it is not read to its end, it is closed.
        let said = timeout(BODY_TIMEOUT, Limited::new(body, ANSWER_BYTES_MAX).collect()).await;
        let said = said.ok().and_then(Result::ok).map(|body| body.to_bytes()).unwrap_or_default();
        if head.status.is_success() {
            return Ok(());
        }
        let why = format!("{}: {}", head.status, PeerText::of_bytes(&said));
        let again = match head.status {
            StatusCode::GONE => Again::Never,
            _ => pause(&head.headers).map_or(Again::Later, Again::After),
        };
        Err(NotTaken { why, again })
    }

    fn request(
        &self,
        message: &Message,
        trace: Option<&TraceContext>,
    ) -> Result<Request<Full<Bytes>>, hyper::http::Error> {
        let (id, body) = (message.id.to_string(), Envelope::of(message).to_json());
        let seconds = UnixMillis::now().0.div_euclid(1000);
        let signature = self.keys.sign(&id, seconds, &body);
        let pairs = trace.into_iter().flat_map(TraceContext::pairs);
        pairs
            .fold(Request::builder(), |request, (name, value)| request.header(name, value))
            .method(Method::POST)
            .uri(self.uri.clone())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, concat!("thingcall/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", seconds.to_string())
            .header("webhook-signature", signature)
            .body(Full::new(body))
    }
}

fn later(why: String) -> NotTaken {
    NotTaken { why, again: Again::Later }
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
