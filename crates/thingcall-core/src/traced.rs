//! What is recorded of a request for its trace, and the seam to who sends that on.
//!
//! **Invariants:** of a request whose trace is not recorded nothing is made but its context. No more spans than
//! [`TRACE_SPANS_MAX`] are kept of one request. Spans are made of times that a call has anyway, when its step is over.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime};

use crate::{Fact, Hop, Span, SpanId, SpanKind, TraceContext, TraceId};

/// How many spans one request may have; what a plugin asks of its device beyond that is left out, and counted.
pub const TRACE_SPANS_MAX: usize = 128;

/// Takes the spans of requests. Implemented by who exports them.
pub trait Tracer: Send + Sync {
    /// Begins the trace of what came then.
    fn begin(self: Arc<Self>, what: Begins, came: Instant) -> Arc<Traced>;

    /// Takes spans that have ended. Never waits.
    fn take(&self, spans: Vec<Span>);

    /// So many spans of one request were more than are kept.
    fn too_many(&self, spans: u64);
}

/// What a trace begins with here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begins {
    /// A request, below the place that its caller named, if it did. It ends when it is answered.
    Request(Option<TraceContext>),
    /// A call that the server makes by itself. It ends as such.
    Call,
}

/// When the last word on a span is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// When whoever got the request has answered it.
    WithAnswer,
    /// When the call ends: it is one of several of a request, or nobody's.
    WithCall,
}

/// A request, or one call of several, that belongs to a trace.
pub struct Traced {
    context: TraceContext,
    parent: Option<SpanId>,
    parent_is_remote: bool,
    ends: Ends,
    /// Two clocks, looked at together.
    at: (Instant, SystemTime),
    /// Takes what is recorded; `None`: nothing is.
    tracer: Option<Arc<dyn Tracer>>,
    /// The span of the plugin that has it in hand.
    handler: OnceLock<SpanId>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    spans: Vec<Span>,
    too_many: u64,
    facts: Vec<(&'static str, Fact)>,
    error: Option<Cow<'static, str>>,
}

/// A part of a request that is over.
#[derive(Debug)]
pub struct Part {
    /// Its name.
    pub name: &'static str,
    /// What it is towards others.
    pub kind: SpanKind,
    /// When it began.
    pub began: Instant,
    /// When it ended.
    pub ended: Instant,
    /// What is known of it.
    pub facts: Vec<(&'static str, Fact)>,
    /// Why it failed, if it did.
    pub error: Option<Cow<'static, str>>,
}

impl Traced {
    /// What came then has this place; recorded where there is a `tracer`.
    pub fn new(
        context: TraceContext,
        what: &Begins,
        at: (Instant, SystemTime),
        tracer: Option<Arc<dyn Tracer>>,
    ) -> Arc<Self> {
        let (ends, caller) = match what {
            Begins::Request(caller) => (Ends::WithAnswer, caller.as_ref().map(|caller| caller.span_id)),
            Begins::Call => (Ends::WithCall, None),
        };
        Arc::new(Self::at(context, (caller, true), ends, (at, tracer)))
    }

    fn at(
        context: TraceContext,
        (parent, parent_is_remote): (Option<SpanId>, bool),
        ends: Ends,
        (at, tracer): ((Instant, SystemTime), Option<Arc<dyn Tracer>>),
    ) -> Self {
        let (handler, kept) = (OnceLock::new(), Mutex::default());
        Self { context, parent, parent_is_remote, ends, at, tracer, handler, kept }
    }

    /// One call of several that this request asks for: a span of its own.
    pub fn branch(&self) -> Arc<Self> {
        let (context, parent) = (self.context.child(), (Some(self.context.span_id), false));
        Arc::new(Self::at(context, parent, Ends::WithCall, (self.at, self.tracer.clone())))
    }

    /// Its place in the trace.
    pub const fn context(&self) -> &TraceContext {
        &self.context
    }

    /// The trace's id, where it is recorded.
    pub fn recorded_id(&self) -> Option<TraceId> {
        self.is_recorded().then_some(self.context.trace_id)
    }

