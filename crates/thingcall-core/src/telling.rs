//! What is told of a call after its request was answered, such as a webhook's request.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::SystemTime;

use crate::{Fact, Span, SpanKind, TraceContext, Tracer};

/// Something that is told of a call after its request was answered: a span from when it began.
pub struct Telling {
    span: Span,
    /// Takes it; `None`: it is not recorded.
    tracer: Option<Arc<dyn Tracer>>,
}

impl Telling {
    /// Begins now, below this place.
    pub fn begin(tracer: Option<&Arc<dyn Tracer>>, below: &TraceContext, name: &'static str) -> Self {
        let tracer = tracer.filter(|_| below.is_sampled).cloned();
        // What is not recorded is no place for anybody to go on from.
        let context = if tracer.is_some() { below.child() } else { below.clone() };
        let now = SystemTime::now();
        let span = Span {
            context,
            parent: Some(below.span_id),
            parent_is_remote: false,
            name: name.into(),
            kind: SpanKind::Client,
            began: now,
            ended: now,
            facts: Vec::new(),
            error: None,
            link: None,
        };
        Self { span, tracer }
    }

    /// Its place.
    pub const fn context(&self) -> &TraceContext {
        &self.span.context
    }

    /// It is over.
    pub fn done(self, facts: impl IntoIterator<Item = (&'static str, Fact)>, error: Option<Cow<'static, str>>) {
        let Some(tracer) = self.tracer else { return };
        let facts = facts.into_iter().collect();
        tracer.take(vec![Span { ended: SystemTime::now(), facts, error, ..self.span }]);
    }
}
