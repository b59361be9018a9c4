//! In whose code a thread is, and for which call: left as a mark where a signal's handler may read it.
#![expect(unsafe_code, reason = "reads what was leaked on purpose")]

use std::cell::Cell;
use std::sync::atomic::{AtomicPtr, AtomicU32, Ordering};

/// One generation of a plugin, in the words that are left if it ends the process. It is never freed, as its code is not.
#[derive(Debug)]
pub struct Whose {
    words: String,
}

/// Where a thread is: in whose code, or in nobody's.
pub(crate) type Place = AtomicPtr<Whose>;

thread_local! {
    /// This thread's place, once it was in plugin code. Neither this nor the next needs a destructor, so that a handler
    /// may read them.
    static PLACE: Cell<Option<&'static Place>> = const { Cell::new(None) };
    /// The call whose message is translated; 0: none.
    static TRANSLATED: AtomicU32 = const { AtomicU32::new(0) };
}

impl Whose {
    /// A generation that is named so: a JSON object up to where the signal stands, without its closing brace.
    pub fn new(words: String) -> &'static Self {
        Box::leak(Box::new(Self { words }))
    }

    pub(crate) fn words(&self) -> &str {
        &self.words
    }
}

/// From now on this is the place of this thread, for handlers.
pub(crate) fn here_is(place: Option<&'static Place>) {
    PLACE.set(place);
}

/// Runs the translation of a message of this call.
pub(crate) fn translating<R>(call: Option<u32>, run: impl FnOnce() -> R) -> R {
    let before = TRANSLATED.with(|at| at.swap(call.unwrap_or(0), Ordering::Relaxed));
    let result = run();
    TRANSLATED.with(|at| at.store(before, Ordering::Relaxed));
    result
}

/// The call whose message is translated on this thread.
pub(crate) fn translated() -> Option<u32> {
    let call = TRANSLATED.with(|at| at.load(Ordering::Relaxed));
    (call != 0).then_some(call)
}

/// Whose code runs on this thread.
pub(crate) fn whose() -> Option<&'static Whose> {
    let whose = PLACE.get()?.load(Ordering::Relaxed);
    // SAFETY: null, or what [`Whose::new`] gave, which is never freed.
    unsafe { whose.as_ref() }
}
