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
        let said = LAST.try_with(|last| last.borrow_mut().take()).ok().flatten();
        let said = said.unwrap_or_else(|| words(&*payload));
        discard(payload);
        said
    })
}

/// How often what was thrown may throw again when it is dropped.
const DROPS_MAX: u32 = 4;

/// Drops what was thrown; what throws again and again is left alone.
fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..DROPS_MAX {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(again) => payload = again,
        }
    }
    std::mem::forget(payload);
}

/// Has panics of this library told to the host's log instead of stderr. A library has its own standard library and with
/// it its own hook.
pub(crate) fn tell_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(|place| format!(" at {}:{}", place.file(), place.line())).unwrap_or_default();
        let text = format!("{}{place}", words(panic.payload()));
        log::write(Level::Error, "panic", format_args!("{text}"));
        // A thread that ends has none any more.
        let _gone = LAST.try_with(|last| *last.borrow_mut() = Some(text));
    }));
}

fn words(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
