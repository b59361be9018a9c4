//! Locks of what stays whole.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Locks a mutex; what it guards stays whole where a holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
