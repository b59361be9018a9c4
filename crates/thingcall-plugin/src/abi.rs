//! The plugin ABI, major version 1, as `include/thingcall_plugin.h` says it: that file is the truth, and holds the
//! rules of ownership, threads and growth.
//!
//! **Invariant:** sizes and offsets are those of the C header; a test compares them.

use core::ffi::c_void;

/// The major version: both sides must have the same.
pub const MAJOR: u16 = 1;
/// The minor version: structs only grow at their end.
pub const MINOR: u16 = 1;

/// The symbol of the manifest: a NUL-terminated JSON text in read-only data.
pub const MANIFEST_SYMBOL: &str = "thingcall_plugin_manifest_v1";
/// The symbol of the function that returns the plugin's table.
pub const ENTRY_SYMBOL: &str = "thingcall_plugin_entry_v1";

/// Names a call or a plugin instance, with a generation inside; 0 is never valid.
pub type Token = u64;

/// All is well.
pub const OK: i32 = 0;
/// The token is finished, cancelled or was never given out.
pub const E_STALE: i32 = -1;
/// A bad argument.
pub const E_INVAL: i32 = -2;
/// A limit is reached.
pub const E_LIMIT: i32 = -3;
/// The caller went away or the call was answered already.
pub const E_CANCELLED: i32 = -4;
/// No device reply in time.
pub const E_TIMEOUT: i32 = -5;
/// The device is not connected.
pub const E_OFFLINE: i32 = -6;
/// Plugin code panicked.
pub const E_PANIC: i32 = -7;
/// Not in this version.
pub const E_UNSUPPORTED: i32 = -8;
/// Anything else.
pub const E_INTERNAL: i32 = -9;
/// The host or this generation of the plugin stops.
pub const E_SHUTDOWN: i32 = -10;

/// The caller waits for the device.
pub const MODE_SYNC: u32 = 1;
/// The caller is answered when the command is durable.
pub const MODE_ASYNC: u32 = 2;
/// The bytes are JSON.
pub const FORMAT_JSON: u32 = 1;
/// The bytes are the device's own.
pub const FORMAT_RAW: u32 = 2;

/// The device did it.
pub const CODE_SUCCESS: i32 = 200;
/// An asynchronous command is durable and on its way.
pub const CODE_ACCEPTED: i32 = 202;

/// Log levels.
pub const LOG_ERROR: i32 = 1;
/// See [`LOG_ERROR`].
pub const LOG_WARN: i32 = 2;
/// See [`LOG_ERROR`].
pub const LOG_INFO: i32 = 3;
/// See [`LOG_ERROR`].
pub const LOG_DEBUG: i32 = 4;
/// See [`LOG_ERROR`].
pub const LOG_TRACE: i32 = 5;

/// Kinds of metrics.
pub const METRIC_COUNTER: u32 = 1;
/// See [`METRIC_COUNTER`].
pub const METRIC_GAUGE: u32 = 2;
/// See [`METRIC_COUNTER`].
pub const METRIC_HISTOGRAM: u32 = 3;

/// The size of a struct, as its first field says it.
#[allow(clippy::cast_possible_truncation, reason = "the structs are some hundred bytes at most")]
pub const fn struct_size<T>() -> u32 {
    size_of::<T>() as u32
}

/// Borrowed bytes; `ptr` may be null only where `len` is 0.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Bytes {
    /// The first byte.
    pub ptr: *const u8,
    /// How many.
    pub len: usize,
}

impl Bytes {
    /// None.
    pub const EMPTY: Self = Self { ptr: core::ptr::null(), len: 0 };

    /// Borrows these; whoever gets them must not use them after `bytes` ends.
    pub const fn of(bytes: &[u8]) -> Self {
        Self { ptr: bytes.as_ptr(), len: bytes.len() }
    }
}

/// One service call (`thingcall_request`).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Request {
    /// Its size in bytes.
    pub struct_size: u32,
    /// `MODE_*`.
    pub mode: u32,
    /// `FORMAT_*` of `args`.
    pub format: u32,
    /// Zero.
    pub reserved0: u32,
    /// Left when `begin` was called; `u64::MAX` = none.
    pub timeout_ms: u64,
    /// The product.
    pub product_key: Bytes,
    /// The device.
    pub device_name: Bytes,
    /// As called: `testFb:testService`.
    pub identifier: Bytes,
    /// `testFb`; empty for the default module.
    pub module: Bytes,
    /// `testService`.
    pub service: Bytes,
    /// For logs.
    pub request_id: Bytes,
    /// The arguments.
    pub args: Bytes,
    /// Since 1.1: the plugin's own place in a trace, as W3C's header has it; empty where the call belongs to none.
    pub traceparent: Bytes,
    /// Since 1.1: what tracing systems say to themselves beside it.
    pub tracestate: Bytes,
}

/// An answer, both ways (`thingcall_result`).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct CallResult {
    /// Its size in bytes.
    pub struct_size: u32,
    /// [`OK`] or why there is no answer.
    pub status: i32,
    /// The Alink code.
    pub code: i32,
    /// `FORMAT_*` of `data`; 0 = JSON.
    pub format: u32,
    /// The data.
    pub data: Bytes,
    /// The words; may be empty.
    pub message: Bytes,
}

/// A command to the device (`thingcall_forward`).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct Forward {
    /// Its size in bytes.
    pub struct_size: u32,
    /// `FORMAT_*` of `args`; 0 = JSON.
    pub format: u32,
    /// 0 = what is left of the call.
    pub timeout_ms: u64,
    /// The arguments.
    pub args: Bytes,
}

