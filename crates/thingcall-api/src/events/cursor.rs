//! Up to where a reader has read: what stands in `id:`, and what it gives back as `Last-Event-ID`.
//!
//! **Invariant:** a message has the same id in every stream with the same filter, for as long as somebody keeps that up.

use std::fmt;

use hyper::header::HeaderName;
use thingcall_core::MessageId;

use crate::gateway::GatewayError;
use crate::incoming::Incoming;

static LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// The same as a parameter, for readers that cannot set a header.
const PARAMETER: &str = "lastEventId";

/// `{message id}-{place in the log}-{tag}`; the message id is 0 where no message has been read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cursor {
    pub(super) id: MessageId,
    pub(super) place: i64,
    /// Names who saw to it that what is wanted is written.
    pub(super) tag: String,
}

impl Cursor {
    /// The one of a request, in its header or else among its parameters.
    pub(super) fn of(incoming: &Incoming<'_>) -> Result<Option<Self>, GatewayError> {
        let header = incoming.header(&LAST_EVENT_ID).filter(|text| !text.is_empty());
        let Some(text) = header.or_else(|| incoming.params.get(PARAMETER)) else { return Ok(None) };
        Self::read(text).map(Some).ok_or_else(|| GatewayError::Invalid {
            name: "Last-Event-ID",
            problem: format!(
                "it is {:?}; right is the id of an event, whole, or no such header",
                text.chars().take(64).collect::<String>()
            ),
        })
    }

    fn read(text: &str) -> Option<Self> {
        let (id, rest) = text.split_once('-')?;
        let (place, tag) = rest.split_once('-')?;
        let is_tag = !tag.is_empty() && tag.len() <= 64 && tag.bytes().all(|byte| byte.is_ascii_hexdigit());
        let place = place.parse().ok().filter(|place| *place >= 0)?;
        is_tag.then_some(Self { id: MessageId(id.parse().ok()?), place, tag: tag.to_owned() })
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}-{}", self.id, self.place, self.tag)
    }
}

#[cfg(test)]
mod tests {
    //! What is read, and what not.

    use super::*;

    #[test]
    fn an_id_is_read_back_and_nothing_else_is() {
        let cursor = Cursor { id: MessageId(7_489_123_456_789_012_345), place: 12, tag: "0af1".to_owned() };
        assert_eq!(Cursor::read(&cursor.to_string()), Some(cursor));
        for wrong in ["", "7", "7-12", "7-12-", "7--1-a", "7-x-a", "x-1-a", "7-1-a b"] {
            assert_eq!(Cursor::read(wrong), None, "{wrong}");
        }
    }
}
