//! A host for tests: a handler is driven through the same functions that the server calls, without a server, a library or
//! a network.
//!
//! ```
//! # use thingcall_plugin::prelude::*;
//! # struct Plain;
//! # #[async_trait]
//! # impl Handler for Plain {}
//! use thingcall_plugin::testing::Bench;
//!
//! let mut bench = Bench::new(Plain).device(|args| Ok(json!({ "seen": args })));
//! let reply = bench.call("testFb:testService", json!({ "param1": 1 })).unwrap();
//! assert_eq!(reply.data::<Value>().unwrap(), json!({ "seen": { "param1": 1 } }));
//! ```
//!
//! Time does not pass by itself: what sleeps, and a device that takes its time, go on at once when nothing else can
//! happen. Only where nothing but another thread can help, the bench really waits.

#![allow(unsafe_code, reason = "plays the host's side of the boundary")]

use std::ffi::c_void;
use std::marker::PhantomData;
use std::time::Duration;

use serde_json::Value;

use crate::abi::{self, Bytes};
use crate::glue::{self, Instance, Plugin};
use crate::log::Level;
use crate::runtime::Runtime;
use crate::{trace, Handler, Reject, Reply, Setup};

mod bench_host;
mod test_call;

use bench_host::Event;
use test_call::Ended;

/// How a simulated device fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It does not answer: a command with a time of its own ends after it, another one with the whole call.
    Timeout,
    /// It is not connected.
    Offline,
    /// It answers with this code and these words.
    Code(i32, String),
}

type Simulated = Box<dyn FnMut(Value) -> Result<Value, Fault>>;

/// A handler and a simulated device.
pub struct Bench<H: Handler> {
    instance: *mut c_void,
    plugin: abi::Token,
    device: Simulated,
    takes: Duration,
    deadline: Duration,
    sync: bool,
    names: (String, String),
    trace: String,
    asked: Vec<Value>,
    logged: Vec<(Level, String)>,
    handler: PhantomData<H>,
}

impl<H: Plugin> Bench<H> {
    /// The plugin as `plugin!` makes it, with this in the place of `[plugins.NAME.config]`.
    ///
    /// # Errors
    /// What `create` says against the configuration; a panic in it.
    pub fn create(config: &Value) -> Result<Self, String> {
        bench_host::install();
        trace::forward();
        let (plugin, config) = (bench_host::open_plugin(), config.to_string());
        let made = glue::make::<H>(Setup { plugin, config: config.as_bytes() });
        made.map(|instance| Self::of(plugin, instance)).map_err(|(_status, said)| said)
    }
}

impl<H: Handler> Bench<H> {
    /// A bench whose device sends its arguments back at once.
    pub fn new(handler: H) -> Self {
        bench_host::install();
        Self::of(bench_host::open_plugin(), Instance::new(handler, Runtime::none()))
    }

    fn of(plugin: abi::Token, instance: Instance<H>) -> Self {
        Self {
            instance: Box::into_raw(Box::new(instance)).cast(),
            plugin,
            device: Box::new(Ok),
            takes: Duration::ZERO,
            deadline: Duration::from_secs(8),
            sync: true,
            names: ("a1BwAGVxxxx".to_owned(), "device1".to_owned()),
            trace: String::new(),
            asked: Vec::new(),
            logged: Vec::new(),
            handler: PhantomData,
        }
    }

    /// Has the device answer so.
    pub fn device(mut self, answers: impl FnMut(Value) -> Result<Value, Fault> + 'static) -> Self {
        self.device = Box::new(answers);
        self
    }

    /// Has the device take so long for each answer.
    pub fn takes(mut self, time: Duration) -> Self {
        self.takes = time;
        self
    }

    /// Gives each call so long; 8 s if not set.
    pub fn deadline(mut self, time: Duration) -> Self {
        self.deadline = time;
        self
    }

    /// Calls this device of this product from now on.
    pub fn named(mut self, product_key: &str, device_name: &str) -> Self {
        self.names = (product_key.to_owned(), device_name.to_owned());
        self
    }

    /// Has calls belong to a trace: this is the handler's `traceparent`.
    pub fn traced(mut self, traceparent: &str) -> Self {
        traceparent.clone_into(&mut self.trace);
        self
    }

    /// Makes the calls asynchronous: a command is done when it is durable, with code 202, and the device is not heard.
    pub fn asynchronous(mut self) -> Self {
        self.sync = false;
        self
    }

    /// The arguments of every command the device got, in their order.
    pub fn asked(&self) -> &[Value] {
        &self.asked
    }

    /// The lines that calls logged, in their order.
    pub fn logged(&self) -> &[(Level, String)] {
        &self.logged
    }

    /// What was recorded of this metric, in its order.
    pub fn recorded(&self, metric: &str) -> Vec<f64> {
        bench_host::recorded(self.plugin, metric)
    }

