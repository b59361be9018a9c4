//! Looking something up that memory may have: an answer at once, or one that takes its time.

use std::fmt;
use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What a look-up found; `None` if there is no such thing.
pub type LookedUp<T> = Result<Option<T>, LookUpFailed>;

/// Why nobody can say whether there is such a thing: where it is kept cannot be read. The text is for callers too.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookUpFailed(pub String);

/// A look-up. It is a future like any other; one that memory answers allocates nothing and is ready at the first poll.
#[must_use = "it is a future: nothing is looked up unless it is awaited"]
pub enum LookUp<'a, T> {
    /// Memory answered.
    Known(Ready<LookedUp<T>>),
    /// It is being looked for.
    Sought(Pin<Box<dyn Future<Output = LookedUp<T>> + Send + 'a>>),
}

impl<'a, T> LookUp<'a, T> {
    /// What memory says.
    pub fn known(found: Option<T>) -> Self {
        Self::Known(ready(Ok(found)))
    }

    /// Looks for it, since memory does not say.
    pub fn sought(looking: impl Future<Output = LookedUp<T>> + Send + 'a) -> Self {
        Self::Sought(Box::pin(looking))
    }
}

impl<T> Future for LookUp<'_, T> {
    type Output = LookedUp<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Self::Known(found) => Pin::new(found).poll(cx),
            Self::Sought(looking) => looking.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for LookUp<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Known(_) => "Known",
            Self::Sought(_) => "Sought",
        })
    }
}
