//! A post, held against the model of its product.

use thingcall_core::{EventItem, Item, LastValue, Misfit, Past, PastKind, Report, Said, UnixMillis, Value};
use thingcall_tsl::{EventLevel, Product, ReportCheck, ThingModel, Violation, ViolationKind};

/// What reports of a product's devices are held against.
pub(super) struct Checks<'a> {
    /// `None` where nothing is checked.
    model: Option<&'a ThingModel>,
    check: ReportCheck,
    /// Whether the past is kept.
    remembers: bool,
    /// When the post came: what has no time of its own has this one.
    at: UnixMillis,
}

/// What a post tells applications, and how it does not fit.
#[derive(Debug, Default)]
pub(super) struct Held {
    pub(super) reports: Vec<Report>,
    pub(super) violations: Vec<ViolationKind>,
    /// By name, what is told the device of it.
    pub(super) unfit: Vec<(String, String)>,
    /// What properties were, where they fit.
    pub(super) values: Vec<LastValue>,
    /// The same with their own times, and events that fit: what is kept of the past.
    pub(super) past: Vec<Past>,
}

impl<'a> Checks<'a> {
    pub(super) fn new(product: &'a Product, at: UnixMillis, remembers: bool) -> Self {
        let check = ReportCheck::of(product.settings.validation, product.settings.reply_check);
        let model = product.model.as_deref().filter(|_| check != ReportCheck::Off);
        Self { model, check, remembers, at }
    }

    pub(super) fn hold(&self, said: &Said) -> Held {
        let mut held = Held::default();
        match said {
            Said::Properties(values) => {
                let items = self.properties(values, &mut held);
                held.reports.push(Report::Properties(items));
            }
            Said::Event(value) => {
                let event = self.event(value, &mut held);
                held.reports.push(Report::Event(event));
            }
            Said::Batch(series) => {
                if !series.properties.is_empty() {
                    let items = self.properties(&series.properties, &mut held);
                    held.reports.push(Report::PropertyBatch(items));
                }
                if !series.events.is_empty() {
                    let items = series.events.iter().map(|value| self.event(value, &mut held).item).collect();
                    held.reports.push(Report::EventBatch(items));
                }
            }
            Said::History { properties, events } => {
                for values in properties {
                    let items = self.properties(values, &mut held);
                    held.reports.push(Report::PropertyHistory(items));
                }
                for value in events {
                    let event = self.event(value, &mut held);
                    held.reports.push(Report::EventHistory(event));
                }
            }
            Said::TagsSet(tags) => held.reports.push(Report::TagsSet(tags.clone())),
            Said::TagsRemoved(names) => held.reports.push(Report::TagsRemoved(names.clone())),
            Said::Custom { topic, payload } => {
                held.reports.push(Report::Custom { topic: topic.clone(), payload: payload.clone() });
            }
            Said::AsksTime(_) | Said::Refused { .. } => {}
        }
        held
    }

    fn properties(&self, values: &[Value], held: &mut Held) -> Vec<Item> {
        values.iter().map(|value| self.property(value, held)).collect()
    }

    fn property(&self, value: &Value, held: &mut Held) -> Item {
        let found = self.model.map(|model| {
            let property = model.property(&value.id).ok_or_else(|| nothing_known(&value.id))?;
            property.check(&value.value, self.check).map_err(|violation| unfit(&value.id, violation))
        });
        let item = self.item(value, found.and_then(Result::err), held);
        if item.misfit.is_none() {
            // A clock that is ahead would keep every later value away.
            let at = item.at.min(self.at);
            held.values.push(LastValue { property: item.id.clone(), value: item.value.clone(), at });
            self.remember(PastKind::Property, &item, held);
        }
        item
    }

    fn event(&self, value: &Value, held: &mut Held) -> EventItem {
        let event = self.model.and_then(|model| model.event(&value.id));
        let misfit = match (self.model, event) {
            (None, _) => None,
            (Some(_), None) => Some(nothing_known(&value.id)),
            (Some(_), Some(event)) => {
                event.check(&value.value, self.check).err().map(|violation| unfit(&value.id, violation))
            }
        };
        let item = self.item(value, misfit, held);
        if item.misfit.is_none() {
            self.remember(PastKind::Event, &item, held);
        }
        EventItem {
            item,
            name: event.map(|event| event.name().to_owned()).unwrap_or_default(),
            level: event.map_or(EventLevel::default(), |event| event.level()).as_str(),
        }
    }

    fn remember(&self, kind: PastKind, item: &Item, held: &mut Held) {
        if self.remembers {
            let (name, value, at) = (item.id.clone(), item.value.clone(), item.at.min(self.at));
            held.past.push(Past { kind, name, value, at });
        }
    }

    fn item(&self, value: &Value, unfit: Option<Unfit>, held: &mut Held) -> Item {
        let Value { id, value, at } = value;
        if let Some(Unfit { kind, message }) = &unfit {
            held.violations.push(*kind);
            if held.unfit.iter().all(|(name, _)| name != id) {
                held.unfit.push((id.clone(), message.clone()));
            }
        }
        let misfit = unfit.map(|unfit| Misfit { code: Misfit::CODE, message: unfit.message });
        Item { id: id.clone(), value: value.clone(), at: at.unwrap_or(self.at), misfit }
    }
}

/// How something does not fit.
struct Unfit {
    kind: ViolationKind,
    message: String,
}

/// In the platform's words.
fn nothing_known(id: &str) -> Unfit {
    Unfit { kind: ViolationKind::Unknown, message: format!("tsl parse: params not exist -> {id}") }
}

/// The path of a violation begins with the word `value`; what it is the value of tells more.
fn unfit(id: &str, violation: Violation) -> Unfit {
    let Violation { kind, path, text } = violation;
    let path = path.strip_prefix("value").unwrap_or(&path);
    Unfit { kind, message: format!("tsl parse: {id}{path} {text}") }
}
