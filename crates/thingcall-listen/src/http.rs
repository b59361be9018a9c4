//! HTTP/1.1 behind a door.
//!
//! **Invariant:** a connection's future owns everything that is done for it; when the caller hangs up, the library drops
//! the request's future and with it what it does. Every request gets an answer with a body, also one that cannot be
//! read. A drain lets running requests end.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::budget::Budget;
use crate::caller::Caller;
use crate::door::{Door, Place};
use crate::figures::{Cut, Figures};
use crate::socket::{Ended, Socket};
use crate::tls::{Greeted, Shown, Stream, greet};

/// The longest time for a TLS handshake.
const HANDSHAKE_MAX: Duration = Duration::from_secs(10);

/// What connections may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How many are open at once.
    pub connections_max: usize,
    /// The largest request line and headers together; at least 8 KiB.
    pub head_bytes_max: usize,
    /// How long a head may take, and how long a connection may idle between two requests.
    pub head_timeout: Duration,
    /// How long a caller may take to read an answer.
    pub write_timeout: Duration,
    /// What all requests together may hold before they are vouched for, beside some KiB for each connection.
    pub unauthenticated_bytes_max: usize,
}

/// Answers requests.
pub trait Serve: Send + Sync + 'static {
    /// The body of answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static;

    /// Answers a request. A service without a body for a status of 400, 414 or 431 is not heard.
    fn answer(
        self: Arc<Self>,
        request: Request<Incoming>,
        caller: Caller,
    ) -> impl Future<Output = Response<Self::Body>> + Send;

    /// Answers what could not be read as a request; the connection ends with it.
    fn refuse(&self, unread: &Unread<'_>) -> Response<Full<Bytes>>;
}

/// What could not be read as a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unread<'a> {
    /// Its target is longer than the HTTP library takes.
    TargetTooLong {
        /// What was sent.
        head: &'a [u8],
    },
    /// Its line and headers are larger than may be.
    HeadTooLarge {
        /// What was sent, as far as it was read.
        head: &'a [u8],
        /// The limit.
        max: usize,
    },
    /// It has more headers than the HTTP library reads.
    TooManyHeaders {
        /// What was sent, as far as it was read.
        head: &'a [u8],
    },
    /// It is no HTTP/1.1.
    Malformed {
        /// What was sent, as far as it was read.
        head: &'a [u8],
    },
    /// Its head did not come in time.
    Slow {
        /// What was sent.
        head: &'a [u8],
        /// The limit.
        within: Duration,
    },
    /// Requests that nobody has vouched for hold all they may.
    NoBytesLeft {
        /// What was sent, as far as it was read.
        head: &'a [u8],
        /// The limit.
        max: usize,
    },
}

impl<'a> Unread<'a> {
    /// The longest path and query that the HTTP library reads.
    pub const TARGET_BYTES_MAX: usize = 65_534;
    /// The most headers that it reads.
    pub const HEADERS_MAX: usize = 100;

