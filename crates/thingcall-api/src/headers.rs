//! The names of the headers that mean something here.
//!
//! **Invariant:** made once, so that a request's headers are found without reading a name first.

use hyper::header::HeaderName;

/// The action's name, of a request signed with headers.
pub(crate) static ACTION: HeaderName = HeaderName::from_static("x-acs-action");
/// The API's version, of a request signed with headers.
pub(crate) static VERSION: HeaderName = HeaderName::from_static("x-acs-version");
/// When the request was signed.
pub(crate) static DATE: HeaderName = HeaderName::from_static("x-acs-date");
/// What makes the request the only one of its kind.
pub(crate) static NONCE: HeaderName = HeaderName::from_static("x-acs-signature-nonce");
/// The SHA-256 of the body.
pub(crate) static CONTENT_HASH: HeaderName = HeaderName::from_static("x-acs-content-sha256");
/// The token of a key used with STS.
pub(crate) static TOKEN: HeaderName = HeaderName::from_static("x-acs-security-token");
/// The token of a call that is made once.
pub(crate) static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Whose trace the request belongs to.
pub(crate) static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems say to themselves beside it.
pub(crate) static TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");
/// A way to sign that is not known here.
pub(crate) static BEARER: HeaderName = HeaderName::from_static("x-acs-bearer-token");
