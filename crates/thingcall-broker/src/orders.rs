//! What a session is told to do, in the order in which it was told.
//!
//! **Invariants:** a queue that is empty holds no memory but itself: most devices are idle. It has no limit of its own: whoever
//! puts something into it has a place for that, or answers something of the device's. After its end it takes nothing more.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// The queue, for all who tell the session something and for the one that it is.
pub(crate) struct Orders<T>(Mutex<Queue<T>>);

struct Queue<T> {
    waiting: VecDeque<T>,
    /// The session's, while it waits for something to do.
    waker: Option<Waker>,
    over: bool,
}

impl<T> Orders<T> {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(Queue { waiting: VecDeque::new(), waker: None, over: false }))
    }

    /// Puts an order behind the others; gives it back if the session has ended.
    pub(crate) fn put(&self, order: T) -> Result<(), T> {
        let waker = {
            let mut queue = self.queue();
            if queue.over {
                return Err(order);
            }
            queue.waiting.push_back(order);
            queue.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
        Ok(())
    }

    /// The next order. Cancel-safe.
    pub(crate) async fn next(&self) -> T {
        poll_fn(|cx| self.poll_next(cx)).await
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<T> {
        let mut queue = self.queue();
        if let Some(order) = queue.pop() {
            return Poll::Ready(order);
        }
        match &mut queue.waker {
            Some(waker) => waker.clone_from(cx.waker()),
            None => queue.waker = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// The next order, if there is one.
    pub(crate) fn take(&self) -> Option<T> {
        self.queue().pop()
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.queue().waiting.len()
    }

    /// The session has ended: what waits is dropped.
    pub(crate) fn end(&self) {
        let _dropped_unlocked = {
            let mut queue = self.queue();
            queue.over = true;
            (std::mem::take(&mut queue.waiting), queue.waker.take())
        };
    }

    /// Whether the session has ended.
    pub(crate) fn is_over(&self) -> bool {
        self.queue().over
    }

    /// Nothing that is done under this lock can panic half way.
    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Queue<T> {
    fn pop(&mut self) -> Option<T> {
        let order = self.waiting.pop_front()?;
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(order)
    }
}

#[cfg(test)]
mod tests;
