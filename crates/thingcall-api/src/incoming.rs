//! A request as it came.
//!
//! **Invariant:** what it says of itself; whether that is true is for `auth` to say.

use std::sync::Arc;

use hyper::header::HeaderName;
use hyper::http::request::Parts;
use thingcall_core::{RequestId, Traced};
use tokio::time::Instant;

use crate::answer::Format;
use crate::gateway::GatewayError;
use crate::headers::{System, SystemHeaders};
use crate::params::Params;
use crate::sign;

/// A request, read.
#[derive(Debug)]
pub(crate) struct Incoming<'a> {
    /// When its head was there.
    pub(crate) received: Instant,
    /// Names it in the answer and in logs.
    pub(crate) id: RequestId,
    /// Its head.
    pub(crate) head: &'a Parts,
    /// What its head says of itself.
    system: SystemHeaders<'a>,
    /// Its whole body.
    pub(crate) body: &'a [u8],
    /// Its parameters, of query and body.
    pub(crate) params: Params<'a>,
    /// How it is signed.
    pub(crate) scheme: Scheme,
    /// The trace that it belongs to.
    pub(crate) trace: Option<Arc<Traced>>,
}

/// How a request is signed, and so where it says what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// Everything in parameters, `HMAC-SHA1`.
    V1,
    /// System parameters in headers, `ACS3-HMAC-SHA256`.
    Acs3,
}

impl<'a> Incoming<'a> {
    pub(crate) fn read(received: Instant, head: &'a Parts, body: &'a [u8]) -> Self {
        let system = SystemHeaders::of(&head.headers);
        let params = Params::read(head.uri.query().unwrap_or_default(), body);
        let scheme = Scheme::of(&system);
        Self { received, id: RequestId::random(), head, system, body, params, scheme, trace: None }
    }

    /// What its head says of itself.
    pub(crate) const fn system(&self) -> &SystemHeaders<'a> {
        &self.system
    }

    /// The text of a header that says something of the request; `None` if it is absent or not text.
    pub(crate) fn said(&self, system: System) -> Option<&'a str> {
        self.system.text(system)
    }

    /// The text of a header; `None` if it is absent or not text.
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.head.headers.get(name)?.to_str().ok().map(str::trim)
    }

    /// The action's name.
    pub(crate) fn action(&self) -> Option<&str> {
        self.system_or(System::Action, "Action")
    }

    /// The API's version.
    pub(crate) fn version(&self) -> Option<&str> {
        self.system_or(System::Version, "Version")
    }

    /// A system parameter: in a header or among the parameters, as it is signed.
    fn system_or(&self, header: System, parameter: &str) -> Option<&str> {
        match self.scheme {
            Scheme::Acs3 => self.said(header),
            Scheme::V1 => self.params.get(parameter),
        }
    }

    /// The form in which it wants its answer.
    pub(crate) fn format(&self) -> Result<Format, GatewayError> {
        let default = match self.scheme {
            Scheme::Acs3 => Format::Json,
            Scheme::V1 => Format::Xml,
        };
        let Some(word) = self.params.get("Format") else { return Ok(default) };
        Format::from_word(word).ok_or_else(|| GatewayError::Invalid {
            name: "Format",
            problem: format!("it is {:?}; right is JSON or XML", word.chars().take(64).collect::<String>()),
        })
    }
}

impl Scheme {
    /// The scheme a request means to use: the header's only if it has the header.
    fn of(system: &SystemHeaders<'_>) -> Self {
        let authorization = system.text(System::Authorization);
        if authorization.is_some_and(|value| value.starts_with("ACS3-")) { Self::Acs3 } else { Self::V1 }
    }

    /// What a request with this string to sign has as its signature.
    pub(crate) fn sign(self, string: &str, secret: &str) -> String {
        match self {
            Self::V1 => sign::v1_sign(string, secret),
            Self::Acs3 => sign::acs3_sign(string, secret),
        }
    }
}
