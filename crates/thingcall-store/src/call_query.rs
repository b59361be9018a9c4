//! The question for calls that are kept, in SQL that both databases know.
//!
//! **Invariant:** what somebody looks for is bound, never part of the text.

use thingcall_core::{CallFilter, CallOrder, CallPlace, CallSource, Letter, ProductKey, ServiceCalls, ServiceId};

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

    /// The service, as each kind writes it.
    fn service(&mut self, source: CallSource, service: Option<&ServiceId>) {
        let Some(ServiceId { module, service: identifier }) = service else { return };
        match (source, module) {
            (CallSource::Records, Some(module)) => self.add("service =", Bound::Text(format!("{module}:{identifier}"))),
            (CallSource::Records, None) => self.add("service =", Bound::Text(identifier.to_string())),
            (CallSource::Journal, module) => {
                self.add("service =", Bound::Text(identifier.to_string()));
                match module {
                    Some(module) => self.add("module =", Bound::Text(module.to_string())),
                    None => self.all.push("module IS NULL".to_owned()),
                }
            }
        }
    }

    /// At one of these places of the journal, where any are named.
    fn places(&mut self, source: CallSource, places: &[i64]) {
        if places.is_empty() {
            return;
        }
        self.all.push(match source {
            CallSource::Records => "1 = 0".to_owned(),
            CallSource::Journal => {
                let first = self.bound.len() + 1;
                self.bound.extend(places.iter().map(|place| Bound::Number(*place)));
                let marks: Vec<_> = (first..=self.bound.len()).map(self.mark).collect();
                format!("seq IN ({})", marks.join(", "))
            }
        });
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
        ("product =", device.map(|device| &device.product).or(filter.product.as_ref()).map(ProductKey::as_str)),
        ("device =", device.map(|device| device.name.as_str())),
        ("action =", filter.action.as_deref()),
        ("outcome =", filter.outcome.map(thingcall_core::Outcome::as_str)),
        ("key_id =", filter.key_id.as_deref()),
        ("request_id =", filter.request_id.as_deref()),
    ]);
    all.numbers([
        ("accepted_at >=", filter.since.map(|at| at.0)),
        ("accepted_at <=", filter.until.map(|at| at.0)),
        ("call_id =", filter.call_id.map(|id| i64::from(id.as_u32()))),
    ]);
    all.service(source, filter.service.as_ref());
    all.places(source, &filter.journal_places);
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

/// Calls of one kind of a device's services, in the order of their times.
pub(crate) fn by_time(source: CallSource, calls: &ServiceCalls, max: usize, mark: Mark) -> Question {
    let mut all = Conditions { mark, all: Vec::new(), bound: Vec::new() };
    all.texts([("product =", Some(calls.device.product.as_str())), ("device =", Some(calls.device.name.as_str()))]);
    all.numbers([("accepted_at >=", Some(calls.since.0)), ("accepted_at <=", Some(calls.until.0))]);
    all.service(source, calls.service.as_ref());
    all.all.push(match source {
        // A message of an application's own is no service.
        CallSource::Records => {
            format!("call_id IS NOT NULL AND service NOT IN ('{}')", Letter::WORDS.join("', '"))
        }
        // What sets properties is kept there too.
        CallSource::Journal => "NOT (module IS NULL AND service = 'set')".to_owned(),
    });
    let (less, way) = match calls.order {
        CallOrder::NewestFirst => ("<", "DESC"),
        CallOrder::OldestFirst => (">", "ASC"),
    };
    if let Some(CallPlace { at, source: kind, place }) = calls.behind {
        // Of calls of one moment, those of the journal come first, or last where the newest do.
        let later =
            matches!((kind < source, calls.order), (true, CallOrder::OldestFirst) | (false, CallOrder::NewestFirst));
        if kind == source {
            all.bound.extend([Bound::Number(at.0), Bound::Number(place)]);
            let (second, first) = (mark(all.bound.len()), mark(all.bound.len() - 1));
            all.all.push(format!("(accepted_at, seq) {less} ({first}, {second})"));
        } else {
            let or_then = if later { "=" } else { "" };
            all.bound.push(Bound::Number(at.0));
            let then = mark(all.bound.len());
            all.all.push(format!("accepted_at {less}{or_then} {then}"));
        }
    }
    let (from, which) = (columns(source), all.all.join(" AND "));
    all.bound.push(Bound::Number(i64::try_from(max).unwrap_or(i64::MAX)));
    let limit = mark(all.bound.len());
    let text = format!("{from} WHERE {which} ORDER BY accepted_at {way}, seq {way} LIMIT {limit}");
    Question { text, bound: all.bound }
}

const fn columns(source: CallSource) -> &'static str {
    match source {
        CallSource::Records => {
            "SELECT seq, call_id, request_id, action, product, device, service, key_id, outcome, accepted_at, body FROM call_records"
        }
        CallSource::Journal => "SELECT calls.*, TRUE AS device_enabled FROM calls",
    }
}
