//! The application: the official SDKs for the API, in one long-lived Python process.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};

use serde_json::{Value, json};

use crate::json_lines::Script;
use crate::wait::TIMEOUT;

/// Which of the SDKs calls, and how it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sdk {
    /// `alibabacloud-iot20180120`: ACS3-HMAC-SHA256.
    Tea,
    /// The same, told to sign by RPC V1.
    TeaV1,
    /// `aliyun-python-sdk-iot`: RPC V1, asking for JSON.
    Legacy,
    /// The same, asking for XML; the answer is its text.
    LegacyXml,
    /// The composer of `aliyun-python-sdk-core`: signs, sends nothing; the answer is the path and query.
    SignOnly,
}

impl Sdk {
    const fn word(self) -> &'static str {
        match self {
            Self::Tea => "tea",
            Self::TeaV1 => "tea-v1",
            Self::Legacy => "legacy",
            Self::LegacyXml => "legacy-xml",
            Self::SignOnly => "sign-only",
        }
    }
}

/// An access key as an application has it.
#[derive(Debug, Clone)]
pub struct Key {
    /// AccessKeyId.
    pub id: String,
    /// AccessKeySecret.
    pub secret: String,
    /// The STS token that goes with it.
    pub token: Option<String>,
}

/// Who asks whom, and how.
#[derive(Debug, Clone, Copy)]
pub struct Caller<'a> {
    /// Where the API listens.
    pub endpoint: SocketAddr,
    /// The key to sign with.
    pub key: &'a Key,
    /// The SDK.
    pub sdk: Sdk,
}

/// The process; there is one for all tests, since importing the SDKs takes its time.
#[derive(Debug)]
pub struct App {
    script: Arc<Script>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
    seq: AtomicU64,
}

impl App {
    /// The one application.
    pub fn get() -> &'static Self {
        static APP: OnceLock<App> = OnceLock::new();
        APP.get_or_init(Self::start)
    }

    fn start() -> Self {
        let script = Arc::new(Script::start("application", "app.py", &json!({})));
        let waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>> = Arc::default();
        let (reader, asked) = (script.clone(), waiting.clone());
        std::thread::spawn(move || {
            while let Some(answer) = reader.forever() {
                let seq = answer.get("seq").and_then(Value::as_u64).unwrap_or_default();
                if let Some(sender) = asked.lock().expect("no reader panicked").remove(&seq) {
                    // Whoever asked may have given up.
                    let _unread = sender.send(answer);
                }
            }
        });
        Self { script, waiting, seq: AtomicU64::new(1) }
    }

    /// Begins a request; other requests may run meanwhile.
    pub fn begin(&self, caller: &Caller<'_>, action: &str, params: &Value) -> Waiting {
        let Caller { endpoint, key, sdk } = caller;
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        self.waiting.lock().expect("no asker panicked").insert(seq, sender);
        self.script.send(&json!({
            "seq": seq, "sdk": sdk.word(), "endpoint": endpoint.to_string(), "action": action, "params": params,
            "key": key.id, "secret": key.secret, "token": key.token,
        }));
        Waiting { answer, what: format!("{action} {params}") }
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Waiting {
    answer: Receiver<Value>,
    what: String,
}

impl Waiting {
    /// What the SDK gave its application.
    ///
    /// # Panics
    /// If there is no answer in time.
    pub fn answer(self) -> Answer {
        match self.answer.recv_timeout(TIMEOUT) {
            Ok(value) => Answer(value),
            Err(_) => panic!("no answer within {TIMEOUT:?} to {}\n{}", self.what, App::get().script.log()),
        }
    }
}

/// What the SDK gave its application: a body, a text, or an exception.
#[derive(Debug, Clone)]
pub struct Answer(Value);

impl Answer {
    /// The same from what came without an SDK.
    pub(crate) fn of(got: Value) -> Self {
        Self(got)
    }

    /// The body's member at this path, such as `Data.Result`; null if there is none.
    ///
    /// # Panics
    /// If the SDK raised an exception.
    pub fn at(&self, path: &str) -> &Value {
        let body = self.0.get("body").unwrap_or_else(|| panic!("an exception, not a body: {}", self.0));
        path.split('.').fold(body, |value, name| value.get(name).unwrap_or(&Value::Null))
    }

    /// The text at this path; empty if there is none.
    pub fn text_at(&self, path: &str) -> &str {
        self.at(path).as_str().unwrap_or_default()
    }

    /// Whether it is `Success=true`.
    pub fn succeeded(&self) -> bool {
        self.at("Success").as_bool() == Some(true)
    }

    /// The same answer, which must be `Success=true`.
    ///
    /// # Panics
    /// If it is not.
    pub fn ok(self) -> Self {
        assert!(self.succeeded(), "not a success: {}", self.0);
        self
    }

    /// The code and the words of a service failure.
    ///
    /// # Panics
    /// If it is a success or an exception.
    pub fn failure(&self) -> (&str, &str) {
        assert!(!self.succeeded(), "a success: {}", self.0);
        (self.text_at("Code"), self.text_at("ErrorMessage"))
    }

    /// `Data.Result`, read as the JSON that it holds as text.
    ///
    /// # Panics
    /// If there is none.
    pub fn result(&self) -> Value {
        let text = self.text_at("Data.Result");
        serde_json::from_str(text).unwrap_or_else(|error| panic!("Result is {text:?}: {error}: {}", self.0))
    }

    /// `Data.MessageId`.
    ///
    /// # Panics
    /// If there is none.
    pub fn message_id(&self) -> String {
        let id = self.text_at("Data.MessageId");
        assert!(!id.is_empty(), "no MessageId: {}", self.0);
        id.to_owned()
    }

    /// An answer that is text: XML, or a signed path.
    ///
    /// # Panics
    /// If it is none.
    pub fn text(&self) -> &str {
        self.0.get("text").and_then(Value::as_str).unwrap_or_else(|| panic!("no text: {}", self.0))
    }

    /// Whether the SDK raised an exception.
    pub fn has_raised(&self) -> bool {
        self.0.get("raised").is_some()
    }

    /// The exception's code, message and HTTP status.
    ///
    /// # Panics
    /// If there was none.
    pub fn raised(&self) -> (&str, &str, u64) {
        let raised = self.0.get("raised").unwrap_or_else(|| panic!("no exception: {}", self.0));
        let text = |name| raised.get(name).and_then(Value::as_str).unwrap_or_default();
        (text("code"), text("message"), raised.get("status").and_then(Value::as_u64).unwrap_or_default())
    }
}
