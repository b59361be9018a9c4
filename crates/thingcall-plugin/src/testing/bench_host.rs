//! The host's functions for tests, and the calls and plugins they know.
//!
//! **Invariant:** the lock on them is not held while plugin code runs.

use std::collections::HashMap;
use std::ffi::c_void;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use super::test_call::{Ended, Order, TestCall};
use crate::abi::{self, Bytes, CallResult, DoneFn, Forward, HostApi, Out, Token};
use crate::foreign::{bytes, text};
use crate::host::{End, Host};
use crate::log::Level;
use crate::{Reject, Reply};

pub(super) use super::test_call::Event;

/// How long the bench really waits where nothing but another thread can help.
const WAIT_MAX: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Known {
    last: Token,
    calls: HashMap<Token, TestCall>,
    /// The metrics of a plugin by their numbers: name, and what was recorded.
    plugins: HashMap<Token, Vec<(String, Vec<f64>)>>,
}

static KNOWN: Mutex<Option<Known>> = Mutex::new(None);
/// A call was woken or answered, perhaps by another thread.
static NEWS: Condvar = Condvar::new();

fn known<T>(act: impl FnOnce(&mut Known) -> T) -> T {
    act(lock().get_or_insert_with(Known::default))
}

fn lock() -> MutexGuard<'static, Option<Known>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(token: Token, act: impl FnOnce(&mut TestCall) -> T) -> Option<T> {
    known(|known| known.calls.get_mut(&token).map(act))
}

/// Makes this the host of the process.
pub(super) fn install() {
    let api = HostApi {
        struct_size: abi::struct_size::<HostApi>(),
        abi_major: abi::MAJOR,
        abi_minor: abi::MINOR,
        complete: Some(complete),
        wake: Some(wake),
        forward: Some(forward),
        timer: Some(timer),
        cancel: Some(cancel),
        remaining_ms: Some(remaining_ms),
        log_enabled: Some(log_enabled),
        log: Some(log),
        metric_define: Some(metric_define),
        metric_record: Some(metric_record),
        out_write: Some(out_write),
    };
    // SAFETY: a whole table of ours.
    let _host = unsafe { Host::take(&api) };
}

/// Enters a plugin.
pub(super) fn open_plugin() -> Token {
    known(|known| {
        known.last += 1;
        let _none = known.plugins.insert(known.last, Vec::new());
        known.last
    })
}

pub(super) fn close_plugin(token: Token) {
    let _metrics = known(|known| known.plugins.remove(&token));
}

/// What was recorded of a metric.
pub(super) fn recorded(plugin: Token, name: &str) -> Vec<f64> {
    let metrics = known(|known| known.plugins.get(&plugin).cloned()).unwrap_or_default();
    metrics.into_iter().find(|(known, _)| known == name).map(|(_, values)| values).unwrap_or_default()
}

/// Begins a call.
pub(super) fn open(deadline: Duration, sync: bool) -> Token {
    known(|known| {
        known.last += 1;
        let _none = known.calls.insert(known.last, TestCall::new(deadline, sync));
        known.last
    })
}

/// Makes the token stale; whom the end of the call must still be told.
pub(super) fn finish(token: Token) -> Vec<End> {
    with(token, TestCall::finish).unwrap_or_default()
}

/// Forgets a call; what it logged.
pub(super) fn close(token: Token) -> Vec<(Level, String)> {
    known(|known| known.calls.remove(&token)).map(|call| call.logged).unwrap_or_default()
}

pub(super) fn settle(token: Token, number: i32, after: Option<Duration>, ended: Ended) {
    let _known = with(token, |call| call.settle(number, after, ended));
}

/// What happens next in a call.
pub(super) fn next(token: Token) -> Event {
    loop {
        match with(token, |call| (call.next(), call.left)) {
            Some((Some(event), _)) => return event,
            Some((None, left)) if another_thread_helps(token, left) => {}
            Some((None, _)) | None => return Event::Deadline,
        }
    }
}

