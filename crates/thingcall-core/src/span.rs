//! What of a trace is one span's, as whoever exports it gets it.

use std::borrow::Cow;
use std::time::SystemTime;

use crate::{SpanId, TraceContext};

/// What of a trace is one span's.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Its own place.
    pub context: TraceContext,
    /// The span it is below.
    pub parent: Option<SpanId>,
    /// Whether that one is another program's.
    pub parent_is_remote: bool,
    /// Its name, of few.
    pub name: Cow<'static, str>,
    /// What it is towards others.
    pub kind: SpanKind,
    /// When it began.
    pub began: SystemTime,
    /// When it ended.
    pub ended: SystemTime,
    /// What is known of it.
    pub facts: Vec<(&'static str, Fact)>,
    /// Why it failed, if it did: a word of few.
    pub error: Option<Cow<'static, str>>,
    /// A place in another trace, or elsewhere in this one, that it has to do with.
    pub link: Option<TraceContext>,
}

/// What a span is towards others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpanKind {
    /// Work of this server's own.
    Internal,
    /// A request that it answers.
    Server,
    /// Somebody whom it asked and whose answer it awaits.
    Client,
    /// A message that it hands on.
    Producer,
}

/// What is known of a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fact {
    /// In words.
    Text(Cow<'static, str>),
    /// A number.
    Number(i64),
}

impl From<&'static str> for Fact {
    fn from(text: &'static str) -> Self {
        Self::Text(Cow::Borrowed(text))
    }
}

impl From<String> for Fact {
    fn from(text: String) -> Self {
        Self::Text(Cow::Owned(text))
    }
}

impl From<i64> for Fact {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}
