//! A plugin on a bench: a table written in Rust, whose functions do what each test says and note what happens to them.
#![expect(unsafe_code, reason = "plays a plugin")]

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, LazyLock, Mutex};
use std::time::Duration;

use prometheus::Registry;
use thingcall_core::{Answer, CallError, CallMode};
use thingcall_plugin::abi::{self, Bytes, CallResult, E_INTERNAL, Forward, HostApi, OK, Out, Request, Token};

use crate::generation::{CreateError, Generation, Mapped};
use crate::host::HOST;
use crate::metrics::Metrics;
use crate::terms::{Execution, Fallback, Terms};
use crate::whose::Whose;

mod device;

pub(crate) use device::{FakeDevice, call, replied};

/// What happened to a plugin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Event {
    Begin(Token),
    Poll(Token),
    /// The operation's tag and status.
    Done(u64, i32),
    /// The call and the reason.
    End(Token, i32),
    Destroy,
}

type Begin = dyn Fn(&Arc<Script>, Token, &Request) -> Begun + Send + Sync;
type Poll = dyn Fn(&Arc<Script>, Token) + Send + Sync;
type Create = dyn Fn(&Arc<Script>, Token, *mut Out) -> i32 + Send + Sync;
type Translate = dyn Fn(&[u8], *mut Out) -> i32 + Send + Sync;
type Then = Box<dyn FnOnce(&Arc<Script>, &Told) + Send>;

/// What `begin` returns, and whether it sets a state.
pub(crate) struct Begun(pub(crate) i32, pub(crate) bool);

/// The usual: a state, so that `end` comes.
pub(crate) const BEGUN: Begun = Begun(OK, true);

/// What a plugin does.
pub(crate) struct Script {
    pub(crate) begin: Box<Begin>,
    pub(crate) poll: Box<Poll>,
    pub(crate) create: Box<Create>,
    pub(crate) translate: Box<Translate>,
    pub(crate) destroy: Box<dyn Fn() + Send + Sync>,
    pub(crate) events: Mutex<Vec<Event>>,
    pub(crate) happened: Condvar,
    pub(crate) token: AtomicU64,
}

/// An operation's end, copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) status: i32,
    pub(crate) code: i32,
    pub(crate) data: String,
    pub(crate) message: String,
}

static SCRIPTS: LazyLock<Mutex<HashMap<u64, Arc<Script>>>> = LazyLock::new(Mutex::default);
/// Instances, for as long as the process lives: most are never destroyed, and a checker of leaks looks for the host's.
static KEPT: Mutex<Vec<Arc<Script>>> = Mutex::new(Vec::new());
/// Their names in a crash, which nobody frees either.
static NAMED: Mutex<Vec<&'static Whose>> = Mutex::new(Vec::new());
static NEXT_SCRIPT: AtomicU64 = AtomicU64::new(1);

/// A plugin that begins its calls so.
pub(crate) fn script(begin: impl Fn(&Arc<Script>, Token, &Request) -> Begun + Send + Sync + 'static) -> Script {
    Script {
        begin: Box::new(begin),
        poll: Box::new(|_, _| {}),
        create: Box::new(|_, _, _| OK),
        translate: Box::new(|_, _| E_INTERNAL),
        destroy: Box::new(|| {}),
        events: Mutex::default(),
        happened: Condvar::new(),
        token: AtomicU64::new(0),
    }
}

/// Answers with what it was asked.
pub(crate) fn echo() -> Script {
    script(|script, token, request| {
        assert_eq!(script.complete(token, OK, 200, text(request.args)), OK);
        BEGUN
    })
}

/// What borrowed bytes say.
pub(crate) fn text(bytes: Bytes) -> &'static str {
    if bytes.ptr.is_null() {
        return "";
    }
    // SAFETY: the host's texts outlive what tests do with them.
    std::str::from_utf8(unsafe { std::slice::from_raw_parts(bytes.ptr, bytes.len) }).unwrap()
}

pub(crate) fn result(status: i32, code: i32, data: &str) -> CallResult {
    let (data, message) = (Bytes::of(data.as_bytes()), Bytes::EMPTY);
    CallResult { struct_size: 48, status, code, format: 0, data, message }
}

impl Script {
    fn note(&self, event: Event) {
        self.events.lock().unwrap().push(event);
        self.happened.notify_all();
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        self.events.lock().unwrap().clone()
    }

