//! The Alibaba-compatible HTTP front: requests signed by unmodified SDKs in, JSON and XML answers out.
//!
//! Read it in the order of a request: `server` listens, `request` answers a request with what is in `app`: `body` and
//! `incoming` read it, `params` and `auth` say what it asks and whether it may, `allowed` whether its key's rules let it, `actions` do it (`invoke` is the one
//! this is all for, at the desk of `calls`; those of groups and subscriptions have theirs in `subscribing`, and `once` sees that one with a token is made once), `answer` writes the result, `audit` notes what was changed. Two files turn failures into answers: `gateway`
//! those of the request itself (HTTP 4xx), `error` those of the service (HTTP 200 with `Success=false`). `catalogue` says what
//! actions read, for forms; `signing` shows callers how a request is signed and why a signature is not the right one. `events` answers
//! `GET /events`, a stream of messages.
//!
//! **Invariant:** the only crate that knows Alibaba's parameters, signatures and answers. Nothing it starts outlives
//! the connection of the caller for longer than it takes to notice, but what looks after what instances share, which ends with the front.

mod config;
mod metrics;

mod server;

mod request;

mod inside;
mod origin;

mod audit;
mod body;
mod refused;
mod unread;

mod app;

mod actions;
mod allowed;
mod calls;
mod enrol;
mod events;
mod once;
mod reached;
mod recorded;
mod subscribing;
mod traced;

mod auth;
mod clock;
mod nonce;
mod quota;
mod shared;
mod shared_nonces;

mod catalogue;
mod fleets;
mod incoming;
mod params;
mod topic;

mod canonical;
mod decode;
mod encoded;
pub mod sign;
pub mod signing;

mod answer;
mod error;
mod gateway;
mod headers;
mod node;

#[cfg(test)]
mod tests;

pub use actions::action_names;
pub use catalogue::catalogue;
pub use config::Config;
pub use fleets::Fleets;
pub use inside::{Answered, Inside};
pub use quota::Quotas;
pub use server::{Front, FrontParts};
pub use shared::{Instances, SharedParts};
pub use subscribing::Subscribing;
