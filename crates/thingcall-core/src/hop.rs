//! A command's way to its device and back, as a span that the device knows of.
//!
//! **Invariant:** one that is kept and read again has the same place in its trace.

use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use crate::{Fact, Span, SpanId, SpanKind, TraceContext, UnixMillis};

/// One command's way to its device and back, as the device sees it.
#[derive(Debug)]
pub struct Hop {
    /// What the device is told: its own work is below this span.
    pub context: TraceContext,
    /// The span that this one is below.
    pub parent: SpanId,
    /// Where it was published.
    topic: OnceLock<Box<str>>,
}

/// A hop as a journal keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptHop {
    /// What its device is told.
    pub context: TraceContext,
    /// The span that its own is below.
    pub parent: SpanId,
}

impl Hop {
    /// One with this place, below that span.
    pub fn new(context: TraceContext, parent: SpanId) -> Arc<Self> {
        Arc::new(Self { context, parent, topic: OnceLock::new() })
    }

    /// As it is kept.
    pub fn keep(&self) -> KeptHop {
        KeptHop { context: self.context.clone(), parent: self.parent }
    }

    /// Its command is published on this topic.
    pub fn published_on(&self, topic: &str) {
        if self.context.is_sampled {
            self.topic.get_or_init(|| topic.into());
        }
    }

    /// Where that was.
    pub fn topic(&self) -> Option<&str> {
        self.topic.get().map(|topic| &**topic)
    }
}

impl KeptHop {
    /// The hop of a command that is sent once more, or later.
    pub fn hop(self) -> Arc<Hop> {
        Hop::new(self.context, self.parent)
    }

    /// The span at the device, of a command whose caller did not wait for it.
    pub fn span(&self, (began, ended): (UnixMillis, UnixMillis), facts: Vec<(&'static str, Fact)>) -> Span {
        let at = |UnixMillis(millis): UnixMillis| {
            SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(millis).unwrap_or(0))
        };
        Span {
            context: self.context.clone(),
            parent: Some(self.parent),
            parent_is_remote: false,
            name: "device".into(),
            kind: SpanKind::Client,
            began: at(began),
            ended: at(ended.max(began)),
            facts,
            error: None,
            link: None,
        }
    }

    /// As one text: `traceparent`, the span that it is below, and `tracestate` if there is one, with blanks between.
    pub fn to_text(&self) -> String {
        let state = self.context.state.as_deref().map(|state| format!(" {state}")).unwrap_or_default();
        format!("{} {}{state}", self.context.parent(), self.parent)
    }

    /// The same, read.
    pub fn read(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, ' ');
        let (parent, below) = (parts.next()?, parts.next()?);
        Some(Self { context: TraceContext::read(parent, parts.next())?, parent: SpanId::read(below)? })
    }
}
