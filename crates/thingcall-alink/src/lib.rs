//! The device side's words: topics, envelopes, device credentials, client-id extensions.
//!
//! **Invariant:** pure functions of text and bytes: no I/O, no clock, nothing that blocks. Topics and envelopes are read
//! and written here; `thingcall-amqp` alone has topics in another form, as routing keys.

mod credential;
mod enrolment;
mod envelope;
mod glance;
mod post;
mod topic;
mod words;

pub use credential::{Claimed, Login, Refusal, client_id, device_of, named_in, password, username};
pub use enrolment::{enrolment, is_signed, token, told};
pub use envelope::{payload, reply_of, request_id, request_payload};
pub use glance::{Glance, glance, names_of_topic};
pub use post::{POST_FILTERS, answer_payload, answer_topic, post_of};
pub use topic::{
    Grant, REPLY_FILTERS, Uplink, broadcast_refusal, comes_back, device_of_topic, grants, letter_refusal, matches,
    may_ask_for, may_hear_broadcasts, may_publish, may_subscribe, reply_topic, request_topic, uplink,
};
