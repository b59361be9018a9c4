//! What devices reported in the past: QueryDevicePropertyData, QueryDevicePropertiesData, QueryDeviceEventData.
//!
//! **Invariants:** pages are cut between two milliseconds, and the next one begins with `NextTime`: nothing is told twice, nothing
//! is left out, and each page gets on. One holds more than its size only where that many came in one millisecond. Where no past is kept, there is the last value of each property.

use std::sync::Arc;

use thingcall_core::{DeviceKey, ErrorCode, First, Outcome, Past, PastKind, PastWanted, UnixMillis};
use thingcall_tsl::{Directory, Event, ThingModel};

use super::values::plain;
use super::{page, target, time};
use crate::answer::{Fields, Node, text};
use crate::error::{ActionError, shown};
use crate::params::Params;

/// The largest page of one property or of events. Source: Alibaba's reference.
const PAGE_MAX: usize = 50;
/// What a page holds where nobody says.
const PAGE_DEFAULT: usize = 10;
/// The largest page of each of several properties, and how many of them there may be. Source: Alibaba's reference.
const PAGE_OF_EACH_MAX: usize = 100;
const PROPERTIES_MAX: usize = 10;
/// How many a page may have where they came in one millisecond.
const MOMENT_MAX: usize = 1000;

/// QueryDevicePropertyData.
pub(super) async fn property(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let name = params.need("Identifier")?;
    let span = Span::read(params, PAGE_MAX, Ends::InOrder)?;
    let (device, model) = device(directory, params).await?;
    check_property(model.as_deref(), name)?;
    let all = Of { directory, device: &device, kind: PastKind::Property, names: Some(vec![name.to_owned()]) };
    let (page, next) = all.page(&span).await?;
    let of_one = |past: &Past| {
        let (time, value) = (text(past.at.0.to_string()), text(plain(&past.value)));
        Node::Object(vec![("Time", time), ("Value", value)])
    };
    Ok(paged("PropertyInfo", page.iter().map(of_one).collect(), next))
}

/// QueryDevicePropertiesData: of each property as much as is there of all until the first that has a full page.
pub(super) async fn properties(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let names = params.list("Identifier")?;
    if !(1..=PROPERTIES_MAX).contains(&names.len()) {
        let text = format!("{} of Identifier.N are given; right is 1 to {PROPERTIES_MAX}", names.len());
        return Err(ActionError::illegal(text));
    }
    if let Some((at, name)) =
        names.iter().enumerate().find(|(at, name)| names.iter().take(*at).any(|before| before == *name))
    {
        let shown: String = name.chars().take(64).collect();
        return Err(ActionError::illegal(format!(
            "Identifier.{} is {shown:?}, as an earlier one is; give each once",
            at + 1
        )));
    }
    let span = Span::read(params, PAGE_OF_EACH_MAX, Ends::AsItGoes)?;
    let (device, model) = device(directory, params).await?;
    let mut all = Vec::with_capacity(names.len());
    for name in names {
        check_property(model.as_deref(), name)?;
        let wanted = span.wanted(PastKind::Property, Some(name), span.page_size + 1);
        all.push((name, directory.past(&device, &wanted).await?));
    }
    let cut = all.iter().filter_map(|(_, found)| found.get(span.page_size).map(|past| past.at));
    let next = match span.first {
        First::Newest => cut.max(),
        First::Oldest => cut.min(),
    };
    let told = |past: &&Past| next.is_none_or(|next| span.is_before(past.at, next));
    let of_one =
        |past: &Past| Node::Object(vec![("Time", Node::Number(past.at.0)), ("Value", text(plain(&past.value)))]);
    let of_each = all.iter().map(|(name, found)| {
        let list = Node::List(found.iter().filter(told).map(of_one).collect());
        let list = Node::Object(vec![("PropertyInfo", list)]);
        Node::Object(vec![("Identifier", text(*name)), ("List", list)])
    });
    let infos = Node::Object(vec![("PropertyDataInfo", Node::List(of_each.collect()))]);
    let mut fields = vec![("PropertyDataInfos", infos), ("NextValid", Node::Flag(next.is_some()))];
    fields.extend(next.map(|next| ("NextTime", Node::Number(next.0))));
    Ok(fields)
}

/// QueryDeviceEventData.
pub(super) async fn events(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let span = Span::read(params, PAGE_MAX, Ends::AsItGoes)?;
    let level = params.get("EventType");
    if let Some(level) = level.filter(|level| !["info", "alert", "error"].contains(level)) {
        return Err(ActionError::wrong("EventType", level, "info, alert or error"));
    }
    let (device, model) = device(directory, params).await?;
    let event = |name: &str| model.as_deref().and_then(|model| model.event(name));
    let names = match (params.get("Identifier"), level) {
        (Some(name), level) if level.is_none_or(|level| level_of(event(name)) == level) => Some(vec![name.to_owned()]),
        (Some(_), _) => Some(Vec::new()),
        (None, None) => None,
        (None, Some(level)) => {
            let all = model.as_deref().into_iter().flat_map(ThingModel::events);
            Some(all.filter(|(_, event)| level_of(Some(event)) == level).map(|(name, _)| name).collect())
        }
    };
    let all = Of { directory, device: &device, kind: PastKind::Event, names };
    let (page, next) = all.page(&span).await?;
    // One that the model has no more may have happened all the same.
    if let Some(name) =
        params.get("Identifier").filter(|name| page.is_empty() && model.is_some() && event(name).is_none())
    {
        let shown: String = name.chars().take(64).collect();
        return Err(ActionError::illegal(format!(
            "Identifier: the thing model has no event {shown:?}; one of a module is written module:identifier"
        )));
    }
    let of_one = |past: &Past| {
        let event = event(&past.name);
        Node::Object(vec![
            ("Identifier", text(&past.name)),
            ("Name", text(event.map_or("", Event::name))),
            ("EventType", text(level_of(event))),
            ("OutputData", text(&past.value)),
            ("Time", text(past.at.0.to_string())),
        ])
    };
    Ok(paged("EventInfo", page.iter().map(of_one).collect(), next))
}

