//! What the host gives to plugins: the functions behind the table of the ABI.
//!
//! **Invariants:** each may be called from any thread at any time, never blocks on plugin code, never unwinds, never
//! calls back. Whatever a plugin points at is copied before a function returns.
#![expect(unsafe_code, reason = "takes what plugins hand over")]

use std::ffi::c_void;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use serde::de::IgnoredAny;
use thingcall_core::Args;
use thingcall_plugin::abi::{
    Bytes, CallResult, DoneFn, FORMAT_JSON, Forward, HostApi, LOG_DEBUG, LOG_ERROR, LOG_INFO, LOG_TRACE, LOG_WARN,
    MAJOR, MINOR, OK, Out, Token,
};
use tokio::time::Instant;
use tracing::Level;

use crate::background::Background;
use crate::call::CallActor;
use crate::fault::{Fault, status_of};
use crate::foreign::{self, Foreign, read_sized, size32};
use crate::log_lines::Line;
use crate::mail::Completion;
use crate::metrics::Series;
use crate::operation::Ordered;
use crate::own_metrics::Definition;
use crate::request::left_ms;
use crate::scope::Scope;
use crate::{log_lines, out};

/// How much is kept of what a plugin says about a failed call, in bytes.
const REASON_BYTES_MAX: usize = 1024;
/// How much of a help text is kept, in bytes.
const HELP_BYTES_MAX: usize = 1024;
/// How much of a metric's name is looked at, in bytes; longer ones are refused.
const METRIC_NAME_BYTES_MAX: usize = 128;

/// The table.
pub(crate) static HOST: HostApi = HostApi {
    struct_size: size32::<HostApi>(),
    abi_major: MAJOR,
    abi_minor: MINOR,
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

/// Nothing unwinds into a plugin.
fn fenced<T>(broken: T, run: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(broken)
}

/// The status that a plugin gets.
fn status(run: impl FnOnce() -> Result<(), Fault>) -> i32 {
    fenced(Fault::Internal.status(), || status_of(run()))
}

/// The number that a plugin gets, or a status.
fn number(run: impl FnOnce() -> Result<i32, Fault>) -> i32 {
    fenced(Fault::Internal.status(), || run().unwrap_or_else(Fault::status))
}

/// Who has operations by this token.
fn scope(token: Token) -> Result<Arc<dyn Scope>, Fault> {
    let call = CallActor::named(token).map(|call| -> Arc<dyn Scope> { call });
    call.or_else(|| Some(Background::named(token)?)).ok_or(Fault::Stale)
}

fn plugin(token: Token) -> Result<Arc<Background>, Fault> {
    Background::named(token).ok_or(Fault::Stale)
}

/// The plugin a token belongs to, or belonged to as far as that is remembered.
fn owner(token: Token) -> Option<Arc<Series>> {
    CallActor::owner(token).or_else(|| Background::owner(token))
}

unsafe extern "C" fn complete(token: Token, result: *const CallResult) -> i32 {
    status(|| {
        let told = CallActor::with(token, |call| {
            // SAFETY: the contract: null, or a result of the size it says.
            let result = unsafe { read_sized(result) }.ok_or(Fault::Invalid)?;
            // SAFETY: the contract: its bytes are readable until this returns.
            unsafe { end(&result, call) }
        });
        let told = told.unwrap_or(Err(Fault::Stale));
        // An answer that came too late is counted for the plugin whose call it was.
        if told == Err(Fault::Stale)
            && let Some(series) = owner(token)
        {
            series.stale.inc();
        }
        told
    })
}

/// Ends a call as a result says. What is malformed leaves the call open; what can be read but breaks a rule ends it, since
/// the plugin may give nothing better and the caller would wait in vain.
///
/// # Errors
/// What its giver is told; [`Fault::Stale`] if the call had ended before.
///
/// # Safety
/// The result's bytes are readable as long as this runs, where their pointers are not null.
unsafe fn end(result: &CallResult, call: &Arc<CallActor>) -> Result<(), Fault> {
    let bytes_max = call.instance().terms.plugin_bytes_max;
    let broken = |fault, why: String| call.complete(Completion::Broken(why)).err().unwrap_or(fault);
    let read = |bytes: Bytes| {
        let too_large = || format!("its answer has {} bytes, {bytes_max} are allowed (plugin_bytes_max)", bytes.len);
        // SAFETY: the caller vouches for them.
        let read = unsafe { foreign::bytes(bytes, bytes_max) };
        read.map_err(|fault| if fault == Fault::Limit { broken(fault, too_large()) } else { fault })
    };
    let message = String::from_utf8_lossy(read(result.message)?);
    let data = read(result.data)?;
    if result.status > OK {
        return Err(Fault::Invalid);
    }
    if let Err(fault) = Fault::said(result.status) {
        let mut message = message.into_owned();
        message.truncate(message.floor_char_boundary(REASON_BYTES_MAX));
        return call.complete(Completion::Failed { fault, message });
    }
    if !is_json(result.format) {
        return Err(broken(Fault::Unsupported, "its answer is not in JSON".to_owned()));
    }
    let code = result.code;
    if let Some(ended) = call.complete_with_latest(code, &message, data) {
        return ended;
    }
    let data = if data.is_empty() { Some("{}") } else { json_object(data) };
    let Some(data) = data.map(str::to_owned) else {
        return Err(broken(Fault::Invalid, "its answer's data is not a JSON object".to_owned()));
    };
    let message = if message.is_empty() { None } else { Some(message.into_owned()) };
    call.complete(Completion::Answered { code, message, data })
}

const fn is_json(format: u32) -> bool {
    matches!(format, 0 | FORMAT_JSON)
}

/// The bytes as text, if they are one JSON object.
fn json_object(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes).ok()?.trim_ascii();
    let whole = text.starts_with('{') && serde_json::from_str::<IgnoredAny>(text).is_ok();
    whole.then_some(text)
}

