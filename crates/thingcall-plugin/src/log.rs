//! Lines in the server's log, under the plugin's name.

use std::cell::Cell;
use std::fmt::Arguments;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::abi;
use crate::host::{Host, Line};

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Level {
    /// An operator must act.
    Error = abi::LOG_ERROR,
    /// It healed, but look.
    Warn = abi::LOG_WARN,
    /// Start, stop, connect, lose.
    Info = abi::LOG_INFO,
    /// Every call.
    Debug = abi::LOG_DEBUG,
    /// Everything.
    Trace = abi::LOG_TRACE,
}

/// The plugin's token, for lines outside of a call.
static PLUGIN: AtomicU64 = AtomicU64::new(0);

thread_local! {
    /// The call whose handler runs on this thread.
    static CALL: Cell<abi::Token> = const { Cell::new(0) };
}

/// Writes a line, if its level is logged. The macros call it.
pub fn write(level: Level, target: &str, message: Arguments<'_>) {
    if enabled(level) {
        match message.as_str() {
            Some(text) => send(level, target, text, ""),
            None => send(level, target, &message.to_string(), ""),
        }
    }
}

/// Whether lines of this level are logged.
pub fn enabled(level: Level) -> bool {
    Host::get().is_some_and(|host| host.log_enabled(scope(), level as i32))
}

/// Hands a line over; `fields` is a JSON object, or nothing.
pub(crate) fn send(level: Level, target: &str, message: &str, fields: &str) {
    if let Some(host) = Host::get() {
        host.log(scope(), &Line { level: level as i32, target, message, fields });
    }
}

fn scope() -> abi::Token {
    match CALL.get() {
        0 => PLUGIN.load(Ordering::Relaxed),
        call => call,
    }
}

pub(crate) fn set_plugin(token: abi::Token) {
    PLUGIN.store(token, Ordering::Relaxed);
}

/// Until it is dropped, lines of this thread name the call.
pub(crate) struct Within {
    before: abi::Token,
}

/// Has the lines of this thread name this call.
pub(crate) fn within(call: abi::Token) -> Within {
    Within { before: CALL.replace(call) }
}

impl Drop for Within {
    fn drop(&mut self) {
        CALL.set(self.before);
    }
}

/// Logs an error.
#[macro_export]
macro_rules! error { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Error, module_path!(), format_args!($($arg)+)) } }
/// Logs a warning.
#[macro_export]
macro_rules! warn { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Warn, module_path!(), format_args!($($arg)+)) } }
/// Logs what an operator may want to know.
#[macro_export]
macro_rules! info { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Info, module_path!(), format_args!($($arg)+)) } }
/// Logs what a developer may want to know.
#[macro_export]
macro_rules! debug { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Debug, module_path!(), format_args!($($arg)+)) } }
/// Logs every step.
#[macro_export]
macro_rules! trace { ($($arg:tt)+) => { $crate::log::write($crate::log::Level::Trace, module_path!(), format_args!($($arg)+)) } }
