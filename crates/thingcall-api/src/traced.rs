//! The trace that a request belongs to: read from its head, and told when it is answered.
//!
//! **Invariant:** the headers are no part of a signature, so nothing is decided by them but which trace it is. A head that
//! names no place, or several, or none that can be read, begins a trace of its own.

use std::borrow::Cow;
use std::sync::Arc;

use hyper::StatusCode;
use hyper::header::HOST;
use hyper::http::request::Parts;
use thingcall_core::{Begins, Outcome, SpanKind, TraceContext, Traced, TracedPart, Tracer};
use tokio::time::Instant;

use crate::actions::Action;
use crate::headers;
use crate::incoming::Incoming;

/// A request that is being answered. Dropped, it is one whose caller hung up.
pub(crate) struct Served {
    trace: Arc<Traced>,
    action: &'static str,
    ended: bool,
}

impl Served {
    /// This one, which knows its trace from here on.
    pub(crate) fn begin(tracer: &Arc<dyn Tracer>, incoming: &mut Incoming<'_>) -> Box<Self> {
        let head = incoming.head;
        let trace = tracer.clone().begin(Begins::Request(caller(head)), incoming.received.into_std());
        let action = incoming.action().and_then(|name| name.parse::<Action>().ok()).map_or("request", Action::as_str);
        if trace.is_recorded() {
            let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
            let address = host.rsplit_once(':').map_or(host, |(address, _)| address);
            trace.tell([
                ("http.request.method", head.method.to_string().into()),
                ("url.path", head.uri.path().to_owned().into()),
                ("server.address", address.to_owned().into()),
                ("thingcall.action", action.into()),
                ("thingcall.request_id", incoming.id.to_string().into()),
            ]);
        }
        incoming.trace = Some(trace.clone());
        Box::new(Self { trace, action, ended: false })
    }

    fn end(&self, error: Option<Cow<'static, str>>) {
        self.trace.answered(self.action, Instant::now().into_std(), error);
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Some(Outcome::Cancelled.as_str().into()));
        }
    }
}

/// A request was answered so; with the code of what failed it, where that is not its call.
pub(crate) fn answered(served: Option<Box<Served>>, status: StatusCode, error: Option<Cow<'static, str>>) {
    let Some(mut served) = served else { return };
    served.ended = true;
    served.trace.tell([("http.response.status_code", i64::from(status.as_u16()).into())]);
    served.end(error);
}

/// It is known now who asks, or that nobody may.
pub(crate) fn authenticated(trace: Option<&Arc<Traced>>, came: Instant, error: Option<Cow<'static, str>>) {
    let Some(trace) = trace else { return };
    trace.part(|| TracedPart {
        name: "auth",
        kind: SpanKind::Internal,
        began: came.into_std(),
        ended: Instant::now().into_std(),
        facts: Vec::new(),
        error,
    });
}

/// The place that a caller names.
fn caller(head: &Parts) -> Option<TraceContext> {
    let mut parents = head.headers.get_all(&headers::TRACE_PARENT).iter();
    let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
    let states = head.headers.get_all(&headers::TRACE_STATE).iter().map(|state| state.to_str().ok());
    let state = states.collect::<Option<Vec<_>>>().map(|states| states.join(","));
    TraceContext::read(parent.to_str().ok()?.trim(), state.as_deref())
}

#[cfg(test)]
mod tests {
    //! Which place a head names.

    use hyper::Request;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn named(headers: &[(&str, &str)]) -> Option<TraceContext> {
        let request = headers.iter().fold(Request::builder(), |request, (name, value)| request.header(*name, *value));
        caller(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn a_head_names_one_place_or_none() {
        assert_eq!(named(&[("Traceparent", PARENT)]), TraceContext::read(PARENT, None));
        assert_eq!(named(&[]), None);
        assert_eq!(named(&[("traceparent", PARENT), ("traceparent", PARENT)]), None, "nobody knows which");
        assert_eq!(named(&[("traceparent", "00-4bf9-01")]), None);
        assert_eq!(named(&[("tracestate", "a=1")]), None, "a state alone is none");
        let states = [("traceparent", PARENT), ("tracestate", "a=1"), ("tracestate", "b=2")];
        assert_eq!(named(&states).unwrap().state.as_deref(), Some("a=1,b=2"));
    }
}