    /// Whether anything is recorded.
    pub const fn is_recorded(&self) -> bool {
        self.tracer.is_some()
    }

    /// A plugin gets it: what it asks of devices, and what it does elsewhere, is below its own span.
    pub fn in_handler(&self) -> TraceContext {
        let span_id = *self.handler.get_or_init(SpanId::random);
        TraceContext { span_id, ..self.context.clone() }
    }

    /// A command's way to its device and back.
    pub fn hop(&self) -> Arc<Hop> {
        let parent = self.handler.get().copied().unwrap_or(self.context.span_id);
        Hop::new(self.context.child(), parent)
    }

    /// A part of it is over. Asked only where it is recorded, what it is.
    pub fn part(&self, part: impl FnOnce() -> Part) {
        if self.is_recorded() {
            self.add(part(), self.context.child(), Some(self.context.span_id), None);
        }
    }

    /// A part of it that belongs to a command is over: one beside the device's.
    pub fn part_of(&self, hop: &Hop, part: impl FnOnce() -> Part) {
        if self.is_recorded() {
            self.add(part(), self.context.child(), Some(hop.parent), None);
        }
    }

    /// The plugin is done with it.
    pub fn handled(&self, part: impl FnOnce() -> Part) {
        if self.is_recorded() {
            self.add(part(), self.in_handler(), Some(self.context.span_id), None);
        }
    }

    /// A device answered, or did not; where it named a place of its own, there is a link to that.
    pub fn at_device(&self, hop: &Hop, link: Option<TraceContext>, part: impl FnOnce() -> Part) {
        if self.is_recorded() {
            self.add(part(), hop.context.clone(), Some(hop.parent), link);
        }
    }

    fn add(&self, part: Part, context: TraceContext, parent: Option<SpanId>, link: Option<TraceContext>) {
        let mut kept = self.kept();
        if kept.spans.len() >= TRACE_SPANS_MAX {
            kept.too_many += 1;
            return;
        }
        let Part { name, kind, began, ended, facts, error } = part;
        let (began, ended) = (self.when(began), self.when(ended));
        let (name, parent_is_remote) = (Cow::Borrowed(name), false);
        kept.spans.push(Span { context, parent, parent_is_remote, name, kind, began, ended, facts, error, link });
    }

    /// What is known of the whole.
    pub fn tell(&self, facts: impl IntoIterator<Item = (&'static str, Fact)>) {
        if self.is_recorded() {
            self.kept().facts.extend(facts);
        }
    }

    /// Its call has ended, then. What ends with it is sent on.
    pub fn call_ended(&self, name: &'static str, ended: Instant, error: Option<Cow<'static, str>>) {
        if !self.is_recorded() {
            return;
        }
        match self.ends {
            Ends::WithAnswer => self.kept().error = error,
            Ends::WithCall => self.end(name.into(), SpanKind::Internal, (ended, error)),
        }
    }

    /// The request was answered, then. Everything of it is sent on.
    pub fn answered(&self, name: &'static str, ended: Instant, error: Option<Cow<'static, str>>) {
        if self.is_recorded() {
            self.end(name.into(), SpanKind::Server, (ended, error));
        }
    }

    fn end(&self, name: Cow<'static, str>, kind: SpanKind, (ended, error): (Instant, Option<Cow<'static, str>>)) {
        let Some(tracer) = &self.tracer else { return };
        let Kept { mut spans, too_many, facts, error: of_call } = std::mem::take(&mut *self.kept());
        let (context, parent, parent_is_remote) = (self.context.clone(), self.parent, self.parent_is_remote);
        let (began, ended, error, link) = (self.at.1, self.when(ended), error.or(of_call), None);
        spans.push(Span { context, parent, parent_is_remote, name, kind, began, ended, facts, error, link });
        if too_many > 0 {
            tracer.too_many(too_many);
        }
        tracer.take(spans);
    }

    fn when(&self, at: Instant) -> SystemTime {
        let (came, then) = self.at;
        if at >= came { then + (at - came) } else { then.checked_sub(came - at).unwrap_or(then) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Traced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Traced").field(&self.context).finish()
    }
}
