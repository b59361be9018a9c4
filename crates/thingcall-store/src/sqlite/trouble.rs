//! What SQLite's errors mean.

use crate::failure::Failure;
use crate::trouble::Trouble;

/// What SQLite says when the index of the write-ahead log cannot grow: that file system is full, too.
const IOERR_SHMSIZE: u32 = 4874;

/// What an error is a case of.
pub(crate) fn of(error: &sqlx::Error) -> Trouble {
    let code = error.as_database_error().and_then(|error| error.code()?.parse::<u32>().ok());
    let Some(code) = code else { return Trouble::Other };
    // The low byte is the error, what is above says more of it.
    match (code, code & 0xff) {
        (IOERR_SHMSIZE, _) | (_, 13) => Trouble::Full,
        (_, 10 | 14) => Trouble::Disk,
        (_, 3 | 8 | 23) => Trouble::ReadOnly,
        (_, 5 | 6) => Trouble::Locked,
        (_, 11 | 26) => Trouble::Damaged,
        _ => Trouble::Other,
    }
}

/// An error of SQLite's in the store's words. A disk that fails does not say what it has kept.
pub(crate) fn failure(error: sqlx::Error) -> Failure {
    let trouble = of(&error);
    Failure::new(trouble, trouble.in_doubt(), error)
}