    /// Waits until this has happened. Blocks.
    pub(crate) fn wait_for(&self, wanted: impl Fn(&[Event]) -> bool) {
        let events = self.events.lock().unwrap();
        let waited = self.happened.wait_timeout_while(events, Duration::from_secs(20), |events| !wanted(events));
        assert!(!waited.unwrap().1.timed_out(), "it did not happen: {:?}", self.events());
    }

    pub(crate) fn complete(&self, token: Token, status: i32, code: i32, data: &str) -> i32 {
        // SAFETY: a result that lives until it returns.
        unsafe { HOST.complete.unwrap()(token, &result(status, code, data)) }
    }

    pub(crate) fn wake(&self, token: Token) -> i32 {
        // SAFETY: takes any token.
        unsafe { HOST.wake.unwrap()(token) }
    }

    pub(crate) fn cancel(&self, token: Token, operation: i32) -> i32 {
        // SAFETY: takes any token.
        unsafe { HOST.cancel.unwrap()(token, operation) }
    }

    #[expect(clippy::too_many_arguments, reason = "the words of a test")]
    pub(crate) fn forward(
        self: &Arc<Self>,
        token: Token,
        args: &str,
        timeout_ms: u64,
        tag: u64,
        then: impl FnOnce(&Arc<Self>, &Told) + Send + 'static,
    ) -> i32 {
        let command = Forward { struct_size: 32, format: 0, timeout_ms, args: Bytes::of(args.as_bytes()) };
        self.with_user(tag, Box::new(then), |user| {
            // SAFETY: a command that lives until it returns; `done` frees the user's box once.
            unsafe { HOST.forward.unwrap()(token, &command, Some(done), user) }
        })
    }

    pub(crate) fn timer(
        self: &Arc<Self>,
        token: Token,
        ms: u64,
        tag: u64,
        then: impl FnOnce(&Arc<Self>, &Told) + Send + 'static,
    ) -> i32 {
        self.with_user(tag, Box::new(then), |user| {
            // SAFETY: `done` frees the user's box once.
            unsafe { HOST.timer.unwrap()(token, ms, Some(done), user) }
        })
    }

    fn with_user(self: &Arc<Self>, tag: u64, then: Then, start: impl FnOnce(*mut c_void) -> i32) -> i32 {
        let user = Box::into_raw(Box::new((self.clone(), tag, then)));
        let number = start(user.cast());
        if number <= 0 {
            // SAFETY: an operation that was not started is never told.
            drop(unsafe { Box::from_raw(user) });
        }
        number
    }
}

unsafe extern "C" fn done(user: *mut c_void, result: *const CallResult) {
    // SAFETY: told exactly once; a second time would be seen by the allocator.
    let (script, tag, then) = *unsafe { Box::from_raw(user.cast::<(Arc<Script>, u64, Then)>()) };
    // SAFETY: the host's result.
    let result = unsafe { &*result };
    let (data, message) = (text(result.data).to_owned(), text(result.message).to_owned());
    script.note(Event::Done(tag, result.status));
    then(&script, &Told { status: result.status, code: result.code, data, message });
}

unsafe extern "C" fn create(
    host: *const HostApi,
    token: Token,
    config: *const Bytes,
    err: *mut Out,
    this: *mut *mut c_void,
) -> i32 {
    // SAFETY: the host's.
    let (host, config) = unsafe { (&*host, *config) };
    assert_eq!((host.struct_size, host.abi_major), (96, abi::MAJOR));
    let config: HashMap<String, u64> = serde_json::from_str(text(config)).unwrap();
    let script = SCRIPTS.lock().unwrap().remove(&config["script"]).unwrap();
    script.token.store(token, Ordering::SeqCst);
    let status = (script.create)(&script, token, err);
    // SAFETY: a place for the instance.
    unsafe { this.write(Arc::as_ptr(&script).cast_mut().cast()) };
    KEPT.lock().unwrap().push(script);
    status
}

fn this(this: *mut c_void) -> Arc<Script> {
    let this = this.cast::<Script>().cast_const();
    // SAFETY: `create` took it from an `Arc` that is kept.
    unsafe {
        Arc::increment_strong_count(this);
        Arc::from_raw(this)
    }
}

unsafe extern "C" fn begin(own: *mut c_void, token: Token, request: *const Request, state: *mut *mut c_void) -> i32 {
    let script = this(own);
    script.note(Event::Begin(token));
    // SAFETY: the host's.
    let Begun(status, with_state) = (script.begin)(&script, token, unsafe { &*request });
    if with_state {
        // SAFETY: a place for the state, which is the token itself.
        unsafe { state.write(std::ptr::without_provenance_mut(usize::try_from(token).unwrap())) };
    }
    status
}

