//! Answers: one small tree of names and values, written as JSON or as XML.
//!
//! **Invariant:** whatever an action answers exists in both forms, and every answer has a body and a type: SDKs throw
//! on a 200 without one.

mod called;
mod json;
mod xml;

use bytes::Bytes;
use http_body_util::Full;
use hyper::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use hyper::{HeaderMap, Response, StatusCode};
use thingcall_core::RequestId;

pub(crate) use self::called::{Called, Replied};
use crate::error::ActionError;
use crate::gateway::GatewayError;
pub(crate) use crate::node::{Fields, Node, text};

/// An answer, whole.
pub(crate) type HttpAnswer = Response<Full<Bytes>>;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// The default of requests signed with headers.
    Json,
    /// The default of the older signature.
    Xml,
}

impl Format {
    /// The format of this word, in whatever case.
    pub(crate) fn from_word(word: &str) -> Option<Self> {
        [(Self::Json, "json"), (Self::Xml, "xml")]
            .into_iter()
            .find_map(|(format, name)| word.eq_ignore_ascii_case(name).then_some(format))
    }

    // Exactly these: one SDK reads XML errors only under `text/xml;charset=utf-8`.
    const fn content_type(self) -> HeaderValue {
        match self {
            Self::Json => HeaderValue::from_static("application/json;charset=utf-8"),
            Self::Xml => HeaderValue::from_static("text/xml;charset=utf-8"),
        }
    }

    /// `name` and `of` together are the root of an XML document.
    fn write(self, name: &str, of: &str, fields: &Fields) -> Vec<u8> {
        match self {
            Self::Json => json::document(fields),
            Self::Xml => xml::document(&format!("{name}{of}"), fields),
        }
    }
}

/// What an action answered.
#[derive(Debug)]
pub(crate) enum Content {
    /// A tree.
    Fields(Fields),
    /// A service was called.
    Called(Called),
}

impl Content {
    /// What stands beside `RequestId` and `Success`.
    pub(crate) fn into_fields(self) -> Fields {
        match self {
            Self::Fields(fields) => fields,
            Self::Called(called) => called.into_fields(),
        }
    }
}

/// What an answer says about its request.
#[derive(Debug)]
pub(crate) struct About<'a> {
    /// How it is written.
    pub(crate) format: Format,
    /// The action's name.
    pub(crate) action: &'a str,
    /// What XML answers are named after.
    pub(crate) answer_name: &'a str,
    /// Names the request.
    pub(crate) id: RequestId,
}

impl About<'_> {
    /// What an action answered, with an empty map for its headers, which may have room already.
    pub(crate) fn success(&self, content: Content, headers: HeaderMap) -> HttpAnswer {
        let fields = match (self.format, content) {
            (Format::Json, Content::Called(called)) => {
                return response_with(headers, StatusCode::OK, self.format, called.json(self.id));
            }
            (Format::Xml, content @ Content::Called(_)) | (_, content @ Content::Fields(_)) => content.into_fields(),
        };
        let mut all = Vec::with_capacity(fields.len() + 2);
        all.extend([("RequestId", text(self.id.to_string())), ("Success", Node::Flag(true))]);
        all.extend(fields);
        self.service(&all)
    }

    /// Why an action failed. `host` is the one the caller asked.
    pub(crate) fn failure(&self, error: &ActionError, host: &str) -> HttpAnswer {
        let failure = match error {
            ActionError::Gateway(error) => return self.refusal(error, host),
            ActionError::Service(failure) => failure,
        };
        let (code, why) = (failure.code, &failure.text);
        let mut fields = vec![
            ("RequestId", text(self.id.to_string())),
            ("Success", Node::Flag(false)),
            ("Code", text(code.as_str())),
            ("ErrorMessage", text(why)),
            // A copy for one SDK that prints this member and would say `undefined`.
            ("Message", text(why)),
        ];
        fields.extend(failure.data.clone().map(|data| ("Data", Node::Object(data))));
        self.service(&fields)
    }

    /// Why a request was not let in.
    pub(crate) fn refusal(&self, error: &GatewayError, host: &str) -> HttpAnswer {
        let body = self.format.write(
            "Error",
            "",
            &vec![
                ("RequestId", text(self.id.to_string())),
                ("HostId", text(host)),
                ("Code", text(error.code())),
                ("Message", text(error.to_string())),
                ("Recommend", text("")),
            ],
        );
        let mut response = response(error.status(), self.format, body);
        if let Some(seconds) = error.retry_after() {
            response.headers_mut().insert(HeaderName::from_static("x-acs-retry-after"), seconds.into());
        }
        response
    }

    fn service(&self, fields: &Fields) -> HttpAnswer {
        let body = self.format.write(self.answer_name, "Response", fields);
        response(StatusCode::OK, self.format, body)
    }
}

fn response(status: StatusCode, format: Format, body: Vec<u8>) -> HttpAnswer {
    response_with(HeaderMap::new(), status, format, body.into())
}

fn response_with(headers: HeaderMap, status: StatusCode, format: Format, body: Bytes) -> HttpAnswer {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response.headers_mut().insert(CONTENT_TYPE, format.content_type());
    response
}

#[cfg(test)]
mod tests;
