//! Failures of the request itself: the caller, the signature, the form. HTTP 4xx, with a body of their own.
//!
//! **Invariant:** each has a code that SDKs and people can tell apart, and a text that says what would be right. Codes
//! are Alibaba's gateway's where it has one.

use std::borrow::Cow;
use std::time::Duration;

use hyper::StatusCode;
use thingcall_core::Outcome;

mod codes;

pub(crate) use codes::GatewayCode;

/// Why a request was not let in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum GatewayError {
    /// Not GET or POST.
    #[error("Specified method {0} is not supported; use GET or POST.")]
    Method(String),
    /// Not `/`.
    #[error(
        "Specified api is not found, please check your url and method. The path is {0}; the API is at /, and GET /events streams messages."
    )]
    Path(String),
    /// No such action.
    #[error("Specified api is not found, please check your url and method. {0}")]
    Action(String),
    /// The path and query are too long.
    #[error(
        "The path and query have {bytes} bytes; at most {max} are allowed. Send parameters as a form body instead."
    )]
    UriTooLong {
        /// Their length.
        bytes: usize,
        /// The limit.
        max: usize,
    },
    /// The request line and headers are too large.
    #[error(
        "The request line and headers have more than {max} bytes together. Send parameters as a form body instead."
    )]
    HeadTooLarge {
        /// The limit.
        max: usize,
    },
    /// It has more headers than are read.
    #[error("The request has more than {max} headers; at most {max} are read. Send fewer.")]
    TooManyHeaders {
        /// The limit.
        max: usize,
    },
    /// The head did not come in time.
    #[error("The request's head did not arrive within {} ms.", .0.as_millis())]
    HeadTimeout(Duration),
    /// It is no HTTP.
    #[error("The request cannot be read; right is HTTP/1.1 with well-formed headers and one Content-Length.")]
    Malformed,
    /// Requests that are not checked yet hold all they may.
    #[error(
        "The service is busy: requests whose signatures are not checked yet hold {max} bytes, which is all they may. Nothing was executed; send it again."
    )]
    BytesFull {
        /// The limit.
        max: usize,
    },
    /// There are as many readers of events as may be, or what belongs to them.
    #[error(
        "There are {max} {what}, which is all there may be ({setting}). Nothing was begun; sign it again and send it later."
    )]
    StreamsFull {
        /// Of what there are so many.
        what: &'static str,
        /// What says how many there may be.
        setting: &'static str,
        /// The limit.
        max: usize,
    },
    /// Messages cannot be read.
    #[error("The service cannot read messages at the moment. Nothing was begun; sign it again and send it later.")]
    MessagesUnreadable,
    /// The body is too large.
    #[error("The body is larger than {max} bytes.")]
    BodyTooLarge {
        /// The limit.
        max: usize,
    },
    /// The body did not come in time.
    #[error("The body did not arrive within {} ms.", .0.as_millis())]
    BodyTimeout(Duration),
    /// The body's framing is broken.
    #[error("The body cannot be read; check Content-Length and the chunks.")]
    BodyUnreadable,
    /// The body is not a form.
    #[error("The body's type {0:?} is not supported; use application/x-www-form-urlencoded.")]
    BodyType(String),
    /// More parameters than are read.
    #[error("There are more than {max} parameters.")]
    TooManyParameters {
        /// The limit.
        max: usize,
    },
    /// One name twice.
    #[error("Specified parameter {0} is given twice; give it once, in the query or in the body.")]
    Duplicate(String),
    /// A parameter with a character that no text here has, and some databases cannot keep.
    #[error("Specified parameter {0} holds a NUL character (%00); leave it out.")]
    Nul(String),
    /// A parameter is absent.
    #[error("{0} is mandatory for this action.")]
    Missing(&'static str),
    /// A parameter's value is not one that may be.
    #[error("Specified parameter {name} is not valid: {problem}.")]
    Invalid {
        /// The parameter.
        name: &'static str,
        /// What was given, and what would be right.
        problem: String,
    },
    /// Another API.
    #[error("Specified parameter Version is not valid: it is {0:?}; right is 2018-01-20.")]
    Version(String),
    /// No such key.
    #[error("Specified access key is not found.")]
    KeyUnknown,
    /// The key is disabled.
    #[error("Specified access key is disabled.")]
    KeyInactive,
    /// The signature is another one. SDKs compare what follows the first colon with their own string.
    #[error("Specified signature is not matched with our calculation. server string to sign is:{0}")]
    SignatureDoesNotMatch(String),
    /// The signature's parts are not all there.
    #[error("The request signature does not conform to the standards: {0}.")]
    IncompleteSignature(String),
    /// A way to sign that is not known here.
    #[error("Specified signature method {0:?} is not supported; use HMAC-SHA1 or ACS3-HMAC-SHA256.")]
    SignatureMethod(String),
    /// The body is not the one that was signed.
    #[error("The header x-acs-content-sha256 is not the SHA-256 of the body, which is {0}.")]
    ContentHash(String),
    /// The nonce was used.
    #[error("Specified signature nonce was used already.")]
    NonceUsed,
    /// The request is too old, or from the future.
    #[error(
        "Specified time stamp or date value is expired: it is {off_seconds} s off this server's clock; at most {max_seconds} s are allowed."
    )]
    Expired {
        /// How far it is off.
        off_seconds: u64,
        /// How far it may be.
        max_seconds: u64,
    },
    /// The request is older than this server's memory of nonces.
    #[error(
        "Specified time stamp or date value is expired: it is {seconds} s before this server started, and such a request may have been executed already. Sign it again; if that does not help, set the caller's clock."
    )]
    BeforeStart {
        /// How much earlier it was signed.
        seconds: i64,
    },
    /// The request is older than what is remembered of the nonces of all instances.
    #[error(
        "Specified time stamp or date value is expired: it is {seconds} s before this service began to remember requests, and such a request may have been executed already. Sign it again; if that does not help, set the caller's clock."
    )]
    BeforeMemory {
        /// How much earlier it was signed.
        seconds: i64,
    },
    /// Nobody can say at the moment whether the nonce was used.
    #[error(
        "The service cannot tell at the moment whether this request was sent before. Nothing was executed; sign it again and send it."
    )]
    NoncesUnknown,
    /// The time cannot be read.
    #[error("Specified time stamp or date value is not well formatted: it is {0:?}; right is YYYY-MM-DDThh:mm:ssZ.")]
    TimeFormat(String),
    /// The token is not the key's, or the key has none.
    #[error("Specified SecurityToken does not match the access key.")]
    TokenMismatch,
    /// The temporary key has ended.
    #[error("Specified SecurityToken is expired.")]
    TokenExpired,
    /// The token is of another call.
    #[error(
        "The request uses the same ClientToken as a previous, but non-identical request. Use another token for another call."
    )]
    OnceDiffers,
    /// The key's rules do not allow it. The platform's words first.
    #[error(
        "User not authorized to operate on the specified resource, or this API doesn't support RAM. No rule of this access key allows {action} of {what}."
    )]
    Forbidden {
        /// The action.
        action: &'static str,
        /// What it is about.
        what: String,
    },
    /// The account's quota is used up.
    #[error("Request was denied due to user flow control: at most {max} {of}.")]
    Throttled {
        /// The quota.
        max: u32,
        /// Of what it is, and in which time.
        of: &'static str,
        /// When the next call is taken.
        wait: Duration,
    },
    /// No more nonces can be remembered.
    #[error(
        "Request was denied due to user flow control: more signed requests than can be told from replays; at most {nonces_max} nonces are remembered."
    )]
    NoncesFull {
        /// The limit.
        nonces_max: usize,
        /// When the oldest are forgotten.
        wait: Duration,
    },
}

