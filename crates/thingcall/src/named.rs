//! A call as its caller may name it: by its MessageId, or by the RequestId of an answer.

use std::fmt;

use thingcall_core::{CallFilter, CallId};

/// Its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    Message(CallId),
    Request(String),
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Message(id) => write!(f, "{id}"),
            Self::Request(id) => f.write_str(id),
        }
    }
}

impl Named {
    /// Looks for it, beside what is looked for already.
    pub(crate) fn looked_for(self, filter: &mut CallFilter) {
        match self {
            Self::Message(id) => filter.call_id = Some(id),
            Self::Request(id) => filter.request_id = Some(id),
        }
    }
}

/// Reads a MessageId or a RequestId.
///
/// # Errors
/// What would be right.
pub(crate) fn named(text: &str) -> Result<Named, String> {
    let of_request = |text: &str| {
        let groups: Vec<_> = text.split('-').map(str::len).collect();
        groups == [8, 4, 4, 4, 12] && text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit())
    };
    match text.parse() {
        Ok(id) => Ok(Named::Message(id)),
        Err(_) if of_request(text) => Ok(Named::Request(text.to_ascii_uppercase())),
        Err(error) => Err(format!("{error} (a MessageId), or 32 hexadecimal digits in five groups (a RequestId)")),
    }
}
