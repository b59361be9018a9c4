//! The names of the headers that mean something here.
//!
//! **Invariant:** made once, so that a request's headers are found without reading a name first. Those that every request
//! is judged by are found all in one pass.

use enum_map::{Enum, EnumMap};
use hyper::HeaderMap;
use hyper::header::{HeaderName, HeaderValue};

/// Whose trace the request belongs to.
pub(crate) static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// What tracing systems say to themselves beside it.
pub(crate) static TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Room for so many headers is kept while a device is waited for: SDKs send ten or so.
const USUALLY_MAX: usize = 24;

/// A request's headers become room for those of its answer, and hyper makes it room for those of the next request. None is
/// kept that was made for unusually many.
pub(crate) fn emptied(mut headers: HeaderMap) -> HeaderMap {
    if headers.capacity() > USUALLY_MAX {
        return HeaderMap::new();
    }
    headers.clear();
    headers
}

/// A header that requests are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Enum)]
pub(crate) enum System {
    /// Whom the request was sent to.
    Host,
    /// The newer signature.
    Authorization,
    /// The action's name, of a request signed with headers.
    Action,
    /// The API's version, of a request signed with headers.
    Version,
    /// When the request was signed.
    Date,
    /// What makes the request the only one of its kind.
    Nonce,
    /// The SHA-256 of the body.
    ContentHash,
    /// The token of a key used with STS.
    Token,
    /// A way to sign that is not known here.
    Bearer,
    /// The token of a call that is made once.
    IdempotencyKey,
}

impl System {
    /// The header of this name, which is in lower case.
    pub(crate) fn of(name: &str) -> Option<Self> {
        Some(match name {
            "host" => Self::Host,
            "authorization" => Self::Authorization,
            "x-acs-action" => Self::Action,
            "x-acs-version" => Self::Version,
            "x-acs-date" => Self::Date,
            "x-acs-signature-nonce" => Self::Nonce,
            "x-acs-content-sha256" => Self::ContentHash,
            "x-acs-security-token" => Self::Token,
            "x-acs-bearer-token" => Self::Bearer,
            "idempotency-key" => Self::IdempotencyKey,
            _ => return None,
        })
    }

    /// Its name.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Authorization => "authorization",
            Self::Action => "x-acs-action",
            Self::Version => "x-acs-version",
            Self::Date => "x-acs-date",
            Self::Nonce => "x-acs-signature-nonce",
            Self::ContentHash => "x-acs-content-sha256",
            Self::Token => "x-acs-security-token",
            Self::Bearer => "x-acs-bearer-token",
            Self::IdempotencyKey => "idempotency-key",
        }
    }
}

/// What a request has of [`System`]'s headers, without blanks around it.
#[derive(Debug)]
pub(crate) struct SystemHeaders<'a> {
    values: EnumMap<System, Option<Value<'a>>>,
    /// Some header is there more than once.
    repeated: bool,
}

#[derive(Debug, Clone, Copy)]
struct Value<'a> {
    bytes: &'a [u8],
    text: Option<&'a str>,
}

impl<'a> Value<'a> {
    fn of(value: &'a HeaderValue) -> Self {
        let bytes = value.as_bytes().trim_ascii();
        // Of the control characters only tabs come so far, so what is ASCII is text.
        Self { bytes, text: if bytes.is_ascii() { std::str::from_utf8(bytes).ok() } else { None } }
    }
}

impl<'a> SystemHeaders<'a> {
    /// Finds them.
    pub(crate) fn of(headers: &'a HeaderMap) -> Self {
        let mut values = EnumMap::default();
        for (name, value) in headers {
            if let Some(system) = System::of(name.as_str()) {
                let place: &mut Option<_> = &mut values[system];
                // As `HeaderMap::get`, the first.
                place.get_or_insert_with(|| Value::of(value));
            }
        }
        Self { values, repeated: headers.len() != headers.keys_len() }
    }

    /// The text of one; `None` if it is absent or not text.
    pub(crate) fn text(&self, system: System) -> Option<&'a str> {
        self.values[system]?.text
    }

    /// The bytes of one that is there once, without blanks around it; `None` if that is not known here.
    pub(crate) fn only(&self, system: System) -> Option<&'a [u8]> {
        self.values[system].filter(|_| !self.repeated).map(|value| value.bytes)
    }
}
