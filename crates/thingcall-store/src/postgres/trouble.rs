//! What PostgreSQL's errors mean, and that nobody waits for its answers without an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sqlx::Error;
use tokio::time::timeout;

use crate::failure::Failure;
use crate::trouble::Trouble;
use crate::waits::{RanOut, Wait};

/// What an error is a case of. The first two letters of a code are its class.
pub(super) fn of(error: &Error) -> Trouble {
    let Some(code) = error.as_database_error().map(|error| error.code().unwrap_or_default()) else {
        // What comes of a connection that ended in the midst of an answer, too.
        let unreachable = matches!(error, Error::Io(_) | Error::Tls(_) | Error::Protocol(_) | Error::PoolTimedOut);
        return if unreachable { Trouble::Unreachable } else { Trouble::Other };
    };
    match &*code {
        "53100" => Trouble::Full,
        "58030" => Trouble::Disk,
        "25006" => Trouble::ReadOnly,
        // A lock, a deadlock, a transaction that another one overtook.
        "55P03" | "40P01" | "40001" => Trouble::Locked,
        "XX001" | "XX002" => Trouble::Damaged,
        // It ends, it starts, it has no place, it ended a session that stood still.
        "57P01" | "57P02" | "57P03" | "57P05" | "53300" | "25P03" => Trouble::Unreachable,
        code if code.starts_with("08") => Trouble::Unreachable,
        _ => Trouble::Other,
    }
}

/// An error before a commit: nothing is written.
pub(super) fn failure(error: Error) -> Failure {
    Failure::new(of(&error), false, error)
}

/// An error of a commit. What the server refused in so many words is not written; else nobody can say.
fn failure_of_commit(error: Error) -> Failure {
    let trouble = of(&error);
    let in_doubt = trouble.in_doubt() || trouble == Trouble::Unreachable;
    Failure::new(trouble, in_doubt, error)
}

/// How long something may take, and how often it took longer.
#[derive(Debug, Clone)]
pub(super) struct Limit {
    pub(super) time: Duration,
    wait: Wait,
    ran_out: Arc<RanOut>,
}

impl Limit {
    /// Of a wait, counted there.
    pub(super) fn new(time: Duration, wait: Wait, ran_out: Arc<RanOut>) -> Self {
        Self { time, wait, ran_out }
    }

    /// It ran out.
    fn silent(&self, wait: Wait, in_doubt: bool) -> Failure {
        self.ran_out.count(wait);
        let why = format!("no answer within {} s", self.time.as_secs_f64());
        Failure::new(Trouble::Unreachable, in_doubt, why)
    }
}

/// Waits so long for an answer. After that, the connection is good for nothing.
pub(super) async fn within<T>(limit: &Limit, asked: impl Future<Output = Result<T, Error>>) -> Result<T, Failure> {
    match timeout(limit.time, asked).await {
        Ok(answered) => answered.map_err(failure),
        Err(_) => Err(limit.silent(limit.wait, false)),
    }
}

/// The same of an answer for which one of the pool's connections is needed, which says when it has it.
pub(super) async fn within_once_lent<T>(
    limit: &Limit,
    lent: &AtomicBool,
    asked: impl Future<Output = Result<T, Error>>,
) -> Result<T, Failure> {
    match timeout(limit.time, asked).await {
        Ok(Err(Error::PoolTimedOut)) => Err(limit.silent(Wait::ReadConnection, false)),
        Ok(answered) => answered.map_err(failure),
        Err(_) if lent.load(Ordering::Relaxed) => Err(limit.silent(limit.wait, false)),
        Err(_) => Err(limit.silent(Wait::ReadConnection, false)),
    }
}

/// The same of a commit.
pub(super) async fn commit_within(
    limit: &Limit,
    committing: impl Future<Output = Result<(), Error>>,
) -> Result<(), Failure> {
    match timeout(limit.time, committing).await {
        Ok(answered) => answered.map_err(failure_of_commit),
        Err(_) => Err(limit.silent(limit.wait, true)),
    }
}

#[cfg(test)]
mod tests;
