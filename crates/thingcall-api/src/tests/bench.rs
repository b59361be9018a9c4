//! A running front, and a caller that writes and reads bytes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use prometheus::{Registry, TextEncoder};
use thingcall_core::testing::{MemoryLog, MemorySubscriptions};
use thingcall_core::{
    AccessKey, Answer, AuditLog, BroadcastOrder, CallError, CallId, CallMode, Consumers, Consumption, DeviceRef,
    FleetCalls, FleetLimits, GroupId, Keys, OnceTokens, Outcome, ReplyBody, Request, Secret, SubscriptionLimits,
    UnixMillis,
};
use thingcall_engine::Invoked;
use thingcall_listen::Serving;
use thingcall_tsl::Directory;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::directory::MemoryDirectory;
use crate::app::AppParts;
use crate::calls::Calls;
use crate::config::Config;
use crate::fleets::Fleets;
use crate::server::Front;
use crate::shared::SharedParts;
use crate::sign::{self, Signer};
use crate::subscribing::Subscribing;

/// What the fake engine does with a call.
pub(super) type Script = Box<dyn Fn(&Request) -> Option<Result<Answer, CallError>> + Send + Sync>;

/// An engine that follows a script: an answer, or silence for ever.
pub(super) struct FakeEngine {
    script: Script,
    pub(super) requests: Mutex<Vec<Request>>,
    pub(super) broadcasts: Mutex<Vec<BroadcastOrder>>,
    pub(super) refused: Mutex<Vec<Outcome>>,
    /// No device is there.
    pub(super) nobody: AtomicBool,
    pub(super) told: Mutex<Vec<(thingcall_core::Failure, bool)>>,
    started: mpsc::UnboundedSender<()>,
    dropped: mpsc::UnboundedSender<()>,
}

/// Says when it is dropped.
struct Watch(mpsc::UnboundedSender<()>);

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.send(()).ok();
    }
}

#[async_trait]
impl Calls for FakeEngine {
    async fn invoke(&self, request: Request) -> Result<Invoked, CallError> {
        let _watch = Watch(self.dropped.clone());
        let scripted = (self.script)(&request);
        self.requests.lock().unwrap().push(request);
        self.started.send(()).unwrap();
        match scripted {
            Some(result) => result.map(|answer| {
                let mode = if answer == Answer::Accepted { CallMode::Async } else { CallMode::Sync };
                let said = (mode == CallMode::Sync).then(|| bytes::Bytes::from_static(b"pong"));
                let reached_nobody = self.nobody.load(Ordering::Relaxed);
                Invoked { id: CallId::from_u32(100_686), mode, answer, said, reached_nobody }
            }),
            None => std::future::pending().await,
        }
    }

    async fn look_over(&self, request: &Request) -> Result<(), CallError> {
        match &request.target {
            DeviceRef::Key(key) if key.name.as_str() == "nobody" => Err(CallError::UnknownDevice(key.to_string())),
            DeviceRef::Key(_) | DeviceRef::IotId(_) => Ok(()),
        }
    }

    async fn broadcast(&self, order: BroadcastOrder) -> Result<CallId, CallError> {
        if order.product.as_str() != "a1BwAGVxxxx" {
            return Err(CallError::UnknownProduct(order.product.to_string()));
        }
        self.broadcasts.lock().unwrap().push(order);
        Ok(CallId::from_u32(100_687))
    }

    fn reply_timeout(&self) -> Duration {
        Duration::from_secs(8)
    }

    fn count_refused(&self, outcome: Outcome) {
        self.refused.lock().unwrap().push(outcome);
    }

    fn refused(&self, failure: thingcall_core::Failure, signed: bool) {
        self.told.lock().unwrap().push((failure, signed));
    }

    fn authenticated(&self, _: Duration) {}
}

/// The consumers of every group.
struct Connected(Consumption);

#[async_trait]
impl Consumers for Connected {
    async fn of(&self, _: &GroupId) -> Consumption {
        self.0.clone()
    }
}

struct Keyring(Vec<Arc<AccessKey>>);

impl Keys for Keyring {
    fn key(&self, id: &str) -> Option<Arc<AccessKey>> {
        self.0.iter().find(|key| key.id == id).cloned()
    }
}

