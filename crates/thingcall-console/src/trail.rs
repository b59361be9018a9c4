//! What a request that may change something did, for the audit log.
//!
//! **Invariant:** who has no trail changes nothing: only a form has one (`form`), and what is put on it is noted when its request ends
//! (`audit`), also if its visitor is gone by then.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use thingcall_core::AUDIT_DONE;

use crate::refused::Refused;

/// How many changes of one request are noted each by itself.
const STEPS_MAX: usize = 1000;

/// What a request did so far. Cheap to clone; all are one.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trail(Arc<Mutex<Done>>);

/// One change that was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// What was asked for.
    pub(crate) action: String,
    /// What it is about.
    pub(crate) target: String,
    /// How it ended.
    pub(crate) outcome: String,
}

/// All of it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Done {
    /// Whose login the request is of.
    pub(crate) key: Option<String>,
    /// What was asked for.
    pub(crate) steps: Vec<Step>,
    /// How many more there were.
    pub(crate) more: usize,
}

impl Trail {
    fn done(&self) -> MutexGuard<'_, Done> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// It is of this key's login.
    pub(crate) fn is_of(&self, key: &str) {
        self.done().key = Some(key.to_owned());
    }

    /// Something was asked for, and ended so.
    pub(crate) fn step(&self, action: &str, target: String, refused: Option<&Refused>) {
        let outcome = refused.map_or(AUDIT_DONE, |why| &why.code).to_owned();
        let mut done = self.done();
        if done.steps.len() < STEPS_MAX {
            done.steps.push(Step { action: action.to_owned(), target, outcome });
        } else {
            done.more += 1;
        }
    }

    /// What there is.
    pub(crate) fn so_far(&self) -> Done {
        self.done().clone()
    }
}

#[cfg(test)]
mod tests;