fn another_thread_helps(token: Token, left: Duration) -> bool {
    let quiet = |known: &mut Option<Known>| {
        let call = known.as_ref().and_then(|known| known.calls.get(&token));
        call.is_some_and(|call| !call.woken && call.answer.is_none())
    };
    let waited = NEWS.wait_timeout_while(lock(), left.min(WAIT_MAX), quiet);
    let (_lock, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
    !timeout.timed_out()
}

unsafe extern "C" fn complete(token: Token, result: *const CallResult) -> i32 {
    // SAFETY: this crate's glue gives whole results, which live until this function returns.
    let Some(result) = (unsafe { result.as_ref() }) else { return abi::E_INVAL };
    // SAFETY: so does what it points to.
    let (message, data) = unsafe { (text(result.message).to_owned(), bytes(result.data).to_owned()) };
    let answered = with(token, |call| {
        if call.is_over() {
            return abi::E_STALE;
        }
        let broken = |why: &str| Err(Reject::status(abi::E_INTERNAL, why));
        let object = data.is_empty() || matches!(serde_json::from_slice(&data), Ok(Value::Object(_)));
        call.answer = Some(match result.status {
            abi::OK if !object => broken("its answer's data is not a JSON object"),
            abi::OK if result.code == abi::CODE_ACCEPTED && !call.accepted => {
                broken("it answered with code 202, but no command is on its way")
            }
            abi::OK if matches!(result.code, abi::CODE_SUCCESS | abi::CODE_ACCEPTED) => {
                Ok(Reply::from_parts(result.code, message, data))
            }
            abi::OK => Err(Reject::new(result.code, message)),
            status => Err(Reject::status(status, message)),
        });
        abi::OK
    });
    NEWS.notify_all();
    answered.unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn wake(token: Token) -> i32 {
    let woken = with(token, |call| {
        if call.is_over() {
            return abi::E_STALE;
        }
        call.woken = true;
        abi::OK
    });
    NEWS.notify_all();
    woken.unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn forward(token: Token, command: *const Forward, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    // SAFETY: this crate's glue gives whole commands, which live until this function returns.
    let (Some(command), Some(done)) = (unsafe { command.as_ref() }, done) else { return abi::E_INVAL };
    // SAFETY: so do its arguments.
    let Ok(args @ Value::Object(_)) = serde_json::from_slice(unsafe { bytes(command.args) }) else {
        return abi::E_INVAL;
    };
    let within = (command.timeout_ms > 0).then(|| Duration::from_millis(command.timeout_ms));
    let started = with(token, |call| {
        call.accepted |= !call.sync;
        call.start(Order::Command(args, within), End { done, user })
    });
    started.unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn timer(token: Token, millis: u64, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    let Some(done) = done else { return abi::E_INVAL };
    let order = Order::Timer(Duration::from_millis(millis));
    with(token, |call| call.start(order, End { done, user })).unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn cancel(token: Token, number: i32) -> i32 {
    with(token, |call| call.cancel(number)).unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn remaining_ms(token: Token) -> i64 {
    let left = with(token, |call| i64::try_from(call.left.as_millis()).unwrap_or(i64::MAX));
    left.unwrap_or(i64::from(abi::E_STALE))
}

unsafe extern "C" fn log_enabled(_scope: Token, _level: i32) -> i32 {
    1
}

unsafe extern "C" fn log(scope: Token, level: i32, _target: *const Bytes, message: *const Bytes, fields: *const Bytes) {
    // SAFETY: this crate's glue gives texts that live until this function returns.
    let (message, fields) = unsafe { (text(*message), text(*fields)) };
    let line = if fields.is_empty() { message.to_owned() } else { format!("{message} {fields}") };
    let level = match level {
        abi::LOG_ERROR => Level::Error,
        abi::LOG_WARN => Level::Warn,
        abi::LOG_INFO => Level::Info,
        abi::LOG_DEBUG => Level::Debug,
        _ => Level::Trace,
    };
    // Lines of no call are of nobody's interest here.
    let _none = with(scope, |call| call.logged.push((level, line)));
}

unsafe extern "C" fn metric_define(
    plugin: Token,
    _kind: u32,
    name: *const Bytes,
    _help: *const Bytes,
    id: *mut u32,
) -> i32 {
    // SAFETY: this crate's glue gives texts and a place that live until this function returns.
    let (name, id) = unsafe { (text(*name).to_owned(), &mut *id) };
    let defined = known(|known| {
        let metrics = known.plugins.get_mut(&plugin)?;
        metrics.push((name, Vec::new()));
        u32::try_from(metrics.len() - 1).ok()
    });
    defined.map_or(abi::E_STALE, |number| {
        *id = number;
        abi::OK
    })
}

unsafe extern "C" fn metric_record(plugin: Token, id: u32, value: f64) -> i32 {
    let recorded = known(|known| {
        let metric = known.plugins.get_mut(&plugin)?.get_mut(usize::try_from(id).ok()?)?;
        metric.1.push(value);
        Some(abi::OK)
    });
    recorded.unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn out_write(out: *mut Out, from: *const u8, len: usize) -> i32 {
    // SAFETY: the bench gave a vector as the place, and this crate's glue gives bytes that live until this returns.
    unsafe { (*out.cast::<Vec<u8>>()).extend_from_slice(bytes(Bytes { ptr: from, len })) };
    abi::OK
}
