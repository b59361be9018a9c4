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
    Bytes, CallResult, DoneFn, E_INTERNAL, E_INVAL, E_LIMIT, E_STALE, E_UNSUPPORTED, FORMAT_JSON, Forward, HostApi,
    LOG_DEBUG, LOG_ERROR, LOG_INFO, LOG_TRACE, LOG_WARN, MAJOR, MINOR, OK, Out, Token,
};
use tokio::time::Instant;
use tracing::Level;

use crate::call::{CallActor, Completion};
use crate::foreign::{self, read_sized, size32};
use crate::instance::{Foreign, known_status};
use crate::log_lines::Line;
use crate::operation::Ordered;
use crate::own_metrics::Definition;
use crate::request::left_ms;
use crate::tokens::{self, Named};
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

unsafe extern "C" fn complete(token: Token, result: *const CallResult) -> i32 {
    fenced(E_INTERNAL, || {
        let told = tokens::with_call(token, |call| {
            // SAFETY: the contract: null, or a result of the size it says.
            let Some(result) = (unsafe { read_sized(result) }) else { return E_INVAL };
            // SAFETY: the contract: its bytes are readable until this returns.
            match unsafe { end(&result, call) } {
                Err(status) | Ok((status, OK)) => status,
                Ok(_) => stale(token),
            }
        });
        told.unwrap_or_else(|| stale(token))
    })
}

/// Counts an answer that came too late, for the plugin whose call it was.
fn stale(token: Token) -> i32 {
    if let Some(series) = tokens::owner(token) {
        series.stale.inc();
    }
    E_STALE
}

/// Ends a call as a result says. Gives the status for its giver, and whether the call ended by it. What is malformed
/// leaves the call open; what can be read but breaks a rule ends it, since the plugin may give nothing better and the
/// caller would wait in vain.
///
/// # Safety
/// The result's bytes are readable as long as this runs, where their pointers are not null.
unsafe fn end(result: &CallResult, call: &Arc<CallActor>) -> Result<(i32, i32), i32> {
    let bytes_max = call.instance().terms.plugin_bytes_max;
    let too_large = |bytes: usize| {
        let why = format!("its answer has {bytes} bytes, {bytes_max} are allowed (plugin_bytes_max)");
        (E_LIMIT, call.complete(Completion::Broken(why)))
    };
    // SAFETY: the caller vouches for them.
    let message = match unsafe { foreign::bytes(result.message, bytes_max) } {
        Ok(message) => String::from_utf8_lossy(message),
        Err(E_LIMIT) => return Ok(too_large(result.message.len)),
        Err(status) => return Err(status),
    };
    // SAFETY: the caller vouches for them.
    let data = match unsafe { foreign::bytes(result.data, bytes_max) } {
        Ok(data) => data,
        Err(E_LIMIT) => return Ok(too_large(result.data.len)),
        Err(status) => return Err(status),
    };
    match result.status {
        OK => {}
        status if status < OK => {
            let mut message = message.into_owned();
            message.truncate(message.floor_char_boundary(REASON_BYTES_MAX));
            let completion = Completion::Failed { status: known_status(status), message };
            return Ok((OK, call.complete(completion)));
        }
        _ => return Err(E_INVAL),
    }
    if !is_json(result.format) {
        let why = "its answer is not in JSON".to_owned();
        return Ok((E_UNSUPPORTED, call.complete(Completion::Broken(why))));
    }
    let code = result.code;
    if let Some(ended) = call.complete_with_latest(code, &message, data) {
        return Ok((OK, ended));
    }
    let data = if data.is_empty() { Some("{}") } else { json_object(data) };
    let Some(data) = data.map(str::to_owned) else {
        let why = "its answer's data is not a JSON object".to_owned();
        return Ok((E_INVAL, call.complete(Completion::Broken(why))));
    };
    let message = if message.is_empty() { None } else { Some(message.into_owned()) };
    Ok((OK, call.complete(Completion::Answered { code, message, data })))
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
    fenced(E_INTERNAL, || tokens::with_call(token, CallActor::wake).unwrap_or(E_STALE))
}

unsafe extern "C" fn forward(token: Token, command: *const Forward, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    let user = Foreign(user);
    fenced(E_INTERNAL, || {
        let ordered = tokens::with_call(token, |call| {
            // SAFETY: the contract: null, or a command of the size it says.
            let (Some(command), Some(done)) = (unsafe { read_sized(command) }, done) else { return E_INVAL };
            if !is_json(command.format) {
                return E_UNSUPPORTED;
            }
            // SAFETY: the contract: its bytes are readable until this returns.
            let args = match unsafe { foreign::bytes(command.args, call.instance().terms.plugin_bytes_max) } {
                Ok(args) => args_of(args, call.request().args()),
                Err(status) => return status,
            };
            let Some(args) = args else { return E_INVAL };
            let limit = (command.timeout_ms > 0).then(|| Duration::from_millis(command.timeout_ms));
            call.order(Ordered::Forward(args, limit), done, user)
        });
        ordered.unwrap_or(E_STALE)
    })
}