/// An event that the model does not have, or has no more, is worth knowing.
fn level_of(event: Option<&Event>) -> &'static str {
    event.map_or("info", |event| event.level().as_str())
}

fn paged(name: &'static str, page: Vec<Node>, next: Option<UnixMillis>) -> Fields {
    let list = Node::Object(vec![(name, Node::List(page))]);
    let mut data = vec![("List", list), ("NextValid", Node::Flag(next.is_some()))];
    data.extend(next.map(|next| ("NextTime", Node::Number(next.0))));
    vec![("Data", Node::Object(data))]
}

async fn device(
    directory: &dyn Directory,
    params: &Params<'_>,
) -> Result<(DeviceKey, Option<Arc<ThingModel>>), ActionError> {
    let device = target::record(directory, params).await?.device.key;
    let model = directory.product(&device.product).and_then(|product| product.model.clone());
    Ok((device, model))
}

fn check_property(model: Option<&ThingModel>, name: &str) -> Result<(), ActionError> {
    if model.is_none_or(|model| model.property(name).is_some()) {
        return Ok(());
    }
    let name = shown(name);
    let text =
        format!("Identifier: the thing model has no property {name:?}; one of a module is written module:identifier");
    Err(ActionError::service(ErrorCode::QueryDeviceAttrDataHistoryFailed, Outcome::UnknownTarget, text))
}

/// Which of `StartTime` and `EndTime` is the earlier one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// The first.
    InOrder,
    /// The first, or where the newest comes first, either: the reference has both.
    AsItGoes,
}

/// What is asked for of a device's past.
struct Of<'a> {
    directory: &'a dyn Directory,
    device: &'a DeviceKey,
    kind: PastKind,
    /// `None`: of every name.
    names: Option<Vec<String>>,
}

impl Of<'_> {
    /// The page that begins a span, and when the next one begins.
    async fn page(&self, span: &Span) -> Result<(Vec<Past>, Option<UnixMillis>), ActionError> {
        let mut found = self.found(span, span.page_size + 1).await?;
        let Some(at) = found.get(span.page_size).map(|past| past.at) else { return Ok((found, None)) };
        found.retain(|past| past.at != at);
        if !found.is_empty() {
            return Ok((found, Some(at)));
        }
        // More in one millisecond than a page has, and there is no time between them.
        let page = self.found(&span.moment(at), MOMENT_MAX + 1).await?;
        if page.len() > MOMENT_MAX {
            let text = format!("more than {MOMENT_MAX} are of {} alone; ask for one by its Identifier", at.0);
            return Err(ActionError::illegal(text));
        }
        let next = self.found(&span.behind(at), 1).await?.first().map(|past| past.at);
        Ok((page, next))
    }

    /// The first so many.
    async fn found(&self, span: &Span, max: usize) -> Result<Vec<Past>, ActionError> {
        let all = span.wanted(self.kind, None, max);
        let Some(names) = &self.names else { return Ok(self.directory.past(self.device, &all).await?) };
        let mut found = Vec::new();
        for name in names {
            let wanted = PastWanted { name: Some(name.clone()), ..all.clone() };
            found.extend(self.directory.past(self.device, &wanted).await?);
        }
        Ok(all.put_in_order(found))
    }
}

/// A time, and how it is gone through.
#[derive(Clone, Copy)]
struct Span {
    from: UnixMillis,
    until: UnixMillis,
    first: First,
    page_size: usize,
}

impl Span {
    /// `StartTime` and `EndTime`, `Asc` and `PageSize`.
    fn read(params: &Params<'_>, page_max: usize, ends: Ends) -> Result<Self, ActionError> {
        let (one, other) = (time::read(params, "StartTime")?, time::read(params, "EndTime")?);
        let first = match params.get("Asc") {
            None | Some("0") => First::Newest,
            Some("1") => First::Oldest,
            Some(other) => return Err(ActionError::wrong("Asc", other, "0 or 1")),
        };
        if ends == Ends::InOrder || first == First::Oldest {
            time::must_be_in_order(one, other)?;
        }
        let page_size = page::size(params, page_max)?.unwrap_or(PAGE_DEFAULT);
        Ok(Self { from: one.min(other), until: one.max(other), first, page_size })
    }

    fn wanted(&self, kind: PastKind, name: Option<&str>, max: usize) -> PastWanted {
        let Self { from, until, first, .. } = *self;
        PastWanted { kind, name: name.map(str::to_owned), from, until, first, max }
    }

    /// This millisecond alone.
    const fn moment(&self, at: UnixMillis) -> Self {
        Self { from: at, until: at, ..*self }
    }

    /// What comes behind this millisecond.
    const fn behind(&self, at: UnixMillis) -> Self {
        match self.first {
            First::Newest => Self { until: UnixMillis(at.0.saturating_sub(1)), ..*self },
            First::Oldest => Self { from: UnixMillis(at.0.saturating_add(1)), ..*self },
        }
    }

    /// Whether a time comes before another, the way this is gone through.
    fn is_before(&self, at: UnixMillis, other: UnixMillis) -> bool {
        match self.first {
            First::Newest => at > other,
            First::Oldest => at < other,
        }
    }
}
