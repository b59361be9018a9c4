//! File descriptors in reserve, for when the system has no more.

use std::fs::File;
use std::io;
use std::sync::{Mutex, PoisonError};

use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Descriptors that are open for nothing but to be given up when one is needed.
///
/// For any listener: where accepting fails and [`Reserve::lends`] says yes, accept again at once; call
/// [`Reserve::refill`] whenever a connection has been closed.
#[derive(Debug)]
pub struct Reserve {
    spare: Mutex<Vec<File>>,
    size: usize,
}

impl Reserve {
    /// As many as this, if the system has them.
    pub fn new(size: usize) -> Self {
        let reserve = Self { spare: Mutex::new(Vec::with_capacity(size)), size };
        reserve.refill();
        reserve
    }

    /// Whether this error says that there are no descriptors, and one was given up so that there is.
    pub fn lends(&self, error: &io::Error) -> bool {
        let none_left = [Errno::MFILE, Errno::NFILE].map(Errno::raw_os_error).into_iter().map(Some);
        none_left.into_iter().any(|code| code == error.raw_os_error())
            && self.spare.lock().unwrap_or_else(PoisonError::into_inner).pop().is_some()
    }

    /// Takes back what was given up, as far as there is anything to take.
    pub fn refill(&self) {
        let mut spare = self.spare.lock().unwrap_or_else(PoisonError::into_inner);
        while spare.len() < self.size {
            let Ok(file) = File::open("/dev/null") else { return };
            spare.push(file);
        }
    }
}

/// Lets this process have as many open files as the system allows it, and says how many that are; `None` is no limit.
pub fn raise_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        // Where the system refuses, the lower limit stays.
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }).ok();
    }
    getrlimit(Resource::Nofile).current
}
