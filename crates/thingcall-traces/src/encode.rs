//! Spans as OTLP writes them.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, InstrumentationScope, KeyValue};
use opentelemetry_proto::tonic::resource::v1::Resource;
use opentelemetry_proto::tonic::trace::v1::span::{self, Link};
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use opentelemetry_proto::tonic::trace::v1::{ResourceSpans, ScopeSpans, Span as Wire, Status};
use prost::Message as _;
use thingcall_core::{Fact, Span, SpanKind, TraceContext};

/// It is known whether the parent is another program's, and it is.
const PARENT_KNOWN: u32 = 0x100;
const PARENT_IS_REMOTE: u32 = 0x200;

/// What stands around the spans of each request.
#[derive(Debug, Clone)]
pub(crate) struct Encoder {
    resource: Resource,
    scope: InstrumentationScope,
}

impl Encoder {
    /// Of a server that says this of itself.
    pub(crate) fn new(resource: BTreeMap<String, String>) -> Self {
        let attributes =
            resource.into_iter().map(|(name, value)| key_value(&name, Value::StringValue(value))).collect();
        Self {
            resource: Resource { attributes, ..Resource::default() },
            scope: InstrumentationScope {
                name: "thingcall".to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                ..InstrumentationScope::default()
            },
        }
    }

    /// A request with these spans.
    pub(crate) fn encode(&self, spans: Vec<Span>) -> Vec<u8> {
        let spans = spans.into_iter().map(wire).collect();
        let scope_spans = vec![ScopeSpans { scope: Some(self.scope.clone()), spans, ..ScopeSpans::default() }];
        let resource = Some(self.resource.clone());
        let resource_spans = vec![ResourceSpans { resource, scope_spans, ..ResourceSpans::default() }];
        ExportTraceServiceRequest { resource_spans }.encode_to_vec()
    }
}

fn wire(span: Span) -> Wire {
    let Span { context, parent, parent_is_remote, name, kind, began, ended, facts, error, link } = span;
    let remote = if parent_is_remote { PARENT_IS_REMOTE } else { 0 };
    let mut attributes: Vec<_> = facts.into_iter().map(|(name, fact)| key_value(name, value(fact))).collect();
    attributes.extend(error.as_deref().map(|error| key_value("error.type", Value::StringValue(error.to_owned()))));
    let code = if error.is_some() { StatusCode::Error } else { StatusCode::Unset };
    Wire {
        trace_id: context.trace_id.bytes().to_vec(),
        span_id: context.span_id.bytes().to_vec(),
        trace_state: state(&context),
        parent_span_id: parent.map(|parent| parent.bytes().to_vec()).unwrap_or_default(),
        flags: flags(&context) | PARENT_KNOWN | remote,
        name: name.into_owned(),
        kind: match kind {
            SpanKind::Internal => span::SpanKind::Internal,
            SpanKind::Server => span::SpanKind::Server,
            SpanKind::Client => span::SpanKind::Client,
            SpanKind::Producer => span::SpanKind::Producer,
        }
        .into(),
        start_time_unix_nano: nanos(began),
        end_time_unix_nano: nanos(ended),
        attributes,
        links: link.iter().map(linked).collect(),
        status: Some(Status { code: code.into(), message: String::new() }),
        ..Wire::default()
    }
}

fn linked(to: &TraceContext) -> Link {
    Link {
        trace_id: to.trace_id.bytes().to_vec(),
        span_id: to.span_id.bytes().to_vec(),
        trace_state: state(to),
        flags: flags(to) | PARENT_KNOWN | PARENT_IS_REMOTE,
        ..Link::default()
    }
}

fn state(context: &TraceContext) -> String {
    context.state.as_deref().unwrap_or_default().to_owned()
}

fn flags(context: &TraceContext) -> u32 {
    u32::from(context.is_sampled)
}

fn nanos(at: SystemTime) -> u64 {
    u64::try_from(at.duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos()).unwrap_or(u64::MAX)
}

fn value(fact: Fact) -> Value {
    match fact {
        Fact::Text(text) => Value::StringValue(text.into_owned()),
        Fact::Number(number) => Value::IntValue(number),
    }
}

fn key_value(key: &str, value: Value) -> KeyValue {
    KeyValue { key: key.to_owned(), value: Some(AnyValue { value: Some(value) }), ..KeyValue::default() }
}
