//! Whether anything that a request asked for may have come to a device: noted where calls are made, for who keeps the request's token.
//!
//! **Invariant:** what nobody noted may have come.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use thingcall_core::{CallError, Executed};
use thingcall_engine::Invoked;

tokio::task_local! {
    static SEEN: Arc<Seen>;
}

#[derive(Debug, Default)]
struct Seen {
    /// A call found no device.
    nobody: AtomicBool,
    /// Another one may have found its device.
    perhaps: AtomicBool,
}

/// What came of all calls of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reached {
    /// Nothing, and nothing will.
    Nobody,
    Perhaps,
}

/// Does this, and says what came of the calls that it made.
pub(crate) async fn watched<T>(work: impl Future<Output = T>) -> (T, Reached) {
    let seen = Arc::new(Seen::default());
    let done = SEEN.scope(seen.clone(), work).await;
    let nobody = seen.nobody.load(Ordering::Relaxed) && !seen.perhaps.load(Ordering::Relaxed);
    (done, if nobody { Reached::Nobody } else { Reached::Perhaps })
}

/// Notes how a call ended.
pub(crate) fn note(ended: &Result<Invoked, CallError>) {
    let nobody = match ended {
        Ok(invoked) => invoked.reached_nobody,
        Err(error) => error.executed() == Executed::No,
    };
    // Nobody watches requests without a token.
    let _unwatched = SEEN.try_with(|seen| {
        let seen = if nobody { &seen.nobody } else { &seen.perhaps };
        seen.store(true, Ordering::Relaxed);
    });
}
