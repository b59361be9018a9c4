//! Panics end here: none crosses the boundary.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{catch_unwind, AssertUnwindSafe};

use crate::log::{self, Level};

thread_local! {
    /// What the last panic on this thread said, and where.
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs plugin code; a panic becomes its text.
pub(crate) fn caught<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // Unwind safe: after a panic the call's future is dropped and never polled again.
    catch_unwind(AssertUnwindSafe(run)).map_err(|payload| {
        let said = LAST.with_borrow_mut(Option::take);
        said.unwrap_or_else(|| words(&*payload)).tap_drop(payload)
    })
}

trait TapDrop {
    fn tap_drop(self, payload: Box<dyn Any + Send>) -> Self;
}

impl TapDrop for String {
    /// Drops what was thrown; if that throws again, what comes then is left alone.
    fn tap_drop(self, payload: Box<dyn Any + Send>) -> Self {
        if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            std::mem::forget(again);
        }
        self
    }
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}

/// Has panics of this library told to the host's log instead of stderr. A library has its own standard library and with
/// it its own hook.
pub(crate) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let text = format!("{}{place}", words_of(panic));
        log::write(Level::Error, "panic", format_args!("{text}"));
        LAST.with_borrow_mut(|last| *last = Some(text));
    }));
}

fn words_of(panic: &std::panic::PanicHookInfo<'_>) -> String {
    let payload = panic.payload();
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