    /// What was sent, as far as it was read.
    pub const fn head(&self) -> &'a [u8] {
        match self {
            Self::TargetTooLong { head }
            | Self::HeadTooLarge { head, .. }
            | Self::TooManyHeaders { head }
            | Self::Malformed { head }
            | Self::Slow { head, .. }
            | Self::NoBytesLeft { head, .. } => head,
        }
    }

    /// The HTTP status.
    pub const fn status(&self) -> StatusCode {
        match self {
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::Malformed { .. } => StatusCode::BAD_REQUEST,
            Self::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NoBytesLeft { .. } => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    fn plain(&self) -> String {
        match self {
            Self::TargetTooLong { .. } => {
                format!("the path and query have more than {} bytes\n", Self::TARGET_BYTES_MAX)
            }
            Self::HeadTooLarge { max, .. } => format!("the request line and headers have more than {max} bytes\n"),
            Self::TooManyHeaders { .. } => format!("the request has more than {} headers\n", Self::HEADERS_MAX),
            Self::Malformed { .. } => "this is no HTTP/1.1 request\n".to_owned(),
            Self::Slow { within, .. } => format!("the request did not arrive within {within:?}\n"),
            Self::NoBytesLeft { max, .. } => format!("requests hold {max} bytes, which is all they may; ask again\n"),
        }
    }

    const fn cut(&self) -> Cut {
        match self {
            Self::Slow { .. } => Cut::SlowToSend,
            Self::NoBytesLeft { .. } => Cut::NoBytesLeft,
            Self::TargetTooLong { .. }
            | Self::HeadTooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::Malformed { .. } => Cut::Unreadable,
        }
    }
}

/// A service that knows nothing of callers: its requests carry the [`Caller`] as an extension, and one without a body is
/// vouched for at once. Refusals are plain text.
#[derive(Debug, Clone)]
pub struct Plain<S>(pub S);

impl<S, B> Serve for Plain<S>
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send> + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn std::error::Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;

    async fn answer(self: Arc<Self>, mut request: Request<Incoming>, caller: Caller) -> Response<B> {
        if request.body().is_end_stream() {
            caller.vouched();
        }
        request.extensions_mut().insert(caller);
        let Ok(answer) = self.0.call(request).await;
        answer
    }

    fn refuse(&self, unread: &Unread<'_>) -> Response<Full<Bytes>> {
        let mut answer = Response::new(Full::new(Bytes::from(unread.plain())));
        *answer.status_mut() = unread.status();
        answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        answer
    }
}

/// What all connections of a listener share.
struct Listener<S> {
    http: http1::Builder,
    limits: Limits,
    budget: Arc<Budget>,
    figures: Figures,
    serve: Arc<S>,
    tls: Option<Arc<Shown>>,
    draining: CancellationToken,
}

/// Serves until `draining` is cancelled; then takes no new connections, closes idle ones, and returns when the running
/// requests have their answers. Dropping the future cuts all connections.
pub(crate) async fn run<S: Serve>(
    listener: TcpListener,
    limits: Limits,
    figures: Figures,
    (serve, tls): (Arc<S>, Option<Arc<Shown>>),
    draining: CancellationToken,
) {
    let shared = Arc::new(Listener {
        http: builder(&limits),
        limits,
        budget: Budget::new(limits.unauthenticated_bytes_max, figures.unauthenticated.clone()),
        figures: figures.clone(),
        serve,
        tls,
        draining,
    });
    let mut door = Door::new(listener, limits.connections_max, figures);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, peer, place) = door.next() => {
                connections.spawn(shared.clone().converse(stream, (place, peer)));
            }
            () = shared.draining.cancelled() => break,
            Some(_) = connections.join_next() => {}
        }
    }
    drop(door);
    while connections.join_next().await.is_some() {}
}

fn builder(limits: &Limits) -> http1::Builder {
    let head_bytes_max = limits.head_bytes_max.max(8192);
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(head_bytes_max)
        .max_header_size(head_bytes_max)
        // One SDK looks for `Content-Type`, written so and not otherwise.
        .title_case_headers(true)
        .writev(false);
    http
}

impl<S: Serve> Listener<S> {
    /// Serves one connection until the caller closes it, until another needs its place or, draining, until its request
    /// has its answer.
    async fn converse(self: Arc<Self>, stream: TcpStream, whose: (Place, SocketAddr)) {
        // Kept until the socket is closed, since the place counts its descriptor.
        let caller = Caller::new(whose, self.budget.clone(), self.draining.clone());
        let Some(stream) = self.greeted(stream, &caller).await else { return };
        let socket = Socket::new(stream, caller.clone(), self.limits.write_timeout);
        let service = service_fn(|request| {
            caller.begins();
            let (serve, caller) = (self.serve.clone(), caller.clone());
            async move {
                let answer = serve.answer(request, caller.clone()).await;
                caller.answered();
                Ok::<_, Infallible>(answer)
            }
        });
        let mut connection = self.http.serve_connection(TokioIo::new(socket), service);
        let ended = tokio::select! {
            ended = &mut connection => ended,
            () = caller.place().must_leave() => return,
            () = self.draining.cancelled() => {
                std::pin::Pin::new(&mut connection).graceful_shutdown();
                tokio::select! {
                    ended = &mut connection => ended,
                    () = caller.place().must_leave() => return,
                }
            }
        };
        if let Err(error) = &ended {
            debug!(listener = self.figures.name, %error, "connection ended");
        }
        let http1::Parts { io, read_buf, .. } = connection.into_parts();
        self.end(io.into_inner(), &caller, ended.err(), &read_buf).await;
    }