/// The key all captures were made with.
pub(super) fn testid() -> AccessKey {
    AccessKey {
        id: "testid".to_owned(),
        secret: Secret::new("testsecret"),
        account: "account".to_owned(),
        enabled: true,
        security_token: None,
        result: None,
        allow: None,
        temporary: None,
    }
}

/// Signs as [`testid`].
pub(super) fn signer() -> Signer {
    Signer { key_id: "testid".to_owned(), secret: Secret::new("testsecret"), security_token: None }
}

/// When the captures were made.
pub(super) fn capture_time() -> UnixMillis {
    UnixMillis("2026-11-22T22:27:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond())
}

/// A reply of this code and data.
pub(super) fn replied(code: i64, data: &str) -> Answer {
    Answer::Replied(ReplyBody { code, message: None, data: data.to_owned() })
}

/// What a front is made of.
pub(super) struct Setup {
    pub(super) config: Config,
    pub(super) keys: Vec<AccessKey>,
    pub(super) tokens: Option<Arc<dyn OnceTokens>>,
    pub(super) script: Script,
    pub(super) now: fn() -> UnixMillis,
    pub(super) shared: SharedParts,
    pub(super) consumption: Consumption,
    /// Whether anybody keeps groups and subscriptions.
    pub(super) keeps: bool,
    pub(super) fleets: Option<Arc<dyn FleetCalls>>,
    /// Who keeps what was changed.
    pub(super) audit: Arc<dyn AuditLog>,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            config: Config::default(),
            keys: vec![testid()],
            tokens: None,
            script: Box::new(|_| Some(Ok(replied(200, "{}")))),
            now: capture_time,
            shared: SharedParts::default(),
            consumption: Consumption::default(),
            keeps: true,
            fleets: None,
            audit: Arc::new(thingcall_core::NoAuditLog),
        }
    }
}

/// A running front.
pub(super) struct Server {
    pub(super) address: std::net::SocketAddr,
    pub(super) engine: Arc<FakeEngine>,
    pub(super) directory: Arc<MemoryDirectory>,
    pub(super) log: Arc<MemoryLog>,
    pub(super) calls_started: mpsc::UnboundedReceiver<()>,
    pub(super) calls_dropped: mpsc::UnboundedReceiver<()>,
    pub(super) serving: Serving,
    registry: Registry,
}

impl Setup {
    pub(super) async fn start(self) -> Server {
        let (started, calls_started) = mpsc::unbounded_channel();
        let (dropped, calls_dropped) = mpsc::unbounded_channel();
        let engine = Arc::new(FakeEngine {
            script: self.script,
            requests: Mutex::default(),
            broadcasts: Mutex::default(),
            refused: Mutex::default(),
            nobody: AtomicBool::default(),
            told: Mutex::default(),
            started,
            dropped,
        });
        let directory = Arc::new(MemoryDirectory::with_lights());
        let keys = Arc::new(Keyring(self.keys.into_iter().map(Arc::new).collect()));
        // It began a while before, so that requests may be older than it is.
        let (began, now) = (AtomicBool::new(false), self.now);
        let clock = move || if began.swap(true, Ordering::Relaxed) { now() } else { UnixMillis(now().0 - 900_000) };
        let registry = Registry::new();
        let (calls, clock) = (engine.clone(), Arc::new(clock));
        let log = Arc::new(MemoryLog::default());
        let products = directory.products().into_iter().map(|product| product.key.clone());
        let subscriptions = MemorySubscriptions::new(log.clone(), SubscriptionLimits::default(), products);
        let subscribing = Subscribing {
            subscriptions: Arc::new(subscriptions),
            log: log.clone(),
            consumers: Arc::new(Connected(self.consumption)),
        };
        let shared = self.shared;
        let parts = AppParts {
            calls,
            directory: directory.clone(),
            subscribing: self.keeps.then_some(subscribing),
            fleets: self.fleets.map(|calls| Fleets {
                calls,
                limits: FleetLimits { calls_max: 100, devices_max: 100 },
                calls_per_second_max: 1000,
                args_bytes_max: 1000,
            }),
            registrar: None,
            records: Arc::new(thingcall_core::NoRecords),
            keys,
            tokens: self.tokens,
            audit: self.audit,
            tracer: None,
            clock,
            shared,
        };
        let front = Front::assemble(self.config, parts, &registry).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = front.serve(listener);
        Server { address, engine, directory, log, calls_started, calls_dropped, serving, registry }
    }
}

