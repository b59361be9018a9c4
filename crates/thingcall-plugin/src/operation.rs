//! What a handler waits for: a command to the device, or a time. The host tells its end once, by a callback.
//!
//! **Invariant:** the callback owns a share of the state, so it may come whenever the host likes, also after the future
//! is dropped; dropping a future that waits cancels its operation.

#![allow(unsafe_code, reason = "hands a pointer to the host and takes it back")]

use std::ffi::c_void;
use std::future::{poll_fn, Future};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::abi::{self, CallResult, Token};
use crate::foreign::{bytes, read_sized, text};
use crate::guard::caught;
use crate::host::{End, Host};
use crate::reply::Failed;
use crate::Reply;

/// A running operation.
pub(crate) struct Operation {
    scope: Token,
    number: i32,
    shared: Arc<Mutex<State>>,
    told: Told,
}

/// What the one who waits was told.
#[derive(PartialEq, Eq)]
enum Told {
    /// Nothing yet: this very moment it was started, with his waker.
    Start,
    /// To wait.
    Wait,
    /// The end.
    End,
}

enum State {
    Waiting(Waker),
    Done(Result<Reply, Failed>),
    Taken,
}

impl Operation {
    /// Sends a command to the device.
    pub(crate) async fn forward(call: Token, args: &[u8], within: Option<Duration>) -> Result<Reply, Failed> {
        // SAFETY: `done` takes back the share that `start` gave away, once.
        let begin = |host: &Host, end| unsafe { host.forward(call, args, within, end) };
        Self::start(call, begin).await?.await
    }

    /// Waits.
    pub(crate) async fn timer(scope: Token, time: Duration) -> Result<Reply, Failed> {
        // SAFETY: as above.
        let begin = |host: &Host, end| unsafe { host.timer(scope, time, end) };
        Self::start(scope, begin).await?.await
    }

    /// Starts it with the waker of who waits for it, who is told of an end that comes before it is polled.
    async fn start(scope: Token, begin: impl Fn(&Host, End) -> i32) -> Result<Self, Failed> {
        poll_fn(|context| Poll::Ready(Self::started(scope, context.waker().clone(), &begin))).await
    }

    fn started(scope: Token, waker: Waker, begin: impl Fn(&Host, End) -> i32) -> Result<Self, Failed> {
        let host = Host::get().ok_or_else(|| Failed::new(abi::E_UNSUPPORTED, "no host"))?;
        let shared = Arc::new(Mutex::new(State::Waiting(waker)));
        let given = Arc::into_raw(shared.clone());
        let number = begin(host, End { done, user: given.cast_mut().cast() });
        if number > 0 {
            return Ok(Self { scope, number, shared, told: Told::Start });
        }
        // SAFETY: the host refused and never calls back, so the share that was given away is still ours.
        drop(unsafe { Arc::from_raw(given) });
        Err(Failed::new(number.min(-1), refusal(number)))
    }
}

fn refusal(status: i32) -> &'static str {
    match status {
        abi::E_STALE | abi::E_CANCELLED => "the call has ended",
        abi::E_LIMIT => "too many operations at once, or too large",
        abi::E_INVAL => "the arguments are not a JSON object",
        abi::E_SHUTDOWN => "the plugin is being stopped",
        _ => "the host refused",
    }
}

impl Future for Operation {
    type Output = Result<Reply, Failed>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.told == Told::Start {
            self.told = Told::Wait;
            return Poll::Pending;
        }
        // A waker's code is foreign: it is cloned and dropped while the lock is free.
        let mut waker = context.waker().clone();
        let mut state = self.shared.lock().unwrap_or_else(PoisonError::into_inner);
        let polled = match std::mem::replace(&mut *state, State::Taken) {
            State::Done(result) => Poll::Ready(result),
            State::Waiting(mut known) => {
                std::mem::swap(&mut known, &mut waker);
                *state = State::Waiting(known);
                Poll::Pending
            }
            State::Taken => Poll::Pending,
        };
        drop(state);
        if polled.is_ready() {
            self.told = Told::End;
        }
        polled
    }
}

impl Drop for Operation {
    fn drop(&mut self) {
        if self.told == Told::End {
            return;
        }
        let waits = matches!(*self.shared.lock().unwrap_or_else(PoisonError::into_inner), State::Waiting(_));
        if let (true, Some(host)) = (waits, Host::get()) {
            host.cancel(self.scope, self.number);
        }
    }
}

/// What the host calls at the end of an operation.
unsafe extern "C" fn done(user: *mut c_void, result: *const CallResult) {
    // Nothing to tell whom: whatever panics here is another library's waker.
    let _panicked = caught(|| {
        // SAFETY: `user` is the share that `start` gave away, and comes back once.
        let shared = unsafe { Arc::from_raw(user.cast_const().cast::<Mutex<State>>()) };
        // SAFETY: the host's result lives until this function returns.
        let result = unsafe { outcome(result) };
        let before =
            std::mem::replace(&mut *shared.lock().unwrap_or_else(PoisonError::into_inner), State::Done(result));
        if let State::Waiting(waker) = before {
            waker.wake();
        }
    });
}

/// # Safety
/// `result` is null or a result that lives as long as this function runs.
unsafe fn outcome(result: *const CallResult) -> Result<Reply, Failed> {
    // SAFETY: the caller's promise.
    let Some(result) = (unsafe { read_sized::<CallResult>(result.cast()) }) else {
        return Err(Failed::new(abi::E_INTERNAL, "the host told no result"));
    };
    // SAFETY: what the result points to lives as long.
    let (message, data) = unsafe { (text(result.message).to_owned(), bytes(result.data).to_owned()) };
    if result.status == abi::OK {
        Ok(Reply::from_parts(result.code, message, data))
    } else {
        Err(Failed::new(result.status, message))
    }
}
