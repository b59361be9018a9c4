//! What the host calls: the plugin's table, for any handler.
//!
//! **Invariants:** no panic leaves a function of the table. The future of a call is polled only by the host's `begin` and
//! `poll`, which never run at once for one call, and dropped at the latest in `end`; what it borrows lives longer: the
//! instance until `destroy`, the request until `end`.

#![allow(unsafe_code, reason = "the C side of the boundary")]

use std::ffi::c_void;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use crate::abi::{self, Bytes, CodecRequest, HostApi, Out, PluginApi, Token};
use crate::call::Request;
use crate::foreign::{bytes, read_sized, text};
use crate::guard::{caught, tell_panics};
use crate::handler::CodecInput;
use crate::host::{Host, Told};
use crate::runtime::Runtime;
use crate::{log, trace, Call, Handler, Reject, Reply, Setup};

/// What the macro makes of an author's words.
pub trait Plugin: Handler + Sized {
    /// Whether it wants a tokio runtime of its own.
    const TOKIO: bool;
    /// Makes the handler.
    ///
    /// # Errors
    /// Why it cannot be made.
    fn create(setup: Setup<'_>) -> Result<Self, String>;
}

/// Helps inference: the closure of the macro takes a setup of any lifetime.
pub fn create_with<H>(create: impl FnOnce(Setup<'_>) -> Result<H, String>, setup: Setup<'_>) -> Result<H, String> {
    create(setup)
}

/// The table of a plugin.
pub const fn table<P: Plugin>() -> PluginApi {
    PluginApi {
        struct_size: abi::struct_size::<PluginApi>(),
        abi_major: abi::MAJOR,
        abi_minor: abi::MINOR,
        create: Some(create::<P>),
        begin: Some(begin::<P>),
        poll: Some(poll::<P>),
        end: Some(end::<P>),
        decode: Some(decode::<P>),
        encode: Some(encode::<P>),
        destroy: Some(destroy::<P>),
    }
}

/// A plugin that takes calls.
pub(crate) struct Instance<H> {
    handler: H,
    runtime: Runtime,
}

impl<H: Handler> Instance<H> {
    pub(crate) fn new(handler: H, runtime: Runtime) -> Self {
        Self { handler, runtime }
    }

    /// Runs the author's code for a call.
    fn run<T>(&self, call: Token, code: impl FnOnce() -> T) -> Result<T, String> {
        caught(|| {
            let _named = log::within(call);
            self.runtime.enter(code)
        })
    }
}

unsafe extern "C" fn create<P: Plugin>(
    host: *const HostApi,
    plugin: Token,
    config: *const Bytes,
    error: *mut Out,
    place: *mut *mut c_void,
) -> i32 {
    // SAFETY: the host's table begins with its size.
    let Some(host) = (unsafe { Host::take(host) }) else { return abi::E_UNSUPPORTED };
    if config.is_null() || place.is_null() {
        return abi::E_INVAL;
    }
    log::set_plugin(plugin);
    tell_panics();
    trace::forward();
    // SAFETY: the configuration lives until this function returns.
    let config = unsafe { bytes(*config) };
    match make::<P>(Setup { plugin, config }) {
        Ok(instance) => {
            // SAFETY: the host's place for one pointer.
            unsafe { *place = Box::into_raw(Box::new(instance)).cast() };
            abi::OK
        }
        Err((status, said)) => {
            // SAFETY: the host's place to write to, for this function. What does not fit is lost with the load anyway.
            let _written = unsafe { host.write(error, said.as_bytes()) };
            status
        }
    }
}

/// Makes the plugin, or says why it cannot be made.
pub(crate) fn make<P: Plugin>(setup: Setup<'_>) -> Result<Instance<P>, (i32, String)> {
    let panicked = |said| (abi::E_PANIC, format!("panicked: {said}"));
    let runtime = caught(|| Runtime::start(P::TOKIO)).map_err(panicked)?.map_err(|said| (abi::E_INVAL, said))?;
    let (status, said) = match caught(|| runtime.enter(|| P::create(setup))) {
        Ok(Ok(handler)) => return Ok(Instance::new(handler, runtime)),
        Ok(Err(said)) => (abi::E_INVAL, said),
        Err(said) => panicked(said),
    };
    // What `create` may have started ends with it.
    let _panicked = caught(move || runtime.stop());
    Err((status, said))
}

/// A handler's work on a call.
type Handling = Pin<Box<dyn Future<Output = Result<Reply, Reject>> + Send>>;

/// What a call has on the heap. The future borrows the request beside it, so nobody may borrow the whole: everything
/// goes by a pointer, field by field.
struct State {
    request: Request<'static>,
    future: Option<Handling>,
}

pub(crate) unsafe extern "C" fn begin<H: Handler>(
    instance: *mut c_void,
    token: Token,
    request: *const abi::Request,
    place: *mut *mut c_void,
) -> i32 {
    // SAFETY: what `create` gave, until `destroy`.
    let instance: &'static Instance<H> = unsafe { &*instance.cast::<Instance<H>>() };
    // SAFETY: the host's request begins with its size, and what it points to lives until `end`.
    let Some(request) = (unsafe { request_of(request) }) else { return abi::E_INVAL };
    let state = Box::into_raw(Box::new(State { request, future: None }));
    // SAFETY: it lives until the state is freed, after the future, and is never changed.
    let call = Call { token, request: unsafe { &(*state).request } };
    // SAFETY: nobody else has the field.
    let future = unsafe { &mut (*state).future };
    let begun = advance(instance, token, future, |future| {
        *future = Some(instance.handler.handle(call, call.device()));
    });
    if begun.is_pending() {
        // SAFETY: the host's place for one pointer.
        unsafe { *place = state.cast() };
    } else {
        // SAFETY: made above; the future is gone.
        drop(unsafe { Box::from_raw(state) });
    }
    abi::OK
}

pub(crate) unsafe extern "C" fn poll<H: Handler>(instance: *mut c_void, token: Token, state: *mut c_void) {
    if state.is_null() {
        return;
    }
    // SAFETY: what `create` and `begin` gave; the host runs nothing else of this call meanwhile.
    let (instance, future) = unsafe { (&*instance.cast::<Instance<H>>(), &mut (*state.cast::<State>()).future) };
    // The host sees the end by `complete`.
    let _pending = advance(instance, token, future, |_| {});
}

pub(crate) unsafe extern "C" fn end<H: Handler>(instance: *mut c_void, token: Token, state: *mut c_void, _why: i32) {
    if state.is_null() {
        return;
    }
    let state = state.cast::<State>();
    // SAFETY: what `create` and `begin` gave; nothing of this call comes after.
    let (instance, future) = unsafe { (&*instance.cast::<Instance<H>>(), &mut (*state).future) };
    give_up(instance, token, future);
    // SAFETY: made from a box by `begin`; the future, which borrowed from it, is gone.
    drop(unsafe { Box::from_raw(state) });
}

/// Drops the call's future. The hook has told the host's log of a panic.
fn give_up<H: Handler>(instance: &Instance<H>, token: Token, future: &mut Option<Handling>) {
    if let Some(future) = future.take() {
        let _panicked = instance.run(token, move || drop(future));
    }
}

/// Starts the call's future, where that is to be done, polls it, and answers when it ends.
fn advance<H: Handler>(
    instance: &Instance<H>,
    token: Token,
    future: &mut Option<Handling>,
    start: impl FnOnce(&mut Option<Handling>),
) -> Poll<()> {
    let polled = instance.run(token, || {
        start(future);
        let waker = waker(token);
        let running = future.as_mut()?;
        let polled = running.as_mut().poll(&mut Context::from_waker(&waker));
        if polled.is_ready() {
            // Also the author's code, so under the same guard.
            drop(future.take());
        }
        Some(polled)
    });
    match polled {
        Ok(Some(Poll::Pending)) => return Poll::Pending,
        Ok(Some(Poll::Ready(answer))) => answer_with(token, &answer),
        Ok(None) => {}
        Err(panicked) => {
            give_up(instance, token, future);
            tell_panic(token, &panicked);
        }
    }
    Poll::Ready(())
}

fn answer_with(token: Token, answer: &Result<Reply, Reject>) {
    let Some(host) = Host::get() else { return };
    // A stale token: the call ended meanwhile, and nobody waits for the answer.
    let _stale = match answer {
        Ok(reply) => {
            let Reply { code, message, .. } = reply;
            host.complete(token, &Told { status: abi::OK, code: *code, data: reply.json(), message })
        }
        Err(Reject { status, code, message }) => {
            host.complete(token, &Told { status: *status, code: *code, data: &[], message })
        }
    };
}

fn tell_panic(token: Token, said: &str) {
    if let Some(host) = Host::get() {
        let _stale = host.complete(token, &Told { status: abi::E_PANIC, code: 0, data: &[], message: said });
    }
}

/// # Safety
/// `request` is null, or begins with its size and points to texts that live for `'static`, or until `end`.
unsafe fn request_of(request: *const abi::Request) -> Option<Request<'static>> {
    // SAFETY: the caller's promise, here and below.
    let request = unsafe { read_sized::<abi::Request>(request.cast()) }?;
    // SAFETY: as above.
    unsafe {
        Some(Request {
            sync: request.mode == abi::MODE_SYNC,
            product_key: bytes(request.product_key),
            device_name: bytes(request.device_name),
            identifier: bytes(request.identifier),
            module: bytes(request.module),
            service: bytes(request.service),
            request_id: bytes(request.request_id),
            args: bytes(request.args),
            traceparent: bytes(request.traceparent),
            tracestate: bytes(request.tracestate),
        })
    }
}

pub(crate) unsafe extern "C" fn decode<H: Handler>(
    instance: *mut c_void,
    request: *const CodecRequest,
    out: *mut Out,
) -> i32 {
    // SAFETY: the host's, for this function.
    unsafe { translate::<H>(instance, request, out, H::decode) }
}

pub(crate) unsafe extern "C" fn encode<H: Handler>(
    instance: *mut c_void,
    request: *const CodecRequest,
    out: *mut Out,
) -> i32 {
    // SAFETY: the host's, for this function.
    unsafe { translate::<H>(instance, request, out, H::encode) }
}

type Translate<H> = fn(&H, CodecInput<'_>) -> Result<Vec<u8>, String>;

/// # Safety
/// The arguments are what the host gave for this very function.
unsafe fn translate<H: Handler>(
    instance: *mut c_void,
    request: *const CodecRequest,
    out: *mut Out,
    how: Translate<H>,
) -> i32 {
    let Some(host) = Host::get() else { return abi::E_UNSUPPORTED };
    // SAFETY: what `create` gave, and a request that begins with its size.
    let (instance, request) = unsafe { (&*instance.cast::<Instance<H>>(), read_sized::<CodecRequest>(request.cast())) };
    let Some(request) = request else { return abi::E_INVAL };
    // SAFETY: what the request points to lives until this function returns.
    let input = unsafe {
        CodecInput {
            product_key: text(request.product_key),
            device_name: text(request.device_name),
            identifier: text(request.identifier),
            bytes: bytes(request.input),
        }
    };
    let (status, said) = match instance.run(0, || how(&instance.handler, input)) {
        Ok(Ok(translated)) => (abi::OK, translated),
        Ok(Err(why)) => (abi::E_INVAL, why.into_bytes()),
        Err(panicked) => (abi::E_PANIC, panicked.into_bytes()),
    };
    // SAFETY: the host's place to write to, for this function.
    let written = unsafe { host.write(out, &said) };
    if status == abi::OK {
        written
    } else {
        status
    }
}

pub(crate) unsafe extern "C" fn destroy<H: Handler>(instance: *mut c_void) {
    // SAFETY: what `create` gave, once, and nothing runs any more.
    let Instance { handler, runtime } = *unsafe { Box::from_raw(instance.cast::<Instance<H>>()) };
    // The hook has told the host's log.
    let _panicked = caught(|| runtime.enter(move || drop(handler)));
    let _panicked = caught(move || runtime.stop());
}

/// The token is the waker: nothing to count, and one that is kept too long is harmless.
fn waker(token: Token) -> Waker {
    const VTABLE: RawWakerVTable = RawWakerVTable::new(|data| RawWaker::new(data, &VTABLE), wake, wake, |_| {});

    fn wake(data: *const ()) {
        if let Some(host) = Host::get() {
            host.wake(data as usize as Token);
        }
    }

    let data = usize::try_from(token).unwrap_or(0) as *const ();
    // SAFETY: the functions use the data as a number only, and may run on any thread.
    unsafe { Waker::from_raw(RawWaker::new(data, &VTABLE)) }
}

#[cfg(test)]
mod tests;