impl Server {
    /// Sends bytes on a new connection and reads one answer.
    pub(super) async fn send(&self, bytes: impl AsRef<[u8]>) -> Received {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        receive(&mut stream).await.unwrap()
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Sends bytes on a new connection and reads the answer's status, whatever comes behind it.
    pub(super) async fn status_of(&self, bytes: &str) -> u16 {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_bytes()).await.unwrap();
        let mut line = [0; 12];
        stream.read_exact(&mut line).await.unwrap();
        String::from_utf8_lossy(&line[9..]).parse().unwrap()
    }

    /// Makes a V1 request in the query.
    pub(super) async fn v1(&self, action: &str, params: &[(&str, &str)]) -> Received {
        self.send(post(&sign::v1_request("POST", action, params, &signer(), capture_time()))).await
    }

    /// Makes an ACS3 request.
    pub(super) async fn acs3(&self, action: &str, params: &[(&str, &str)]) -> Received {
        self.send(acs3(action, params, &signer())).await
    }

    /// The metrics as they are scraped.
    pub(super) fn metrics(&self) -> String {
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap()
    }
}

/// A POST with everything in the query.
pub(super) fn post(query: &str) -> String {
    format!("POST /?{query} HTTP/1.1\r\nHost: here\r\nContent-Length: 0\r\n\r\n")
}

/// A request with a signed head.
pub(super) fn acs3(action: &str, params: &[(&str, &str)], signer: &Signer) -> String {
    let signed = sign::acs3_request("here", action, params, signer, capture_time());
    let headers: String = signed.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("POST /?{} HTTP/1.1\r\n{headers}Content-Length: 0\r\n\r\n", signed.query)
}

/// An answer off the wire.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) head: String,
    pub(super) body: String,
}

impl Received {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (other, value) = line.split_once(':')?;
            other.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    pub(super) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The member `Code`, of JSON or XML.
    pub(super) fn code(&self) -> String {
        if self.body.starts_with('<') {
            let start = self.body.split_once("<Code>").map(|(_, rest)| rest);
            return start
                .and_then(|rest| rest.split_once("</Code>"))
                .map(|(code, _)| code.to_owned())
                .unwrap_or_default();
        }
        self.json()["Code"].as_str().unwrap_or_default().to_owned()
    }

    /// The body with its request id blotted out, after a look at it.
    pub(super) fn golden(&self) -> String {
        let at = self.body.find(|c: char| c.is_ascii_hexdigit()).unwrap();
        let ids: Vec<_> = (at..self.body.len().saturating_sub(35))
            .filter(|i| self.body.get(*i..i + 36).is_some_and(is_request_id))
            .collect();
        assert_eq!(ids.len(), 1, "one upper-case request id: {}", self.body);
        self.body.replace(&self.body[ids[0]..ids[0] + 36], "[id]")
    }
}

fn is_request_id(text: &str) -> bool {
    let dashes = [8, 13, 18, 23];
    text.char_indices().all(
        |(i, c)| {
            if dashes.contains(&i) { c == '-' } else { c.is_ascii_digit() || ('A'..='F').contains(&c) }
        },
    )
}

/// What must happen without anybody's help; fails the test if it does not.
pub(super) async fn soon<T>(event: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(10), event).await.expect("it happens soon")
}

/// Reads one answer with a length; `None` if the connection ends first.
pub(super) async fn receive(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes.drain(..end + 4).collect()).unwrap();
    let mut received = Received { status: head[9..12].parse().unwrap(), head, body: String::new() };
    let length: usize = received.header("content-length").unwrap_or("0").parse().unwrap();
    while bytes.len() < length {
        if stream.read_buf(&mut bytes).await.unwrap_or(0) == 0 {
            break;
        }
    }
    received.body = String::from_utf8(bytes).unwrap();
    Some(received)
}