unsafe extern "C" fn poll(own: *mut c_void, token: Token, _state: *mut c_void) {
    let script = this(own);
    script.note(Event::Poll(token));
    (script.poll)(&script, token);
}

unsafe extern "C" fn end(own: *mut c_void, token: Token, state: *mut c_void, reason: i32) {
    assert_eq!(state.addr() as u64, token, "another call's state");
    this(own).note(Event::End(token, reason));
}

unsafe extern "C" fn translate(own: *mut c_void, request: *const abi::CodecRequest, out: *mut Out) -> i32 {
    // SAFETY: the host's.
    (this(own).translate)(text(unsafe { (*request).input }).as_bytes(), out)
}

unsafe extern "C" fn destroy(own: *mut c_void) {
    let script = this(own);
    (script.destroy)();
    script.note(Event::Destroy);
}

pub(crate) const TABLE: abi::PluginApi = abi::PluginApi {
    struct_size: 64,
    abi_major: abi::MAJOR,
    abi_minor: abi::MINOR,
    create: Some(create),
    begin: Some(begin),
    poll: Some(poll),
    end: Some(end),
    decode: Some(translate),
    encode: Some(translate),
    destroy: Some(destroy),
};

/// A created plugin and what is known of it.
pub(crate) struct Bench {
    pub(crate) generation: Arc<Generation>,
    pub(crate) script: Arc<Script>,
    pub(crate) metering: Registry,
    pub(crate) metrics: Arc<Metrics>,
}

/// On the usual terms, on threads of its own.
pub(crate) fn pooled() -> Terms {
    Terms {
        execution: Execution::Pool,
        threads: 2,
        fallback: Fallback::Fail,
        calls_in_flight_max: 4096,
        plugin_bytes_max: 1024 * 1024,
        operations_per_call_max: 64,
        stall_warn: Duration::from_millis(100),
        stall_open: Duration::from_secs(2),
        retire_timeout: Duration::from_secs(60),
    }
}

/// On the usual terms, on the server's threads.
pub(crate) fn inline() -> Terms {
    Terms { execution: Execution::Inline, ..pooled() }
}

pub(crate) fn try_bench(name: &str, script: Script, terms: Terms, metering: Registry) -> Result<Bench, CreateError> {
    let metrics = Arc::new(Metrics::register(&metering).unwrap());
    create_with(name, script, terms, metering, metrics)
}

/// A further generation of the same server.
pub(crate) fn create_with(
    name: &str,
    script: Script,
    terms: Terms,
    metering: Registry,
    metrics: Arc<Metrics>,
) -> Result<Bench, CreateError> {
    let script = Arc::new(script);
    let id = NEXT_SCRIPT.fetch_add(1, Ordering::Relaxed);
    SCRIPTS.lock().unwrap().insert(id, script.clone());
    let whose = Whose::new("{".to_owned());
    NAMED.lock().unwrap().push(whose);
    let mapped = Mapped { name: name.to_owned(), number: 1, table: TABLE, whose };
    let generation = Generation::create(mapped, terms, &format!("{{\"script\":{id}}}"), &metrics)?;
    Ok(Bench { generation, script, metering, metrics })
}

pub(crate) fn bench(script: Script, terms: Terms) -> Bench {
    try_bench("bench", script, terms, Registry::new()).unwrap()
}

impl Bench {
    pub(crate) async fn call(&self, device: &FakeDevice) -> Result<Answer, CallError> {
        self.call_as(CallMode::Sync, device).await
    }

    pub(crate) async fn call_as(&self, mode: CallMode, device: &FakeDevice) -> Result<Answer, CallError> {
        self.generation.handler().unwrap().handle(&call(mode, r#"{"a":1}"#), device).await
    }

    /// The value of a series, such as `thingcall_plugin_calls_total{plugin="bench",result="ok"}`.
    pub(crate) fn metric(&self, series: &str) -> f64 {
        let text = prometheus::TextEncoder::new().encode_to_string(&self.metering.gather()).unwrap();
        let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("no series {series} in {text}")).rsplit(' ').next().unwrap().parse().unwrap()
    }

    pub(crate) fn ended(&self, result: &str) -> f64 {
        self.metric(&format!(r#"thingcall_plugin_calls_total{{plugin="bench",result="{result}"}}"#))
    }
}