impl GatewayError {
    /// The statuses that [`Self::status`] can give.
    pub(crate) const STATUSES: [StatusCode; 10] = [
        StatusCode::BAD_REQUEST,
        StatusCode::FORBIDDEN,
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::PAYLOAD_TOO_LARGE,
        StatusCode::URI_TOO_LONG,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
        StatusCode::SERVICE_UNAVAILABLE,
    ];

    /// The HTTP status.
    pub(crate) const fn status(&self) -> StatusCode {
        match self {
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Path(_) | Self::Action(_) | Self::KeyUnknown => StatusCode::NOT_FOUND,
            Self::UriTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTimeout(_) | Self::HeadTimeout(_) => StatusCode::REQUEST_TIMEOUT,
            Self::HeadTooLarge { .. } | Self::TooManyHeaders { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BytesFull { .. } | Self::NoncesUnknown | Self::StreamsFull { .. } | Self::MessagesUnreadable => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::BodyType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::KeyInactive | Self::Forbidden { .. } => StatusCode::FORBIDDEN,
            Self::BodyUnreadable
            | Self::Malformed
            | Self::TooManyParameters { .. }
            | Self::Duplicate(_)
            | Self::Nul(_)
            | Self::Missing(_)
            | Self::Invalid { .. }
            | Self::Version(_)
            | Self::SignatureDoesNotMatch(_)
            | Self::IncompleteSignature(_)
            | Self::SignatureMethod(_)
            | Self::ContentHash(_)
            | Self::NonceUsed
            | Self::Expired { .. }
            | Self::BeforeStart { .. }
            | Self::BeforeMemory { .. }
            | Self::TimeFormat(_)
            | Self::TokenMismatch
            | Self::TokenExpired
            | Self::OnceDiffers
            | Self::Throttled { .. }
            | Self::NoncesFull { .. } => StatusCode::BAD_REQUEST,
        }
    }

    /// The public code.
    pub(crate) fn code(&self) -> Cow<'static, str> {
        let code = self.counted_as().as_str();
        if let Self::Missing(name) = self { Cow::Owned(format!("{code}{name}")) } else { Cow::Borrowed(code) }
    }

