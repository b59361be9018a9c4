//! The console: pages for people who try a first call, ask why one failed, or look whether all is well.
//!
//! Read it in the order of a visit: `server` listens, `routes` says which page answers, `guard` sets what every answer carries and
//! refuses what another site sends, `audit` notes what a request changed (`trail`),
//! `seat` finds who is logged in (`session`, `lockout`) and `form` what a page of theirs sent, a file of `pages` asks what it
//! shows of `Operations`, and `layout` puts it into a page in the words of `lang`; what comes to a page later is `live`. `samples` writes
//! a request (`given`) as code; `sampler` looks at the metrics (`figures`) for the last hour (`history`).
//!
//! **Invariants:** it has no access of its own to anything. What the API can do is done by the API, as the key that is logged in;
//! the rest is asked of `Operations` after that key's rules were looked at (`role`). No page needs anything from another host,
//! and no text of a device, a model or a caller comes into a page but through `maud`, which escapes it.

mod config;
mod metrics;
mod server;

mod audit;
mod guard;
mod routes;

mod desk;
mod ended;
mod fields;
mod form;
mod lockout;
mod login;
mod refused;
mod seat;
mod session;
mod strangers;
mod tails;
mod trail;

mod pages;

mod given;
mod samples;

mod assets;
mod cell;
mod csv;
mod layout;
mod live;
mod shown;

mod figures;
mod history;
mod in_force;
mod json_text;
mod key_change;
mod lang;
mod operations;
mod role;
mod sampler;

pub use config::Config;
pub use in_force::{LogChange, LogLevel, Setting};
pub use key_change::{KeyChange, KeyRefused};
pub use operations::{
    Answer, Condition, DeviceLogin, Draft, Enlisted, Instance, MessageTail, Models, NewDevice, Operations, SendBy,
    SignatureKind, Signatures, Tailed, Tailing, ToSign, Whose,
};
pub use role::ROLES;
pub use server::{Console, ConsoleParts};
