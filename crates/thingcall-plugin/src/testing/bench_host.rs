//! The host's functions for tests, and the calls they know.

use std::collections::{HashMap, VecDeque};
use std::ffi::c_void;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use crate::abi::{self, CallResult, DoneFn, Forward, HostApi, Token};
use crate::foreign::{bytes, read_sized, text};
use crate::host::{End, Host};
use crate::{Reject, Reply};

/// What happens next in a call.
pub(super) enum Event {
    /// The handler asked to be polled.
    Wake,
    /// A time has passed.
    Time(End),
    /// The device is asked.
    Command(End, Value),
}

/// An operation that was not told its end.
struct Operation {
    number: i32,
    end: End,
    /// A command's arguments, or how long a timer still runs.
    what: What,
}

enum What {
    Command(Value),
    Timer(u64),
}

#[derive(Default)]
struct TestCall {
    waked: bool,
    operations: VecDeque<Operation>,
    /// Given up, and not told so yet: the host never calls back on the stack of a call.
    cancelled: Vec<Operation>,
    answer: Option<Result<Reply, Reject>>,
    next: i32,
    over: bool,
}

#[derive(Default)]
struct Calls {
    last: Token,
    open: HashMap<Token, TestCall>,
}

// SAFETY: the pointers are the plugin's, for use on any thread, as the ABI says.
unsafe impl Send for Operation {}

static CALLS: Mutex<Option<Calls>> = Mutex::new(None);

fn calls() -> MutexGuard<'static, Option<Calls>> {
    CALLS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn with<T>(token: Token, act: impl FnOnce(&mut TestCall) -> T) -> Option<T> {
    calls().as_mut()?.open.get_mut(&token).map(act)
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
        log_enabled: None,
        log: None,
        metric_define: None,
        metric_record: None,
        out_write: None,
    };
    // SAFETY: a whole table of ours.
    let _host = unsafe { Host::take(&api) };
}

/// Begins a call.
pub(super) fn open() -> Token {
    let mut calls = calls();
    let calls = calls.get_or_insert_with(Calls::default);
    calls.last += 1;
    let _none = calls.open.insert(calls.last, TestCall::default());
    calls.last
}

/// What was answered, if it was.
pub(super) fn answered(token: Token) -> Option<Result<Reply, Reject>> {
    with(token, |call| call.answer.clone()).flatten()
}

/// What happens next: a poll that was asked for, else a command, else the timer that ends first.
pub(super) fn take_event(token: Token) -> Option<Event> {
    with(token, |call| {
        if std::mem::take(&mut call.waked) {
            return Some(Event::Wake);
        }
        let first = |operation: &Operation| match operation.what {
            What::Command(_) => 0,
            What::Timer(millis) => millis.saturating_add(1),
        };
        let (at, _) = call.operations.iter().enumerate().min_by_key(|(_, operation)| first(operation))?;
        let Operation { end, what, .. } = call.operations.remove(at)?;
        Some(match what {
            What::Command(args) => Event::Command(end, args),
            What::Timer(passed) => {
                for operation in &mut call.operations {
                    if let What::Timer(millis) = &mut operation.what {
                        *millis = millis.saturating_sub(passed);
                    }
                }
                Event::Time(end)
            }
        })
    })
    .flatten()
}

/// Makes the token stale; whom the end of the call must still be told.
pub(super) fn finish(token: Token) -> Vec<End> {
    let left = with(token, |call| {
        call.over = true;
        call.operations.drain(..).chain(call.cancelled.drain(..)).map(|operation| operation.end).collect()
    });
    left.unwrap_or_default()
}

unsafe extern "C" fn complete(token: Token, result: *const CallResult) -> i32 {
    // SAFETY: the plugin's result lives until this function returns.
    let Some(result) = (unsafe { read_sized::<CallResult>(result.cast()) }) else { return abi::E_INVAL };
    // SAFETY: so does what it points to.
    let (message, data) = unsafe { (text(result.message).to_owned(), bytes(result.data).to_owned()) };
    let answer = match result.status {
        abi::OK if result.code == abi::CODE_SUCCESS || result.code == abi::CODE_ACCEPTED => {
            Ok(Reply::from_parts(result.code, message, data))
        }
        abi::OK => Err(Reject::new(result.code, message)),
        status => Err(Reject::status(status, message)),
    };
    let told = with(token, |call| {
        if call.over || call.answer.is_some() {
            return abi::E_STALE;
        }
        call.answer = Some(answer);
        abi::OK
    });
    told.unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn wake(token: Token) -> i32 {
    with(token, |call| call.waked = !call.over).map_or(abi::E_STALE, |()| abi::OK)
}

unsafe extern "C" fn forward(token: Token, command: *const Forward, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    // SAFETY: `Forward` begins with its size; the plugin's lives until this function returns.
    let Some(args) = (unsafe { command.as_ref().map(|command| bytes(command.args)) }) else { return abi::E_INVAL };
    match serde_json::from_slice(args) {
        Ok(Value::Object(args)) => start(token, done, user, What::Command(Value::Object(args))),
        Ok(_) | Err(_) => abi::E_INVAL,
    }
}

unsafe extern "C" fn timer(token: Token, millis: u64, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    start(token, done, user, What::Timer(millis))
}

fn start(token: Token, done: Option<DoneFn>, user: *mut c_void, what: What) -> i32 {
    let Some(done) = done else { return abi::E_INVAL };
    let started = with(token, |call| {
        if call.over {
            return abi::E_STALE;
        }
        call.next += 1;
        call.operations.push_back(Operation { number: call.next, end: End { done, user }, what });
        call.next
    });
    started.unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn cancel(token: Token, number: i32) -> i32 {
    let taken = with(token, |call| {
        let at = call.operations.iter().position(|operation| operation.number == number)?;
        call.cancelled.push(call.operations.remove(at)?);
        Some(abi::OK)
    });
    taken.flatten().unwrap_or(abi::E_STALE)
}

unsafe extern "C" fn remaining_ms(_token: Token) -> i64 {
    i64::MAX
}
