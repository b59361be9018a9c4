//! Whose trace something belongs to, as W3C's Trace Context writes it.
//!
//! **Invariant:** a context names a trace and a span: neither is all zeros. What is read is read strictly; what is not right
//! is nobody's trace.

use std::fmt;
use std::sync::Arc;

/// How long a `tracestate` may be that is carried on; a longer one is left out.
pub const TRACE_STATE_BYTES_MAX: usize = 512;
/// How many members it may have.
const TRACE_STATE_MEMBERS_MAX: usize = 32;
/// What names a place in a trace, in lists of names and values.
pub const TRACE_PARENT: &str = "traceparent";
/// What stands beside it there.
pub const TRACE_STATE: &str = "tracestate";
/// How long a `traceparent` of the version known here is.
const PARENT_BYTES: usize = 55;

/// Names a trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TraceId([u8; 16]);

/// Names a span of a trace.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SpanId([u8; 8]);

/// A place in a trace: whoever goes on from it is below that span.
#[derive(Clone, PartialEq, Eq)]
pub struct TraceContext {
    /// The trace.
    pub trace_id: TraceId,
    /// The span.
    pub span_id: SpanId,
    /// Whether the trace is recorded, as far as whoever had it last knows.
    pub is_sampled: bool,
    /// What tracing systems say to themselves, `tracestate`. Not read here.
    pub state: Option<Arc<str>>,
}

impl TraceId {
    /// A new random one.
    pub fn random() -> Self {
        // Of a version-4 UUID the last seven bytes are all random: by those it is decided what is sampled.
        Self(uuid::Uuid::new_v4().into_bytes())
    }

    /// Of these bytes; `None` of zeros.
    pub fn from_bytes(bytes: [u8; 16]) -> Option<Self> {
        (bytes != [0; 16]).then_some(Self(bytes))
    }

    /// Its bytes.
    pub const fn bytes(self) -> [u8; 16] {
        self.0
    }

    /// The 56 bits that are random in every trace's id, by which it is decided alike everywhere whether it is sampled.
    pub fn randomness(self) -> u64 {
        let [.., a, b, c, d, e, f, g] = self.0;
        u64::from_be_bytes([0, a, b, c, d, e, f, g])
    }
}

impl SpanId {
    /// A new random one.
    pub fn random() -> Self {
        Self(fastrand::u64(1..).to_be_bytes())
    }

    /// Of these bytes; `None` of zeros.
    pub fn from_bytes(bytes: [u8; 8]) -> Option<Self> {
        (bytes != [0; 8]).then_some(Self(bytes))
    }

    /// Of 16 small hexadecimal digits.
    pub fn read(text: &str) -> Option<Self> {
        Self::from_bytes(bytes_of(text)?)
    }

    /// Its bytes.
    pub const fn bytes(self) -> [u8; 8] {
        self.0
    }
}

impl TraceContext {
    /// A trace that begins here.
    pub fn root(trace_id: TraceId, is_sampled: bool) -> Self {
        Self { trace_id, span_id: SpanId::random(), is_sampled, state: None }
    }

    /// A new span of the same trace.
    #[must_use]
    pub fn child(&self) -> Self {
        Self { span_id: SpanId::random(), ..self.clone() }
    }

    /// Reads a `traceparent` and the `tracestate` that came with it. `None` if the first is not right; a wrong second one is
    /// left out.
    pub fn read(parent: &str, state: Option<&str>) -> Option<Self> {
        let (version, rest) = parent.split_at_checked(2)?;
        let [version] = bytes_of(version)?;
        let longer = parent.as_bytes().get(PARENT_BYTES);
        // A later version may say more behind what this one says.
        if version == 0xff || (version == 0 && longer.is_some()) || longer.is_some_and(|next| *next != b'-') {
            return None;
        }
        let mut parts = rest.get(..PARENT_BYTES - 2)?.split('-');
        let ("", trace_id, span_id, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?) else {
            return None;
        };
        let [flags] = bytes_of(flags)?;
        Some(Self {
            trace_id: TraceId::from_bytes(bytes_of(trace_id)?)?,
            span_id: SpanId::from_bytes(bytes_of(span_id)?)?,
            is_sampled: flags & 1 == 1,
            state: state.and_then(state_of),
        })
    }

    /// Its names and values, wherever there is a place for such beside a message.
    pub fn pairs(&self) -> impl Iterator<Item = (&'static str, String)> {
        let state = self.state.as_deref().map(|state| (TRACE_STATE, state.to_owned()));
        std::iter::once((TRACE_PARENT, self.parent())).chain(state)
    }

    /// How much those take, with `each` for what surrounds a pair.
    pub fn pairs_bytes(&self, each: usize) -> usize {
        let state = self.state.as_deref().map_or(0, |state| TRACE_STATE.len() + state.len() + each);
        TRACE_PARENT.len() + PARENT_BYTES + each + state
    }

    /// As one text: `traceparent`, and `tracestate` behind a blank if there is one.
    pub fn to_text(&self) -> String {
        let state = self.state.as_deref().map(|state| format!(" {state}")).unwrap_or_default();
        self.parent() + &state
    }

    /// The same, read.
    pub fn of_text(text: &str) -> Option<Self> {
        let (parent, state) = text.split_once(' ').map_or((text, None), |(parent, state)| (parent, Some(state)));
        Self::read(parent, state)
    }

    /// As `traceparent` writes it.
    pub fn parent(&self) -> String {
        format!("00-{}-{}-{:02x}", self.trace_id, self.span_id, u8::from(self.is_sampled))
    }
}

/// Bytes, of exactly so many small hexadecimal digits.
fn bytes_of<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (mut bytes, (pairs, rest)) = ([0; N], text.as_bytes().as_chunks::<2>());
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// A `tracestate`, where it is a list of members.
fn state_of(text: &str) -> Option<Arc<str>> {
    let text = text.trim_matches([' ', '\t', ',']);
    if text.is_empty() || text.len() > TRACE_STATE_BYTES_MAX {
        return None;
    }
    let members = text.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty());
    let (fit, count) = members.fold((true, 0), |(fit, count), member| (fit && is_member(member), count + 1));
    (fit && count <= TRACE_STATE_MEMBERS_MAX).then(|| text.into())
}

/// Whether this is `KEY=VALUE` of the characters that may stand there.
fn is_member(member: &str) -> bool {
    let Some((key, value)) = member.split_once('=') else { return false };
    let in_key = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' | b'*' | b'/' | b'@');
    let in_value = |byte: u8| matches!(byte, b' '..=b'~') && !matches!(byte, b',' | b'=');
    let begins = key.as_bytes().first().is_some_and(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    begins
        && key.len() <= 256
        && key.bytes().all(in_key)
        && (1..=256).contains(&value.len())
        && value.bytes().all(in_value)
}

fn hexadecimal(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Display for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for SpanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hexadecimal(&self.0, f)
    }
}

impl fmt::Debug for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceContext({})", self.parent())
    }
}

#[cfg(test)]
mod tests;