/// Tells the end of an operation, exactly once.
pub type DoneFn = unsafe extern "C" fn(user: *mut c_void, result: *const CallResult);

/// A place the host lets the plugin write bytes to.
#[repr(C)]
#[derive(Debug)]
pub struct Out {
    _opaque: [u8; 0],
}

/// What the host gives (`thingcall_host_api`).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct HostApi {
    /// Its size in bytes.
    pub struct_size: u32,
    /// The host's [`MAJOR`].
    pub abi_major: u16,
    /// The host's [`MINOR`].
    pub abi_minor: u16,
    /// Answers a call.
    pub complete: Option<unsafe extern "C" fn(Token, *const CallResult) -> i32>,
    /// Asks for a `poll`.
    pub wake: Option<unsafe extern "C" fn(Token) -> i32>,
    /// Sends to the next middleware, at last to the device.
    pub forward: Option<unsafe extern "C" fn(Token, *const Forward, Option<DoneFn>, *mut c_void) -> i32>,
    /// Tells when a time has passed.
    pub timer: Option<unsafe extern "C" fn(Token, u64, Option<DoneFn>, *mut c_void) -> i32>,
    /// Gives up an operation.
    pub cancel: Option<unsafe extern "C" fn(Token, i32) -> i32>,
    /// Milliseconds before the deadline.
    pub remaining_ms: Option<unsafe extern "C" fn(Token) -> i64>,
    /// Whether a level is logged.
    pub log_enabled: Option<unsafe extern "C" fn(Token, i32) -> i32>,
    /// Logs: target, message, fields.
    pub log: Option<unsafe extern "C" fn(Token, i32, *const Bytes, *const Bytes, *const Bytes)>,
    /// Defines a metric: kind, name, help, id. Only inside `create`.
    pub metric_define: Option<unsafe extern "C" fn(Token, u32, *const Bytes, *const Bytes, *mut u32) -> i32>,
    /// Records a value.
    pub metric_record: Option<unsafe extern "C" fn(Token, u32, f64) -> i32>,
    /// Appends bytes to a place to write to.
    pub out_write: Option<unsafe extern "C" fn(*mut Out, *const u8, usize) -> i32>,
}

/// What `encode` and `decode` get (`thingcall_codec_req`).
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct CodecRequest {
    /// Its size in bytes.
    pub struct_size: u32,
    /// Zero.
    pub reserved0: u32,
    /// The product.
    pub product_key: Bytes,
    /// The device.
    pub device_name: Bytes,
    /// The service; may be empty in `decode`.
    pub identifier: Bytes,
    /// What to translate.
    pub input: Bytes,
}

/// `create`: host, plugin token, configuration (JSON), place for an error's text, the instance.
pub type CreateFn = unsafe extern "C" fn(*const HostApi, Token, *const Bytes, *mut Out, *mut *mut c_void) -> i32;
/// `begin`: instance, call, request, the call's state.
pub type BeginFn = unsafe extern "C" fn(*mut c_void, Token, *const Request, *mut *mut c_void) -> i32;
/// `poll`: instance, call, the call's state.
pub type PollFn = unsafe extern "C" fn(*mut c_void, Token, *mut c_void);
/// `end`: instance, call, the call's state, reason.
pub type EndFn = unsafe extern "C" fn(*mut c_void, Token, *mut c_void, i32);
/// `encode` and `decode`: instance, request, place for the output.
pub type CodecFn = unsafe extern "C" fn(*mut c_void, *const CodecRequest, *mut Out) -> i32;

/// What the plugin gives (`thingcall_plugin_api`): one static table; `None` = not there.
#[repr(C)]
#[derive(Debug, Clone, Copy)]
pub struct PluginApi {
    /// Its size in bytes.
    pub struct_size: u32,
    /// The [`MAJOR`] it was built with.
    pub abi_major: u16,
    /// The [`MINOR`] it was built with.
    pub abi_minor: u16,
    /// Makes the instance.
    pub create: Option<CreateFn>,
    /// Starts a call.
    pub begin: Option<BeginFn>,
    /// Goes on with a call after `wake`.
    pub poll: Option<PollFn>,
    /// Ends a call whose `begin` set a state.
    pub end: Option<EndFn>,
    /// The device's bytes to an Alink message.
    pub decode: Option<CodecFn>,
    /// An Alink message to the device's bytes.
    pub encode: Option<CodecFn>,
    /// Frees the instance.
    pub destroy: Option<unsafe extern "C" fn(*mut c_void)>,
}

/// What [`ENTRY_SYMBOL`] names.
pub type EntryFn = unsafe extern "C" fn() -> *const PluginApi;

const _: () = {
    use core::mem::{offset_of, size_of};
    assert!(size_of::<usize>() == 8, "only 64-bit targets");
    assert!(size_of::<Bytes>() == 16 && size_of::<Request>() == 168 && size_of::<CallResult>() == 48);
    assert!(size_of::<Forward>() == 32 && size_of::<CodecRequest>() == 72);
    assert!(size_of::<HostApi>() == 96 && size_of::<PluginApi>() == 64);
    assert!(offset_of!(Request, product_key) == 24 && offset_of!(CallResult, data) == 16);
    assert!(offset_of!(HostApi, complete) == 8 && offset_of!(PluginApi, create) == 8);
};

#[cfg(test)]
mod tests;
