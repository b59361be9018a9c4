//! A failure of the database, whichever it is, and what it comes to for whoever asked.

use std::error::Error;

use thingcall_core::{JournalError, SubscriptionError};
use thingcall_tsl::DirectoryError;

use crate::trouble::Trouble;

/// Something failed in the database, or on the way to it.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub(crate) struct Failure {
    trouble: Trouble,
    in_doubt: bool,
    why: Box<dyn Error + Send + Sync>,
}

impl Failure {
    /// One of this kind. `in_doubt`: whether what was asked for may be found written nevertheless.
    pub(crate) fn new(trouble: Trouble, in_doubt: bool, why: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self { trouble, in_doubt, why: why.into() }
    }

    /// What it is a case of.
    pub(crate) const fn trouble(&self) -> Trouble {
        self.trouble
    }

    /// Whether what was asked for is written.
    pub(crate) const fn written(&self) -> Written {
        if self.in_doubt { Written::Perhaps } else { Written::No }
    }

    /// The database's own words.
    pub(crate) fn into_source(self) -> Box<dyn Error + Send + Sync> {
        self.why
    }
}

/// Whether what was asked for is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Written {
    /// It is not.
    No,
    /// It is, and could not be read back.
    Yes,
    /// Nobody can say.
    Perhaps,
}

/// Why a piece of work on the write connection ended before its end.
#[derive(Debug)]
pub(crate) enum Stop<E> {
    /// What was asked for cannot be; the store is well.
    Refused(E),
    /// The store failed.
    Failed(Failure),
    /// It was written, and could not be read back.
    Unread(Failure),
}

impl<E> From<Failure> for Stop<E> {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

/// An error that can say that the store failed.
pub(crate) trait SaysTrouble {
    /// The store failed so.
    fn says(trouble: Trouble, written: Written) -> Self;
}

impl SaysTrouble for JournalError {
    fn says(trouble: Trouble, written: Written) -> Self {
        Self::Unwritable { why: trouble.to_string(), in_doubt: written != Written::No }
    }
}

impl SaysTrouble for SubscriptionError {
    fn says(trouble: Trouble, written: Written) -> Self {
        Self::Unwritable(in_words(trouble, written))
    }
}

impl SaysTrouble for DirectoryError {
    fn says(trouble: Trouble, written: Written) -> Self {
        Self::Unwritable(in_words(trouble, written))
    }
}

/// The same for people who change something.
pub(crate) fn in_words(trouble: Trouble, written: Written) -> String {
    match written {
        Written::No => format!("{trouble}; nothing was changed"),
        Written::Yes => format!("{trouble}: the change is written, and is taken over once it can be read"),
        Written::Perhaps => format!("{trouble}; look whether the change was made before you make it again"),
    }
}
