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
//! Time does not pass by itself: what sleeps goes on as soon as nothing else can run.

#![allow(unsafe_code, reason = "plays the host's side of the boundary")]
#![allow(clippy::expect_used, reason = "what goes wrong here fails the author's test")]

use std::ffi::c_void;

use serde_json::Value;

use crate::abi::{self, Bytes};
use crate::glue::{self, Instance};
use crate::host::{End, Told};
use crate::runtime::Runtime;
use crate::{Handler, Reject, Reply};

mod bench_host;

use bench_host::{answered, finish, open, take_event, Event};

/// How a simulated device fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It does not answer in time.
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
    device: Simulated,
    asked: Vec<Value>,
    sync: bool,
    names: (String, String),
    handler: std::marker::PhantomData<H>,
}

impl<H: Handler> Bench<H> {
    /// A bench whose device sends its arguments back.
    pub fn new(handler: H) -> Self {
        bench_host::install();
        let runtime = Runtime::start(false).expect("no runtime is wanted");
        Self {
            instance: Box::into_raw(Box::new(Instance::new(handler, runtime))).cast(),
            device: Box::new(Ok),
            asked: Vec::new(),
            sync: true,
            names: ("a1BwAGVxxxx".to_owned(), "device1".to_owned()),
            handler: std::marker::PhantomData,
        }
    }

    /// Has the device answer so.
    pub fn device(mut self, answers: impl FnMut(Value) -> Result<Value, Fault> + 'static) -> Self {
        self.device = Box::new(answers);
        self
    }

    /// Calls this device of this product from now on.
    pub fn named(mut self, product_key: &str, device_name: &str) -> Self {
        self.names = (product_key.to_owned(), device_name.to_owned());
        self
    }

    /// Makes the calls asynchronous: a command is done when it is durable, with code 202.
    pub fn asynchronous(mut self) -> Self {
        self.sync = false;
        self
    }

    /// The arguments of every command the device got, in their order.
    pub fn asked(&self) -> &[Value] {
        &self.asked
    }

    /// Makes a call and drives it to its end.
    ///
    /// # Errors
    /// What the handler answered instead of a reply; a panic among it.
    ///
    /// # Panics
    /// If the handler waits for nothing that could come.
    pub fn call(&mut self, identifier: &str, args: Value) -> Result<Reply, Reject> {
        let token = open();
        let args = args.to_string();
        let (module, service) = identifier.rsplit_once(':').unwrap_or(("", identifier));
        let text = |text: &str| Bytes::of(text.as_bytes());
        let request = abi::Request {
            struct_size: abi::struct_size::<abi::Request>(),
            mode: if self.sync { abi::MODE_SYNC } else { abi::MODE_ASYNC },
            format: abi::FORMAT_JSON,
            reserved0: 0,
            timeout_ms: u64::MAX,
            product_key: text(&self.names.0),
            device_name: text(&self.names.1),
            identifier: text(identifier),
            module: text(module),
            service: text(service),
            request_id: text("bench"),
            args: text(&args),
        };
        let mut state: *mut c_void = std::ptr::null_mut();
        // SAFETY: the instance is ours and alive; the request outlives the call, which ends below.
        let status = unsafe { glue::begin::<H>(self.instance, token, &request, &mut state) };
        assert_eq!(status, abi::OK, "begin");
        while answered(token).is_none() {
            let event = take_event(token).expect("the handler waits for nothing that could come");
            self.happens(token, state, event);
        }
        for end in finish(token) {
            tell(end, failed(abi::E_CANCELLED, ""));
        }
        if !state.is_null() {
            // SAFETY: the state that `begin` gave, once, after all else of the call.
            unsafe { glue::end::<H>(self.instance, token, state, abi::OK) };
        }
        answered(token).expect("it was answered")
    }

    fn happens(&mut self, token: abi::Token, state: *mut c_void, event: Event) {
        match event {
            // SAFETY: `begin` gave this state, and nothing else of the call runs now.
            Event::Wake => unsafe { glue::poll::<H>(self.instance, token, state) },
            Event::Time(end) => tell(end, Told { status: abi::OK, code: 0, data: &[], message: "" }),
            Event::Command(end, args) => self.command(end, args),
        }
    }

    fn command(&mut self, end: End, args: Value) {
        self.asked.push(args.clone());
        let good = |code, data| Told { status: abi::OK, code, data, message: "" };
        match (self.device)(args) {
            Ok(_) if !self.sync => tell(end, good(abi::CODE_ACCEPTED, b"{}")),
            Ok(data) => tell(end, good(abi::CODE_SUCCESS, data.to_string().as_bytes())),
            Err(Fault::Code(code, message)) => tell(end, Told { message: &message, ..good(code, b"{}") }),
            Err(Fault::Timeout) => tell(end, failed(abi::E_TIMEOUT, "no reply from the device")),
            Err(Fault::Offline) => tell(end, failed(abi::E_OFFLINE, "the device is offline")),
        }
    }
}

impl<H: Handler> Drop for Bench<H> {
    fn drop(&mut self) {
        // SAFETY: the instance is ours, and no call runs.
        unsafe { glue::destroy::<H>(self.instance) }
    }
}

fn failed(status: i32, message: &str) -> Told<'_> {
    Told { status, code: 0, data: &[], message }
}

fn tell(end: End, told: Told<'_>) {
    // SAFETY: what the plugin gave for this, called once; the result lives until the function returns.
    unsafe { (end.done)(end.user, &told.result()) }
}
