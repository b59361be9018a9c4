//! The end of a process in which threads of a plugin still run.

#![expect(unsafe_code, reason = "declares the C library's `_exit`")]

use std::ffi::c_int;

use crate::ended;

// SAFETY: the declaration is POSIX's; the function takes any status, touches no memory and does not return.
unsafe extern "C" {
    safe fn _exit(status: c_int) -> !;
}

/// Ends the process at once with this status: no destructor of a library runs beside a thread that may still use it.
/// What is buffered is lost, so flush it before. No plugin is blamed for it.
pub fn exit_at_once(status: i32) -> ! {
    ended::asked_to();
    _exit(status)
}
