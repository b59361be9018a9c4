//! The question for calls that are kept, in SQL that both databases know.
//!
//! **Invariant:** what somebody looks for is bound, never part of the text.

use thingcall_core::{CallFilter, CallOrder, CallSource};

/// A value to be bound.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Bound {
    Number(i64),
    Text(String),
}

/// A statement and what is bound to it, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    pub(crate) text: String,
    pub(crate) bound: Vec<Bound>,
}

/// How a database writes the place of a bound value, counted from 1.
pub(crate) type Mark = fn(usize) -> String;

/// A list of conditions as it grows.
struct Conditions {
    mark: Mark,
    all: Vec<String>,
    bound: Vec<Bound>,
}

impl Conditions {
    /// `column op value`.
    fn add(&mut self, compared: &str, value: Bound) {
        self.bound.push(value);
        let mark = (self.mark)(self.bound.len());
        self.all.push(format!("{compared} {mark}"));
    }

    fn texts<'t>(&mut self, all: impl IntoIterator<Item = (&'static str, Option<&'t str>)>) {
        for (compared, value) in all {
            if let Some(value) = value {
                self.add(compared, Bound::Text(value.to_owned()));
            }
        }
    }

    fn numbers(&mut self, all: impl IntoIterator<Item = (&'static str, Option<i64>)>) {
        for (compared, value) in all {
            if let Some(value) = value {
                self.add(compared, Bound::Number(value));
            }
        }
    }
}

/// Calls of one kind that stand before a place or behind it.
pub(crate) fn page(
    source: CallSource,
    filter: &CallFilter,
    (order, place): (CallOrder, i64),
    max: usize,
    mark: Mark,
) -> Question {
    let mut all = Conditions { mark, all: Vec::new(), bound: Vec::new() };
    let (compared, way) = match order {
        CallOrder::NewestFirst => ("seq <", "DESC"),
        CallOrder::OldestFirst => ("seq >", "ASC"),
    };
    all.add(compared, Bound::Number(place));
    let device = filter.device.as_ref();
    all.texts([
        ("product =", device.map(|device| device.product.as_str())),
        ("device =", device.map(|device| device.name.as_str())),
        ("outcome =", filter.outcome.map(thingcall_core::Outcome::as_str)),
        ("key_id =", filter.key_id.as_deref()),
        ("request_id =", filter.request_id.as_deref()),
    ]);
    all.numbers([
        ("accepted_at >=", filter.since.map(|at| at.0)),
        ("accepted_at <=", filter.until.map(|at| at.0)),
        ("call_id =", filter.call_id.map(|id| i64::from(id.as_u32()))),
    ]);
    match (source, &filter.service) {
        (_, None) => {}
        (CallSource::Records, Some(service)) => all.add("service =", Bound::Text(service.to_string())),
        (CallSource::Journal, Some(service)) => {
            all.add("service =", Bound::Text(service.service.to_string()));
            match &service.module {
                Some(module) => all.add("module =", Bound::Text(module.to_string())),
                None => all.all.push("module IS NULL".to_owned()),
            }
        }
    }
    if filter.only_open {
        let open = match source {
            CallSource::Journal => "state < 3",
            // Those have ended.
            CallSource::Records => "1 = 0",
        };
        all.all.push(open.to_owned());
    }
    let from = columns(source);
    let which = all.all.join(" AND ");
    all.bound.push(Bound::Number(i64::try_from(max).unwrap_or(i64::MAX)));
    let limit = mark(all.bound.len());
    Question { text: format!("{from} WHERE {which} ORDER BY seq {way} LIMIT {limit}"), bound: all.bound }
}

const fn columns(source: CallSource) -> &'static str {
    match source {
        CallSource::Records => {
            "SELECT seq, call_id, request_id, product, device, service, key_id, outcome, accepted_at, body FROM call_records"
        }
        CallSource::Journal => "SELECT calls.*, TRUE AS device_enabled FROM calls",
    }
}
