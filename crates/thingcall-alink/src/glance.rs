//! Which call a device's message is for, seen without reading it: of the replies that every instance hears, most are
//! another's, and what is another's should cost little.
//!
//! **Invariant:** nothing is allocated, and what is seen is what [`crate::uplink`] reads, or nothing is.

use thingcall_core::{CallId, ReplyIds};

/// What stands in a request of ours behind its id.
const REQUEST: &[u8] = br#","version":"1.0","params":"#;

/// What a look at a message tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glance {
    /// The ids in it.
    pub ids: ReplyIds,
    /// It is a request of this program's, which a broker brings back.
    pub is_request: bool,
    /// It is a message of a device's own bytes on a topic that request and answer share, and may be either.
    pub may_be_request: bool,
}

impl Glance {
    /// Whether it is sure to answer none of the calls that are ours.
    pub fn is_anothers(self, ours: impl Fn(CallId) -> bool) -> bool {
        // Where body and topic disagree, it depends on whether the device speaks its own bytes which of them counts.
        self.ids.is_anothers(&ours) && !self.ids.topic.is_some_and(ours)
    }
}

/// Looks at a message on one of [`crate::REPLY_FILTERS`]. `None` where it has to be read to tell.
pub fn glance(topic: &str, payload: &[u8]) -> Option<Glance> {
    let topic_id = id_of_topic(topic);
    if topic.ends_with("/thing/model/down_raw") || topic.ends_with("_raw_reply") || topic.ends_with("/up_raw") {
        let may_be_request = topic.starts_with("/ext/");
        return Some(Glance { ids: ReplyIds { payload: None, topic: topic_id }, is_request: false, may_be_request });
    }
    let (payload_id, rest) = Object::of(payload)?.id()?;
    let is_request = payload_id.is_some() && rest.starts_with(REQUEST);
    Some(Glance { ids: ReplyIds { payload: payload_id, topic: topic_id }, is_request, may_be_request: false })
}

/// The product key and the device's name in a topic.
pub fn names_of_topic(topic: &str) -> Option<(&str, &str)> {
    let rest = match topic.strip_prefix("/ext/rrpc/") {
        Some(rest) => rest.split_once('/')?.1.strip_prefix("sys/")?,
        None => topic.strip_prefix("/sys/")?,
    };
    let (product, rest) = rest.split_once('/')?;
    Some((product, rest.split_once('/')?.0))
}

fn id_of_topic(topic: &str) -> Option<CallId> {
    let id = match topic.strip_prefix("/ext/rrpc/") {
        Some(rest) => rest.split_once('/')?.0,
        None => {
            let (before, last) = topic.rsplit_once('/')?;
            before.ends_with("/rrpc/response").then_some(last)?
        }
    };
    id.parse().ok()
}

/// What is left of a JSON object, member by member. Every function of it is `None` where the text is not as a device's
/// encoder writes it.
struct Object<'a>(&'a [u8]);

impl<'a> Object<'a> {
    /// `None` also for what may be an object behind a byte order mark. Whatever begins with something else has no members.
    fn of(payload: &'a [u8]) -> Option<Self> {
        match payload.trim_ascii_start().split_first() {
            Some((b'{', members)) => Some(Self(members)),
            Some((0xef, _)) => None,
            Some(_) | None => Some(Self(b"}")),
        }
    }

    /// The member `id`, `None` if there is none, and what stands behind it.
    fn id(mut self) -> Option<(Option<CallId>, &'a [u8])> {
        if self.take(b'}').is_some() {
            return Some((None, self.0));
        }
        loop {
            let name = self.string()?;
            self.take(b':')?;
            if name == b"id" {
                return Some((Some(self.number()?), self.0));
            }
            self.value()?;
            if self.take(b',').is_none() {
                self.take(b'}')?;
                return Some((None, self.0));
            }
        }
    }

    /// An id, as text or as a number.
    fn number(&mut self) -> Option<CallId> {
        self.0 = self.0.trim_ascii_start();
        let quoted = self.take(b'"').is_some();
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (id, rest) = self.0.split_at_checked(digits)?;
        self.0 = rest;
        if quoted {
            self.0 = self.0.strip_prefix(b"\"")?;
        }
        // `7.0` is one too, for whoever reads it.
        matches!(self.0.trim_ascii_start().first(), Some(b',' | b'}')).then_some(())?;
        std::str::from_utf8(id).ok()?.parse().ok()
    }

    /// A text without escapes.
    fn string(&mut self) -> Option<&'a [u8]> {
        self.take(b'"')?;
        let end = self.0.iter().position(|byte| matches!(byte, b'"' | b'\\'))?;
        let (text, rest) = self.0.split_at_checked(end)?;
        self.0 = rest.strip_prefix(b"\"")?;
        Some(text)
    }

    /// Passes over a value, whatever is in it.
    fn value(&mut self) -> Option<()> {
        let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
        let end = self.0.iter().position(|byte| {
            if in_text {
                in_text = escaped || *byte != b'"';
                escaped = !escaped && *byte == b'\\';
                return false;
            }
            match byte {
                b'"' => in_text = true,
                b'{' | b'[' => depth += 1,
                b'}' | b']' | b',' if depth == 0 => return true,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            false
        })?;
        self.0 = self.0.get(end..)?;
        Some(())
    }

    /// Takes this sign, whatever white space stands before it.
    fn take(&mut self, sign: u8) -> Option<()> {
        self.0 = self.0.trim_ascii_start().strip_prefix(&[sign])?;
        Some(())
    }
}

#[cfg(test)]
mod tests;