/// A command's arguments; `None` if they are no JSON object. Most plugins pass on what they got, which was checked.
fn args_of(bytes: &[u8], own: &Args) -> Option<Args> {
    if bytes == own.as_str().as_bytes() { Some(own.clone()) } else { json_object(bytes).map(Args::checked) }
}

unsafe extern "C" fn timer(scope: Token, ms: u64, done: Option<DoneFn>, user: *mut c_void) -> i32 {
    let user = Foreign(user);
    fenced(E_INTERNAL, || {
        let wait = Duration::from_millis(ms);
        match (tokens::get(scope), done) {
            (None, _) => E_STALE,
            (Some(_), None) => E_INVAL,
            (Some(Named::Call(call)), Some(done)) => call.order(Ordered::Timer(wait), done, user),
            (Some(Named::Plugin(plugin)), Some(done)) => plugin.timer(wait, done, user),
        }
    })
}

unsafe extern "C" fn cancel(scope: Token, number: i32) -> i32 {
    fenced(E_INTERNAL, || match tokens::get(scope) {
        None => E_STALE,
        Some(Named::Call(call)) => call.cancel(number),
        Some(Named::Plugin(plugin)) => plugin.cancel(number),
    })
}

unsafe extern "C" fn remaining_ms(token: Token) -> i64 {
    fenced(E_INTERNAL.into(), || {
        let Some(call) = tokens::call(token) else { return E_STALE.into() };
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

unsafe extern "C" fn log_enabled(scope: Token, number: i32) -> i32 {
    fenced(0, || match (level(number), tokens::owner(scope)) {
        (Some(level), Some(_)) => log_lines::enabled(level).into(),
        _ => 0,
    })
}

unsafe extern "C" fn log(scope: Token, number: i32, target: *const Bytes, message: *const Bytes, fields: *const Bytes) {
    fenced((), || {
        let (Some(level), Some(series)) = (level(number), tokens::owner(scope)) else { return };
        if log_lines::enabled(level) {
            // SAFETY: the contract: null, or readable until this returns.
            let target = unsafe { foreign::text(target, log_lines::TARGET_BYTES_MAX) };
            // SAFETY: see above.
            let message = unsafe { foreign::text(message, log_lines::MESSAGE_BYTES_MAX) };
            // SAFETY: see above.
            let fields = unsafe { foreign::text(fields, log_lines::MESSAGE_BYTES_MAX) };
            let call = tokens::call(scope).map(|actor| actor.request().id().as_u32());
            let line = Line { plugin: &series.plugin, call, module: &target, message: &message, fields: &fields };
            log_lines::write(level, &line);
        }
    });
}

unsafe extern "C" fn metric_define(
    plugin: Token,
    kind: u32,
    name: *const Bytes,
    help: *const Bytes,
    id: *mut u32,
) -> i32 {
    fenced(E_INTERNAL, || {
        let Some(plugin) = tokens::plugin(plugin) else { return E_STALE };
        if id.is_null() {
            return E_INVAL;
        }
        // SAFETY: the contract: null, or readable until this returns.
        let name = unsafe { foreign::text(name, METRIC_NAME_BYTES_MAX) };
        // SAFETY: see above.
        let help = unsafe { foreign::text(help, HELP_BYTES_MAX) };
        let instance = plugin.instance();
        match instance.own.define(&Definition { kind, name, help }) {
            Ok(number) => {
                // SAFETY: the contract: a place for a number; it need not be aligned.
                unsafe { id.write_unaligned(number) };
                OK
            }
            Err(status) => status,
        }
    })
}

unsafe extern "C" fn metric_record(plugin: Token, id: u32, value: f64) -> i32 {
    fenced(E_INTERNAL, || tokens::plugin(plugin).map_or(E_STALE, |plugin| plugin.instance().own.record(id, value)))
}

unsafe extern "C" fn out_write(place: *mut Out, from: *const u8, len: usize) -> i32 {
    fenced(E_INTERNAL, || {
        // SAFETY: the contract: `len` readable bytes, or null.
        out::write(place, len, || unsafe { foreign::bytes(Bytes { ptr: from, len }, len) })
    })
}

#[cfg(test)]
mod tests;
