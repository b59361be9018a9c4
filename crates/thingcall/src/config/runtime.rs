//! What the program runs on.

use std::num::NonZeroUsize;

use serde::Deserialize;
use thingcall_core::{Check, Problem, Section};

/// More than any machine has processors.
const WORKER_THREADS_LIMIT: usize = 1024;

/// The runtime, `[runtime]` in the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Runtime {
    /// The threads that requests, connections and calls run on; one for each processor without it. Plugins, the store and
    /// files have threads of their own.
    pub worker_threads: Option<NonZeroUsize>,
}

impl Section for Runtime {
    fn problems(&self) -> Vec<Problem> {
        let mut check = Check::default();
        if let Some(threads) = self.worker_threads {
            check.at_most("worker_threads", threads.get(), WORKER_THREADS_LIMIT);
        }
        check.into_problems()
    }
}