unsafe extern "C" fn wake(token: Token) -> i32 {
    status(|| CallActor::with(token, CallActor::wake).unwrap_or(Err(Fault::Stale)))
}

unsafe extern "C" fn forward(token: Token, command: *const Forward, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    let user = Foreign(user);
    number(|| {
        let ordered = CallActor::with(token, |call| {
            // SAFETY: the contract: null, or a command of the size it says.
            let (Some(command), Some(done)) = (unsafe { read_sized(command) }, done) else {
                return Err(Fault::Invalid);
            };
            if !is_json(command.format) {
                return Err(Fault::Unsupported);
            }
            // SAFETY: the contract: its bytes are readable until this returns.
            let args = unsafe { foreign::bytes(command.args, call.instance().terms.plugin_bytes_max) }?;
            let args = args_of(args, call.request().args()).ok_or(Fault::Invalid)?;
            let limit = (command.timeout_ms > 0).then(|| Duration::from_millis(command.timeout_ms));
            call.order(Ordered::Forward(args, limit), done, user)
        });
        ordered.unwrap_or(Err(Fault::Stale))
    })
}

/// A command's arguments; `None` if they are no JSON object. Most plugins pass on what they got, which was checked.
fn args_of(bytes: &[u8], own: &Args) -> Option<Args> {
    if bytes == own.as_str().as_bytes() { Some(own.clone()) } else { json_object(bytes).map(Args::checked) }
}

unsafe extern "C" fn timer(token: Token, ms: u64, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    let user = Foreign(user);
    number(|| scope(token)?.timer(Duration::from_millis(ms), done.ok_or(Fault::Invalid)?, user))
}

unsafe extern "C" fn cancel(token: Token, number: i32) -> i32 {
    status(|| scope(token)?.cancel(number))
}

unsafe extern "C" fn remaining_ms(token: Token) -> i64 {
    fenced(Fault::Internal.status().into(), || {
        let Some(call) = CallActor::named(token) else { return Fault::Stale.status().into() };
        i64::try_from(left_ms(call.request().deadline(), Instant::now())).unwrap_or(i64::MAX)
    })
}

const fn level(number: i32) -> Option<Level> {
    match number {
        LOG_ERROR => Some(Level::ERROR),
        LOG_WARN => Some(Level::WARN),
        LOG_INFO => Some(Level::INFO),
        LOG_DEBUG => Some(Level::DEBUG),
        LOG_TRACE => Some(Level::TRACE),
        _ => None,
    }
}

unsafe extern "C" fn log_enabled(token: Token, number: i32) -> i32 {
    fenced(0, || match (level(number), owner(token)) {
        (Some(level), Some(_)) => log_lines::enabled(level).into(),
        _ => 0,
    })
}

unsafe extern "C" fn log(token: Token, number: i32, target: *const Bytes, message: *const Bytes, fields: *const Bytes) {
    fenced((), || {
        let (Some(level), Some(series)) = (level(number), owner(token)) else { return };
        if log_lines::enabled(level) {
            // SAFETY: the contract: null, or readable until this returns.
            let target = unsafe { foreign::text(target, log_lines::TARGET_BYTES_MAX) };
            // SAFETY: see above.
            let message = unsafe { foreign::text(message, log_lines::MESSAGE_BYTES_MAX) };
            // SAFETY: see above.
            let fields = unsafe { foreign::text(fields, log_lines::MESSAGE_BYTES_MAX) };
            let call = CallActor::named(token).map(|actor| actor.request().id().as_u32());
            let line = Line { plugin: &series.plugin, call, module: &target, message: &message, fields: &fields };
            log_lines::write(level, &line);
        }
    });
}

unsafe extern "C" fn metric_define(
    token: Token,
    kind: u32,
    name: *const Bytes,
    help: *const Bytes,
    id: *mut u32,
) -> i32 {
    status(|| {
        let plugin = plugin(token)?;
        if id.is_null() {
            return Err(Fault::Invalid);
        }
        // SAFETY: the contract: null, or readable until this returns.
        let name = unsafe { foreign::text(name, METRIC_NAME_BYTES_MAX) };
        // SAFETY: see above.
        let help = unsafe { foreign::text(help, HELP_BYTES_MAX) };
        let number = plugin.instance().own.define(&Definition { kind, name, help })?;
        // SAFETY: the contract: a place for a number; it need not be aligned.
        unsafe { id.write_unaligned(number) };
        Ok(())
    })
}

unsafe extern "C" fn metric_record(token: Token, id: u32, value: f64) -> i32 {
    status(|| plugin(token)?.instance().own.record(id, value))
}

unsafe extern "C" fn out_write(place: *mut Out, from: *const u8, len: usize) -> i32 {
    // SAFETY: the contract: `len` readable bytes, or null.
    status(|| out::write(place, len, || unsafe { foreign::bytes(Bytes { ptr: from, len }, len) }))
}

#[cfg(test)]
mod tests;
