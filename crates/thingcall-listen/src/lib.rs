//! Listeners: connections accepted, counted, bounded and ended, the same for every port of the program.
//!
//! [`Door`] accepts for any protocol: no more connections than there is room for, with file descriptors in reserve, and
//! one that was silent longest gives way to one that comes. [`serve`] speaks HTTP/1.1 behind such a door: the one way in which
//! this program accepts and serves HTTP, with TLS where a certificate is [`Shown`].
//!
//! **Invariant:** what nobody has vouched for yet cannot grow: neither connections, nor the bytes they sent, nor the
//! time they take to send or to read. No listener takes another's descriptors for long, and none ends or spins because
//! the system has no more.

mod budget;
mod caller;
mod door;
mod figures;
mod http;
mod reserve;
mod serving;
mod socket;
mod tls;

#[cfg(test)]
mod tests;

pub use budget::Budget;
pub use caller::{Caller, Streaming};
pub use door::{Door, Place};
pub use figures::Figures;
pub use http::{Limits, Plain, Serve, Unread};
pub use reserve::{Reserve, raise_open_files};
pub use serving::{NotEnded, Serving, serve, serve_tls};
pub use tls::{Shown, Tls};