    /// Makes a call and drives it to its end.
    ///
    /// # Errors
    /// What the handler answered instead of a reply; a panic among it; the deadline.
    pub fn call(&mut self, identifier: &str, args: Value) -> Result<Reply, Reject> {
        let token = bench_host::open(self.deadline, self.sync);
        let args = args.to_string();
        let (module, service) = identifier.rsplit_once(':').unwrap_or(("", identifier));
        let text = |text: &str| Bytes::of(text.as_bytes());
        let request = abi::Request {
            struct_size: abi::struct_size::<abi::Request>(),
            mode: if self.sync { abi::MODE_SYNC } else { abi::MODE_ASYNC },
            format: abi::FORMAT_JSON,
            reserved0: 0,
            timeout_ms: u64::try_from(self.deadline.as_millis()).unwrap_or(u64::MAX),
            product_key: text(&self.names.0),
            device_name: text(&self.names.1),
            identifier: text(identifier),
            module: text(module),
            service: text(service),
            request_id: text("bench"),
            args: text(&args),
            traceparent: text(&self.trace),
            tracestate: Bytes::EMPTY,
        };
        let mut state: *mut c_void = std::ptr::null_mut();
        // SAFETY: the instance is ours and alive; the request outlives the call, which ends below.
        let status = unsafe { glue::begin::<H>(self.instance, token, &request, &mut state) };
        let (answer, reason) =
            if status < abi::OK { (Err(Reject::status(status, "")), status) } else { self.drive(token, state) };
        for end in bench_host::finish(token) {
            tell(end, &Ended::cancelled());
        }
        if !state.is_null() {
            // SAFETY: the state that `begin` gave, once, after all else of the call.
            unsafe { glue::end::<H>(self.instance, token, state, reason) };
        }
        self.logged.append(&mut bench_host::close(token));
        answer
    }

    /// Has happen what happens, until the call is over; why it is.
    fn drive(&mut self, token: abi::Token, state: *mut c_void) -> (Result<Reply, Reject>, i32) {
        loop {
            match bench_host::next(token) {
                Event::Answered(answer) => return (answer, abi::OK),
                Event::Deadline => {
                    let late = Reject::status(abi::E_TIMEOUT, "the call's deadline passed");
                    return (Err(late), abi::E_TIMEOUT);
                }
                // SAFETY: `begin` gave this state, and nothing else of the call runs now.
                Event::Wake if !state.is_null() => unsafe { glue::poll::<H>(self.instance, token, state) },
                Event::Wake => {}
                Event::Ended(end, ended) => tell(end, &ended),
                Event::Command(number, args) => {
                    let (after, ended) = self.command(args);
                    bench_host::settle(token, number, after, ended);
                }
            }
        }
    }

    /// When and how a command ends; `None` is never.
    fn command(&mut self, args: Value) -> (Option<Duration>, Ended) {
        self.asked.push(args.clone());
        if !self.sync {
            return (Some(Duration::ZERO), Ended::answered(abi::CODE_ACCEPTED, "{}", ""));
        }
        match (self.device)(args) {
            Ok(data) => (Some(self.takes), Ended::answered(abi::CODE_SUCCESS, &data.to_string(), "")),
            Err(Fault::Code(code, message)) => (Some(self.takes), Ended::answered(code, "{}", &message)),
            Err(Fault::Offline) => (Some(Duration::ZERO), Ended::failed(abi::E_OFFLINE, "the device is offline")),
            Err(Fault::Timeout) => (None, Ended::cancelled()),
        }
    }

    /// The bytes for the device that the plugin makes of an Alink request.
    ///
    /// # Errors
    /// Why there are none; a panic among it.
    pub fn encode(&self, identifier: &str, request: &Value) -> Result<Vec<u8>, String> {
        self.translate(glue::encode::<H>, identifier, request.to_string().as_bytes())
    }

    /// The Alink reply that the plugin makes of a device's bytes.
    ///
    /// # Errors
    /// Why there is none; a panic among it.
    pub fn decode(&self, bytes: &[u8]) -> Result<Value, String> {
        let json = self.translate(glue::decode::<H>, "", bytes)?;
        serde_json::from_slice(&json).map_err(|error| format!("decode gave no JSON: {error}"))
    }

    fn translate(&self, how: abi::CodecFn, identifier: &str, input: &[u8]) -> Result<Vec<u8>, String> {
        let request = abi::CodecRequest {
            struct_size: abi::struct_size::<abi::CodecRequest>(),
            reserved0: 0,
            product_key: Bytes::of(self.names.0.as_bytes()),
            device_name: Bytes::of(self.names.1.as_bytes()),
            identifier: Bytes::of(identifier.as_bytes()),
            input: Bytes::of(input),
        };
        let mut written = Vec::new();
        let place: *mut Vec<u8> = &mut written;
        // SAFETY: the instance is ours and alive; request and place outlive the call.
        let status = unsafe { how(self.instance, &request, place.cast()) };
        if status == abi::OK {
            Ok(written)
        } else {
            Err(String::from_utf8_lossy(&written).into_owned())
        }
    }
}

impl<H: Handler> Drop for Bench<H> {
    fn drop(&mut self) {
        // SAFETY: the instance is ours, and no call runs.
        unsafe { glue::destroy::<H>(self.instance) }
        bench_host::close_plugin(self.plugin);
    }
}

fn tell(end: crate::host::End, ended: &Ended) {
    // SAFETY: what the plugin gave for this, called once; the result lives until the function returns.
    unsafe { (end.done)(end.user, &ended.told().result()) }
}
