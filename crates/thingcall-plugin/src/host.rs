//! The host's functions, as safe ones.
//!
//! **Invariant:** the table is copied once, as far as the host's goes; what it lacks is `None`. Pointers that are handed
//! over live until the function returns, which is as long as the host may use them.

#![allow(unsafe_code, reason = "calls the host's functions")]

use std::ffi::c_void;
use std::sync::OnceLock;
use std::time::Duration;

use crate::abi::{self, Bytes, HostApi, Token};
use crate::foreign::read_sized;

/// Whom an operation's end is told.
#[derive(Clone, Copy)]
pub(crate) struct End {
    pub(crate) done: abi::DoneFn,
    pub(crate) user: *mut c_void,
}

/// What one side tells the other of an answer.
#[derive(Clone, Copy)]
pub(crate) struct Told<'a> {
    pub(crate) status: i32,
    pub(crate) code: i32,
    pub(crate) data: &'a [u8],
    pub(crate) message: &'a str,
}

impl Told<'_> {
    /// As it crosses the boundary; it lives no longer than what is told.
    pub(crate) fn result(&self) -> abi::CallResult {
        abi::CallResult {
            struct_size: abi::struct_size::<abi::CallResult>(),
            status: self.status,
            code: self.code,
            format: abi::FORMAT_JSON,
            data: Bytes::of(self.data),
            message: Bytes::of(self.message.as_bytes()),
        }
    }
}

/// A line for the log; `fields` is a JSON object, or empty.
pub(crate) struct Line<'a> {
    pub(crate) level: i32,
    pub(crate) target: &'a str,
    pub(crate) message: &'a str,
    pub(crate) fields: &'a str,
}

/// The host of this plugin library.
pub(crate) struct Host {
    api: HostApi,
}

static HOST: OnceLock<Host> = OnceLock::new();

impl Host {
    /// Takes the host's table; the first one stays. `None` if it is missing or of another major version.
    ///
    /// # Safety
    /// `api` is null or points to a table whose first field is its size.
    pub(crate) unsafe fn take(api: *const HostApi) -> Option<&'static Self> {
        // SAFETY: the caller's promise is the same.
        let api = unsafe { read_sized::<HostApi>(api.cast()) }?;
        (api.abi_major == abi::MAJOR).then(|| HOST.get_or_init(|| Self { api }))
    }

    pub(crate) fn get() -> Option<&'static Self> {
        HOST.get()
    }

    pub(crate) fn complete(&self, call: Token, told: &Told<'_>) -> i32 {
        let result = told.result();
        // SAFETY: the result lives until the function returns.
        self.api.complete.map_or(abi::E_UNSUPPORTED, |complete| unsafe { complete(call, &result) })
    }

    pub(crate) fn wake(&self, call: Token) {
        if let Some(wake) = self.api.wake {
            // SAFETY: any token may be handed over, a stale one too. A stale call needs no poll.
            let _stale = unsafe { wake(call) };
        }
    }

    /// # Safety
    /// The end may be told once, on any thread, if the number returned is above 0.
    pub(crate) unsafe fn forward(&self, call: Token, args: &[u8], within: Option<Duration>, end: End) -> i32 {
        let forward = abi::Forward {
            struct_size: abi::struct_size::<abi::Forward>(),
            format: abi::FORMAT_JSON,
            timeout_ms: within.map_or(0, |time| millis(time).max(1)),
            args: Bytes::of(args),
        };
        // SAFETY: the struct lives until the function returns; the rest is the caller's promise.
        self.api
            .forward
            .map_or(abi::E_UNSUPPORTED, |call_it| unsafe { call_it(call, &forward, Some(end.done), end.user) })
    }

    /// # Safety
    /// As [`Self::forward`].
    pub(crate) unsafe fn timer(&self, scope: Token, time: Duration, end: End) -> i32 {
        // SAFETY: the caller's promise.
        self.api
            .timer
            .map_or(abi::E_UNSUPPORTED, |timer| unsafe { timer(scope, millis(time), Some(end.done), end.user) })
    }

    pub(crate) fn cancel(&self, scope: Token, operation: i32) {
        if let Some(cancel) = self.api.cancel {
            // SAFETY: numbers only. One that has ended already needs no cancelling.
            let _ended = unsafe { cancel(scope, operation) };
        }
    }

    pub(crate) fn remaining(&self, call: Token) -> Option<Duration> {
        // SAFETY: a number only.
        let millis = self.api.remaining_ms.map_or(i64::MAX, |remaining| unsafe { remaining(call) });
        (millis != i64::MAX).then(|| Duration::from_millis(u64::try_from(millis).unwrap_or(0)))
    }

    pub(crate) fn log_enabled(&self, scope: Token, level: i32) -> bool {
        // SAFETY: numbers only.
        self.api.log_enabled.is_some_and(|enabled| unsafe { enabled(scope, level) } == 1)
    }

    pub(crate) fn log(&self, scope: Token, line: &Line<'_>) {
        let Some(log) = self.api.log else { return };
        let text = |text: &str| Bytes::of(text.as_bytes());
        let (target, message, fields) = (text(line.target), text(line.message), text(line.fields));
        // SAFETY: all texts live until the function returns.
        unsafe { log(scope, line.level, &target, &message, &fields) }
    }

    pub(crate) fn metric_define(&self, plugin: Token, kind: u32, name: &str, help: &str) -> Option<u32> {
        let define = self.api.metric_define?;
        let (name, help) = (Bytes::of(name.as_bytes()), Bytes::of(help.as_bytes()));
        let mut id = 0;
        // SAFETY: all texts and the place for the id live until the function returns.
        let status = unsafe { define(plugin, kind, &name, &help, &mut id) };
        (status == abi::OK).then_some(id)
    }

    pub(crate) fn metric_record(&self, plugin: Token, id: u32, value: f64) {
        if let Some(record) = self.api.metric_record {
            // SAFETY: numbers only. A plugin that is gone records nothing.
            let _stale = unsafe { record(plugin, id, value) };
        }
    }

    /// # Safety
    /// `out` is what the host gave for this very call of a plugin function.
    pub(crate) unsafe fn write(&self, out: *mut abi::Out, bytes: &[u8]) -> i32 {
        // SAFETY: the caller's promise; the bytes live until the function returns.
        self.api.out_write.map_or(abi::E_UNSUPPORTED, |write| unsafe { write(out, bytes.as_ptr(), bytes.len()) })
    }
}

/// Rounded up: a wait is never shorter than asked for.
fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}
