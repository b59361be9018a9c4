//! The application: the official SDKs for the API, in a long-lived process for those of each language.

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
    /// `@alicloud/iot20180120` for Node: ACS3-HMAC-SHA256.
    Ts,
    /// `@alicloud/pop-core` for Node, which sends everything in the URL.
    PopGet,
    /// The same, which sends everything as a form.
    PopPost,
    /// The composer of `aliyun-python-sdk-core`: signs, sends nothing; the answer is the path and query.
    SignOnly,
    /// `alibabacloud-iot20180120`, which sends nothing: the answer's body has the parameters of its model of the request, each
    /// with `list`, `int`, `bool` or `str`.
    Parameters,
}

impl Sdk {
    const fn word(self) -> &'static str {
        match self {
            Self::Tea => "tea",
            Self::TeaV1 => "tea-v1",
            Self::Legacy => "legacy",
            Self::LegacyXml => "legacy-xml",
            Self::Ts => "ts",
            Self::PopGet => "pop-get",
            Self::PopPost => "pop-post",
            Self::SignOnly => "sign-only",
            Self::Parameters => "parameters",
        }
    }

    /// The process that has it.
    const fn language(self) -> Language {
        match self {
            Self::Tea | Self::TeaV1 | Self::Legacy | Self::LegacyXml | Self::SignOnly | Self::Parameters => {
                Language::Python
            }
            Self::Ts | Self::PopGet | Self::PopPost => Language::Node,
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

/// What SDKs are written in.
#[derive(Debug, Clone, Copy)]
enum Language {
    Python,
    Node,
}

impl Language {
    fn start(self) -> Script {
        match self {
            Self::Python => Script::start("application", "app.py", &json!({})),
            Self::Node => Script::start_node("application-in-node", "app.js", &json!({})),
        }
    }
}

/// The application; there is one for all tests, since importing the SDKs takes its time.
#[derive(Debug)]
pub struct App {
    python: OnceLock<Sdks>,
    node: OnceLock<Sdks>,
}

/// The process with the SDKs of a language.
#[derive(Debug)]
struct Sdks {
    script: Arc<Script>,
    waiting: Arc<Mutex<HashMap<u64, Sender<Value>>>>,
    seq: AtomicU64,
}

impl App {
    /// The one application.
    pub fn get() -> &'static Self {
        static APP: App = App { python: OnceLock::new(), node: OnceLock::new() };
        &APP
    }

    fn of(&self, language: Language) -> &Sdks {
        let sdks = match language {
            Language::Python => &self.python,
            Language::Node => &self.node,
        };
        sdks.get_or_init(|| Sdks::start(language))
    }

    /// Begins a request; other requests may run meanwhile.
    pub fn begin(&self, caller: &Caller<'_>, action: &str, params: &Value) -> Waiting {
        self.of(caller.sdk.language()).begin(caller, action, params)
    }
}

impl Sdks {
    fn start(language: Language) -> Self {
        let script = Arc::new(language.start());
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

    fn begin(&self, caller: &Caller<'_>, action: &str, params: &Value) -> Waiting {
        let Caller { endpoint, key, sdk } = caller;
        let seq = self.seq.fetch_add(1, Ordering::Relaxed);
        let (sender, answer) = channel();
        self.waiting.lock().expect("no asker panicked").insert(seq, sender);
        self.script.send(&json!({
            "seq": seq, "sdk": sdk.word(), "endpoint": endpoint.to_string(), "action": action, "params": params,
            "key": key.id, "secret": key.secret, "token": key.token,
        }));
        Waiting { answer, what: format!("{action} {params}"), script: self.script.clone() }
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Waiting {
    answer: Receiver<Value>,
    what: String,
    script: Arc<Script>,
}

impl Waiting {
    /// What the SDK gave its application.
    ///
    /// # Panics
    /// If there is no answer in time.
    pub fn answer(self) -> Answer {
        match self.answer.recv_timeout(TIMEOUT) {
            Ok(value) => Answer(value),
            Err(_) => panic!("no answer within {TIMEOUT:?} to {}\n{}", self.what, self.script.log()),
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
        path.split('.').fold(self.body(), |value, name| value.get(name).unwrap_or(&Value::Null))
    }

    /// The members, by their paths, that the SDK's models have and the answer has not. Of [`Sdk::Tea`] and [`Sdk::TeaV1`].
    ///
    /// # Panics
    /// If the SDK does not say so.
    pub fn missing(&self) -> Vec<&str> {
        self.paths("missing")
    }

    /// The members, by their paths, that the answer has and no model reads. Of [`Sdk::Tea`] and [`Sdk::TeaV1`].
    ///
    /// # Panics
    /// If the SDK does not say so.
    pub fn unread(&self) -> Vec<&str> {
        self.paths("unread")
    }

    fn paths(&self, kind: &str) -> Vec<&str> {
        let all = self.0.get(kind).and_then(Value::as_array);
        all.unwrap_or_else(|| panic!("nothing {kind} is told: {}", self.0)).iter().filter_map(Value::as_str).collect()
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

    /// Whether the answer is text.
    pub fn is_text(&self) -> bool {
        self.0.get("text").is_some()
    }

    /// The elements of an answer that is XML: a text, or an object with a list for each name.
    ///
    /// # Panics
    /// If it is none.
    pub fn elements(&self) -> &Value {
        self.0.get("elements").unwrap_or_else(|| panic!("no elements: {}", self.0))
    }

    /// The whole body.
    ///
    /// # Panics
    /// If the SDK raised an exception.
    pub fn body(&self) -> &Value {
        self.0.get("body").unwrap_or_else(|| panic!("an exception, not a body: {}", self.0))
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
