//! The answer to what could not be read as a request.
//!
//! **Invariant:** it has the form of every other refusal, and is noted like one. What was sent is looked at as bytes, since it is no request.

use thingcall_core::RequestId;
use thingcall_listen::Unread;

use crate::answer::{About, Format, HttpAnswer};
use crate::app::App;
use crate::gateway::GatewayError;
use crate::refused;

/// Says why, and the way round.
pub(crate) fn refuse(unread: &Unread<'_>, app: &App) -> HttpAnswer {
    let head = unread.head();
    let error = match unread {
        Unread::TargetTooLong { .. } => {
            GatewayError::UriTooLong { bytes: target(head).len(), max: Unread::TARGET_BYTES_MAX }
        }
        Unread::HeadTooLarge { max, .. } => GatewayError::HeadTooLarge { max: *max },
        Unread::TooManyHeaders { .. } => GatewayError::TooManyHeaders { max: Unread::HEADERS_MAX },
        Unread::Malformed { .. } => GatewayError::Malformed,
        Unread::Slow { within, .. } => GatewayError::HeadTimeout(*within),
        Unread::NoBytesLeft { max, .. } => GatewayError::BytesFull { max: *max },
    };
    let about = About { format: format(head), action: "", answer_name: "", id: RequestId::random() };
    app.desk.note_refused(refused::noted_unread(about.id, &error), false);
    let host = header(head, b"host:");
    let answer = about.refusal(&error, &String::from_utf8_lossy(host.get(..host.len().min(256)).unwrap_or_default()));
    app.metrics.unread(&error);
    answer
}

/// The path and query, as far as they came.
fn target(head: &[u8]) -> &[u8] {
    let line = head.split(|byte| matches!(byte, b'\r' | b'\n')).find(|line| !line.is_empty()).unwrap_or_default();
    line.split(|byte| *byte == b' ').nth(1).unwrap_or_default()
}

/// The form the caller asked for or, where that was not read, the one its way to sign has.
fn format(head: &[u8]) -> Format {
    let query = target(head).split(|byte| *byte == b'?').nth(1).unwrap_or_default();
    let mut v1 = false;
    for (name, value) in form_urlencoded::parse(query) {
        match &*name {
            "Format" => return Format::from_word(&value).unwrap_or(Format::Json),
            "AccessKeyId" => v1 = true,
            _ => {}
        }
    }
    if v1 { Format::Xml } else { Format::Json }
}

/// The value of the first header with this name and a colon, in lower case.
fn header<'a>(head: &'a [u8], name: &[u8]) -> &'a [u8] {
    let mut lines = head.split(|byte| *byte == b'\n').skip(1);
    let value = lines.find_map(|line| {
        let (start, value) = line.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then(|| value.trim_ascii())
    });
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests;
