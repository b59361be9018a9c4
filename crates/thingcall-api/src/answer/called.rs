//! What calling a service answered: `Data` with `MessageId` and `Result`.
//!
//! **Invariant:** says the same as a tree and as JSON. As JSON, which nearly all callers want, it is written at once: no
//! tree, and the reply within it is escaped where it stands.

use std::cell::RefCell;

use bytes::Bytes;
use thingcall_core::{CallId, ReplyBody, RequestId};

use super::json::{escape_into, number, string};
use super::{Fields, Node, text};

/// A usual answer fits into so much; what a larger one took is given back.
const ANSWER_KEPT_BYTES_MAX: usize = 16 * 1024;

thread_local! {
    /// Where answers are written, one after another.
    static ANSWER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A call that was made.
#[derive(Debug)]
pub(crate) struct Called {
    /// Its id.
    pub(crate) id: CallId,
    /// What is told of the device's answer.
    pub(crate) result: Replied,
}

/// What `Result` holds.
#[derive(Debug)]
pub(crate) enum Replied {
    /// Nothing: nobody waits for the answer.
    Nothing,
    /// The whole Alink reply.
    Envelope(ReplyBody),
    /// Its data alone.
    Data(String),
}

impl Called {
    /// What stands beside `RequestId` and `Success`.
    pub(crate) fn into_fields(self) -> Fields {
        let mut data = vec![("MessageId", text(self.id.to_string()))];
        let result = match self.result {
            Replied::Nothing => None,
            Replied::Envelope(body) => Some(envelope(self.id, &body)),
            Replied::Data(data) => Some(data),
        };
        data.extend(result.map(|result| ("Result", text(result))));
        vec![("Data", Node::Object(data))]
    }

    /// The whole answer as JSON.
    pub(super) fn json(&self, request: RequestId) -> Bytes {
        ANSWER.with_borrow_mut(|out| {
            out.clear();
            self.write(request, out);
            // In memory of just its size: what is larger costs an allocation more.
            let answer = Bytes::copy_from_slice(out);
            if out.capacity() > ANSWER_KEPT_BYTES_MAX {
                *out = Vec::new();
            }
            answer
        })
    }

    fn write(&self, request: RequestId, out: &mut Vec<u8>) {
        out.extend_from_slice(br#"{"RequestId":""#);
        out.extend_from_slice(request.write(&mut [0; RequestId::TEXT_LEN]).as_bytes());
        out.extend_from_slice(br#"","Success":true,"Data":{"MessageId":""#);
        number(out, self.id.as_u32());
        match &self.result {
            Replied::Nothing => {}
            Replied::Envelope(body) => {
                out.extend_from_slice(br#"","Result":""#);
                escaped_envelope(out, self.id, body);
            }
            Replied::Data(data) => {
                out.extend_from_slice(br#"","Result":""#);
                escape_into(out, data.as_bytes());
            }
        }
        out.extend_from_slice(br#""}}"#);
    }
}

/// The whole Alink reply, in the order of Alibaba's sample. Devices send no message on success; the samples show one.
fn envelope(id: CallId, body: &ReplyBody) -> String {
    let mut out = Vec::with_capacity(body.data.len() + 96);
    out.extend_from_slice(br#"{"code":"#);
    number(&mut out, body.code);
    out.extend_from_slice(br#","data":"#);
    out.extend_from_slice(body.data.as_bytes());
    out.extend_from_slice(br#","id":""#);
    number(&mut out, id.as_u32());
    out.extend_from_slice(br#"","message":"#);
    string(&mut out, message(body));
    out.extend_from_slice(br#","version":"1.0"}"#);
    // Of texts and numbers only.
    String::from_utf8(out).unwrap_or_default()
}

/// The same, within a JSON string.
fn escaped_envelope(out: &mut Vec<u8>, id: CallId, body: &ReplyBody) {
    out.extend_from_slice(br#"{\"code\":"#);
    number(out, body.code);
    out.extend_from_slice(br#",\"data\":"#);
    escape_into(out, body.data.as_bytes());
    out.extend_from_slice(br#",\"id\":\""#);
    number(out, id.as_u32());
    out.extend_from_slice(br#"\",\"message\":"#);
    match message(body) {
        SUCCESS => out.extend_from_slice(br#"\"success\""#),
        message => {
            let mut inner = Vec::with_capacity(message.len() + 16);
            string(&mut inner, message);
            escape_into(out, &inner);
        }
    }
    out.extend_from_slice(br#",\"version\":\"1.0\"}"#);
}

const SUCCESS: &str = "success";

fn message(body: &ReplyBody) -> &str {
    body.message.as_deref().unwrap_or(if body.code == ReplyBody::SUCCESS { SUCCESS } else { "" })
}

#[cfg(test)]
mod tests;
