//! The last words of a process that plugin code ends: which plugin, which of its generations, which call, which signal.
//!
//! **Invariant:** what runs in a signal's handler only reads what lies ready and writes to a file that is open: no
//! allocation, no lock, no formatting. Then the signal goes its way: to the handler that was there before (Rust's, which
//! tells of a stack that overflowed) or to the system, so that exit status and core dump are as without this.
#![expect(unsafe_code, reason = "handles signals")]

use std::ffi::{c_int, c_void};
use std::fs::File;
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, IntoRawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};
use std::sync::{Once, OnceLock};

use crate::call::CallActor;
use crate::whose::{translated, whose};

/// What code that went wrong ends a process with.
const SIGNALS: [c_int; 5] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGABRT, libc::SIGILL, libc::SIGFPE];
/// What the handlers were before, in that order.
static BEFORE: [OnceLock<libc::sigaction>; 5] = [const { OnceLock::new() }; 5];

/// So much of the file is taken from the disk beforehand: when it counts, the disk may be full.
const NOTE_BYTES: usize = 8192;
/// Where the words go; negative: nowhere yet.
static NOTE: AtomicI32 = AtomicI32::new(-1);
/// Only the first words count: what follows is the end of the same fault.
static WRITTEN: AtomicBool = AtomicBool::new(false);

/// Has what this process says written to this file.
///
/// # Errors
/// If it cannot be written.
pub fn listen(mut note: File) -> io::Result<()> {
    note.rewind()?;
    note.write_all(&[0; NOTE_BYTES])?;
    note.rewind()?;
    write_to(note)?;
    handle_signals();
    Ok(())
}

/// Has the words go to this file: in one step, if there was one before it.
fn write_to(file: File) -> io::Result<()> {
    let known = NOTE.load(Ordering::Acquire);
    if known < 0 {
        NOTE.store(file.into_raw_fd(), Ordering::Release);
        return Ok(());
    }
    // SAFETY: both are open: one is the caller's, the other is never closed.
    match unsafe { libc::dup3(file.as_raw_fd(), known, libc::O_CLOEXEC) } {
        -1 => Err(io::Error::last_os_error()),
        _ => Ok(()),
    }
}

/// Once in a process.
fn handle_signals() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        for (signal, before) in SIGNALS.into_iter().zip(&BEFORE) {
            // SAFETY: all of it is integers: zero is a value, the default action.
            let mut ours = unsafe { std::mem::zeroed::<libc::sigaction>() };
            let mut theirs = ours;
            let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = on_signal;
            ours.sa_sigaction = handler as *const () as libc::sighandler_t;
            // On the stack that Rust gives each of its threads for this: the usual one may be what overflowed.
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: asks what is there, and changes nothing.
            if unsafe { libc::sigaction(signal, ptr::null(), &raw mut theirs) } == 0 {
                let _first = before.set(theirs);
                // SAFETY: the handler does only what may be done in one, and finds what was there before.
                unsafe { libc::sigaction(signal, &raw const ours, ptr::null_mut()) };
            }
        }
        // SAFETY: the function lives as long as the process.
        unsafe { libc::atexit(on_exit) };
    });
}

extern "C" fn on_signal(signal: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the system hands a valid description to a handler of this kind, and its sender is there where it has one.
    let (sent, by_us) = unsafe { ((*info).si_code <= 0, (*info).si_code > 0 || (*info).si_pid() == libc::getpid()) };
    // What somebody else sent is no plugin's.
    if by_us {
        leave_note(signal);
    }
    let before = SIGNALS.iter().position(|one| *one == signal).and_then(|at| BEFORE.get(at)?.get());
    let Some(before) = before else { return };
    if before.sa_sigaction != libc::SIG_DFL && before.sa_sigaction != libc::SIG_IGN {
        // SAFETY: it was this signal's handler before, of the kind that its flags tell.
        unsafe {
            if before.sa_flags & libc::SA_SIGINFO == 0 {
                std::mem::transmute::<usize, extern "C" fn(c_int)>(before.sa_sigaction)(signal);
            } else {
                let handler = before.sa_sigaction;
                let handler: extern "C" fn(c_int, *mut libc::siginfo_t, *mut c_void) = std::mem::transmute(handler);
                handler(signal, info, context);
            }
        }
        return;
    }
    // SAFETY: both may be used in a handler. What went wrong goes wrong again when this returns, and what was sent comes
    // again: then it is as if nobody had handled it.
    unsafe {
        libc::sigaction(signal, before, ptr::null_mut());
        if sent {
            libc::raise(signal);
        }
    }
}

/// A plugin's `exit` is no signal, but the system tells of it, on the thread that calls it.
extern "C" fn on_exit() {
    leave_note(0);
}

/// The words, in several writes: what is read last may be what cannot be read any more.
fn leave_note(signal: c_int) {
    let Some(whose) = whose() else { return };
    if WRITTEN.swap(true, Ordering::Relaxed) {
        return;
    }
    let note = NOTE.load(Ordering::Acquire);
    put(note, whose.words().as_bytes());
    put(note, b",\"signal\":");
    put_number(note, signal.unsigned_abs());
    if let Some(call) = translated().or_else(CallActor::running) {
        put(note, b",\"call\":");
        put_number(note, call);
    }
    put(note, b"}\n");
}

fn put(note: c_int, words: &[u8]) {
    // SAFETY: the bytes are there; the file is open or none.
    unsafe { libc::write(note, words.as_ptr().cast(), words.len()) };
}

fn put_number(note: c_int, mut number: u32) {
    let mut digits = [0; 10];
    let mut first = digits.len();
    for (at, digit) in digits.iter_mut().enumerate().rev() {
        // The remainder is a digit.
        *digit = b'0' + u8::try_from(number % 10).unwrap_or(0);
        (number, first) = (number / 10, at);
        if number == 0 {
            break;
        }
    }
    put(note, digits.get(first..).unwrap_or_default());
}

/// The name of a signal; 0 is none.
pub fn signal_name(signal: c_int) -> String {
    match signal {
        0 => "exit".to_owned(),
        libc::SIGSEGV => "SIGSEGV".to_owned(),
        libc::SIGBUS => "SIGBUS".to_owned(),
        libc::SIGABRT => "SIGABRT".to_owned(),
        libc::SIGILL => "SIGILL".to_owned(),
        libc::SIGFPE => "SIGFPE".to_owned(),
        other => format!("signal {other}"),
    }
}

#[cfg(test)]
mod tests;
