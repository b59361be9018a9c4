//! Why a transport is not ready.

use std::sync::{Mutex, PoisonError};

/// Why a transport is not ready, for all who ask.
#[derive(Debug)]
pub(crate) struct Standing(Mutex<Option<String>>);

impl Standing {
    /// Not ready, for this reason.
    pub(crate) fn new(why: impl Into<String>) -> Self {
        Self(Mutex::new(Some(why.into())))
    }

    /// Says how it stands.
    pub(crate) fn set(&self, failure: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = failure;
    }

    /// Why it is not ready; `None` if it is.
    pub(crate) fn failure(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is ready.
    pub(crate) fn holds(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }
}