    /// How it counts.
    pub(crate) const fn outcome(&self) -> Outcome {
        match self {
            Self::KeyUnknown
            | Self::KeyInactive
            | Self::Forbidden { .. }
            | Self::SignatureDoesNotMatch(_)
            | Self::ContentHash(_)
            | Self::NonceUsed
            | Self::Expired { .. }
            | Self::BeforeStart { .. }
            | Self::BeforeMemory { .. }
            | Self::TokenMismatch
            | Self::TokenExpired => Outcome::Denied,
            Self::Throttled { .. } | Self::NoncesFull { .. } => Outcome::Throttled,
            Self::BytesFull { .. } | Self::StreamsFull { .. } => Outcome::Overloaded,
            Self::NoncesUnknown | Self::MessagesUnreadable => Outcome::Internal,
            Self::UriTooLong { .. }
            | Self::HeadTooLarge { .. }
            | Self::TooManyHeaders { .. }
            | Self::BodyTooLarge { .. } => Outcome::TooLarge,
            Self::OnceDiffers
            | Self::Method(_)
            | Self::Path(_)
            | Self::Action(_)
            | Self::HeadTimeout(_)
            | Self::Malformed
            | Self::BodyTimeout(_)
            | Self::BodyUnreadable
            | Self::BodyType(_)
            | Self::TooManyParameters { .. }
            | Self::Duplicate(_)
            | Self::Nul(_)
            | Self::Missing(_)
            | Self::Invalid { .. }
            | Self::Version(_)
            | Self::IncompleteSignature(_)
            | Self::SignatureMethod(_)
            | Self::TimeFormat(_) => Outcome::InvalidArgs,
        }
    }

    /// Cuts the string to sign in it to `max` bytes, for a caller that nobody vouches for. It is ASCII.
    #[must_use]
    pub(crate) fn cut(self, max: usize) -> Self {
        let Self::SignatureDoesNotMatch(mut string) = self else { return self };
        let bytes = string.len();
        if bytes > max && string.is_char_boundary(max) {
            string.truncate(max);
            string.push_str(&format!("... (the first {max} of {bytes} bytes)"));
        }
        Self::SignatureDoesNotMatch(string)
    }

    /// After how many seconds the same request may be let in; 1 or more.
    pub(crate) fn retry_after(&self) -> Option<u64> {
        let soon = matches!(self, Self::BytesFull { .. } | Self::NoncesUnknown);
        if soon || matches!(self, Self::StreamsFull { .. } | Self::MessagesUnreadable) {
            return Some(1);
        }
        let (Self::Throttled { wait, .. } | Self::NoncesFull { wait, .. }) = self else { return None };
        Some(wait.as_secs() + u64::from(wait.subsec_nanos() > 0 || wait.is_zero()))
    }
}

#[cfg(test)]
mod tests;