    /// The connection's bytes, with TLS where that is spoken here; `None` where it ends.
    async fn greeted(&self, stream: TcpStream, caller: &Caller) -> Option<Stream> {
        let Some(shown) = self.tls.as_deref() else { return Some(Stream::Plain(stream)) };
        let within = self.limits.head_timeout.min(HANDSHAKE_MAX);
        let greeted = tokio::select! {
            greeted = Box::pin(greet(stream, shown, within)) => greeted,
            () = caller.place().must_leave() => return None,
            () = self.draining.cancelled() => return None,
        };
        match greeted {
            Greeted::Right(stream) => Some(stream),
            Greeted::Failed(error) => {
                debug!(listener = self.figures.name, %error, "no TLS handshake");
                self.figures.cut(Cut::NoHandshake);
                None
            }
            Greeted::Plain(stream) => {
                self.figures.cut(Cut::WithoutTls);
                let socket = Socket::new(stream, caller.clone(), self.limits.write_timeout);
                self.say(socket.for_an_answer(), without_tls()).await;
                None
            }
        }
    }

    /// Tells the caller why its connection ends, where there is something to tell.
    async fn end(&self, socket: Socket, caller: &Caller, error: Option<hyper::Error>, head: &[u8]) {
        if socket.ended() == Some(Ended::SlowToRead) {
            self.figures.cut(Cut::SlowToRead);
            return;
        }
        if let Some(unread) = self.unread(&socket, error, head) {
            self.figures.cut(unread.cut());
            let answer = self.serve.refuse(&unread);
            self.say(socket.for_an_answer(), answer).await;
        } else if caller.is_cut_short() {
            if caller.over_budget() {
                self.figures.cut(Cut::NoBytesLeft);
            }
            socket.linger().await;
        }
    }

    fn unread<'a>(&self, socket: &Socket, error: Option<hyper::Error>, head: &'a [u8]) -> Option<Unread<'a>> {
        if socket.ended() == Some(Ended::NoBytesLeft) {
            return Some(Unread::NoBytesLeft { head, max: self.budget.max() });
        }
        match socket.withheld() {
            Some(StatusCode::URI_TOO_LONG) => return Some(Unread::TargetTooLong { head }),
            Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) if header_lines(head) > Unread::HEADERS_MAX => {
                return Some(Unread::TooManyHeaders { head });
            }
            Some(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE) => {
                return Some(Unread::HeadTooLarge { head, max: self.limits.head_bytes_max });
            }
            Some(_) => return Some(Unread::Malformed { head }),
            None => {}
        }
        let error = error?;
        if error.is_timeout() && !head.is_empty() {
            return Some(Unread::Slow { head, within: self.limits.head_timeout });
        }
        error.is_parse().then_some(Unread::Malformed { head })
    }

    /// Writes an answer as the last one of its connection.
    async fn say(&self, socket: Socket, answer: Response<Full<Bytes>>) {
        let service = service_fn(move |_| std::future::ready(Ok::<_, Infallible>(answer.clone())));
        let mut connection = self.http.serve_connection(TokioIo::new(socket), service);
        if (&mut connection).await.is_ok() {
            connection.into_parts().io.into_inner().linger().await;
        }
    }
}

/// What is said to one who speaks HTTP where TLS is spoken.
fn without_tls() -> Response<Full<Bytes>> {
    let text = "this listener speaks https: the same address with https:// in place of http://\n";
    let mut answer = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *answer.status_mut() = StatusCode::BAD_REQUEST;
    answer.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    answer
}

/// How many lines a head has behind its first one, as far as they are whole.
fn header_lines(head: &[u8]) -> usize {
    let lines = head.trim_ascii_start().split_inclusive(|byte| *byte == b'\n').skip(1);
    lines.take_while(|line| line.ends_with(b"\n") && !line.trim_ascii().is_empty()).count()
}
