//! The calls of a device's services: QueryDeviceServiceData and QueryDeviceOriginalServiceData.
//!
//! **Invariant:** what is told is what the journal and the records of calls hold: which calls those are is a setting
//! (`[records] keep`), and so is how long.

use thingcall_core::{
    CallOrder, CallPlace, CallSource, ErrorCode, KeptCall, Outcome, ServiceCalls, ServiceId, UnixMillis,
};
use thingcall_tsl::Product;

use super::{target, time};
use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::params::Params;
use crate::recorded::RecordDesk;

/// How many calls a page has. Source: Alibaba's reference says 50 at most.
const PAGE: usize = 10;
const PAGE_MAX: usize = 50;

/// QueryDeviceServiceData. The next page begins at a time, so a page ends before a millisecond that it cannot hold whole.
pub(super) async fn query(desk: &RecordDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let asked = Asked::read(desk, params).await?;
    let mut calls = desk.records.service_calls(&asked.calls, asked.page + 1).await?;
    let next = calls.get(asked.page).map(|call| call.accepted_at);
    calls.truncate(asked.page);
    let ServiceCalls { order, since, until, .. } = asked.calls;
    let (end, step) = match order {
        CallOrder::OldestFirst => (until, 1),
        CallOrder::NewestFirst => (since, -1),
    };
    let next_time = match next {
        Some(at) if calls.iter().any(|call| call.accepted_at != at) => {
            calls.retain(|call| call.accepted_at != at);
            at
        }
        // More calls in one millisecond than a page has: there is no time between them.
        Some(at) => UnixMillis(at.0.saturating_add(step)),
        None => end,
    };
    let place = ("NextTime", Node::Number(next_time.0));
    asked.must_be_there(desk, &calls)?;
    Ok(answer(desk, &asked, &calls, [("NextValid", Node::Flag(next.is_some())), place]))
}

/// QueryDeviceOriginalServiceData. The next page begins at a place.
pub(super) async fn original(desk: &RecordDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let mut asked = Asked::read(desk, params).await?;
    if let Some(token) = params.get("NextPageToken") {
        let place = place_of(token);
        asked.calls.behind = Some(place.ok_or_else(|| {
            ActionError::illegal("NextPageToken is none; right is that of the page before, or to leave it out")
        })?);
    }
    let mut calls = desk.records.service_calls(&asked.calls, asked.page + 1).await?;
    let more = calls.len() > asked.page;
    calls.truncate(asked.page);
    let token = calls.last().filter(|_| more).map(token_of).unwrap_or_default();
    let place = ("NextPageToken", text(token));
    asked.must_be_there(desk, &calls)?;
    Ok(answer(desk, &asked, &calls, [("NextValid", Node::Flag(more)), place]))
}

/// What is asked for.
struct Asked {
    calls: ServiceCalls,
    page: usize,
}

impl Asked {
    async fn read(desk: &RecordDesk, params: &Params<'_>) -> Result<Self, ActionError> {
        let [start, end] = [time::read(params, "StartTime")?, time::read(params, "EndTime")?];
        let order = match params.get("Asc") {
            None | Some("0") => CallOrder::NewestFirst,
            Some("1") => CallOrder::OldestFirst,
            Some(other) => return Err(ActionError::illegal(format!("Asc is {:?}; right is 0 or 1", shown(other)))),
        };
        if order == CallOrder::OldestFirst {
            time::must_be_in_order(start, end)?;
        }
        let page = match params.get("PageSize") {
            None => PAGE,
            Some(given) => given.parse().ok().filter(|page| (1..=PAGE_MAX).contains(page)).ok_or_else(|| {
                ActionError::illegal(format!("PageSize is {:?}; right is 1 to {PAGE_MAX}", shown(given)))
            })?,
        };
        let service = params.get("Identifier").map(ServiceId::try_from).transpose();
        let service = service.map_err(|why| ActionError::illegal(format!("Identifier: {why}")))?;
        let device = desk.directory.device(&target::device(params)?).await?.device.key;
        // Older programs give the later time first where the newest calls come first.
        let (since, until) = (start.min(end), start.max(end));
        Ok(Self { calls: ServiceCalls { device, service, since, until, order, behind: None }, page })
    }
}

impl Asked {
    /// A service of which there are no calls is one of the model's. One that the model has no more may have been called.
    fn must_be_there(&self, desk: &RecordDesk, calls: &[KeptCall]) -> Result<(), ActionError> {
        let Some(service) = self.calls.service.as_ref().filter(|_| calls.is_empty()) else { return Ok(()) };
        let product = desk.directory.product(&self.calls.device.product);
        let model = product.as_ref().and_then(|product| product.model.as_ref());
        if model.is_none_or(|model| model.service(service).is_ok()) {
            return Ok(());
        }
        let text = format!(
            "Identifier: the thing model has no service {service}; one of a module is written module:identifier"
        );
        Err(ActionError::service(ErrorCode::QueryDeviceServiceHistoryFailed, Outcome::UnknownTarget, text))
    }
}

fn shown(text: &str) -> String {
    text.chars().take(64).collect()
}

fn answer(desk: &RecordDesk, asked: &Asked, calls: &[KeptCall], place: [(&'static str, Node); 2]) -> Fields {
    let product = desk.directory.product(&asked.calls.device.product);
    let infos = calls.iter().map(|call| Node::Object(info(call, product.as_deref()))).collect();
    let mut data: Fields = place.into();
    data.push(("List", Node::Object(vec![("ServiceInfo", Node::List(infos))])));
    vec![("Data", Node::Object(data))]
}

fn info(call: &KeptCall, product: Option<&Product>) -> Fields {
    let named = |id: ServiceId| Some(product?.model.as_ref()?.service(&id).ok()?.name().to_owned());
    let name = ServiceId::try_from(call.service.as_str()).ok().and_then(named);
    vec![
        ("Time", text(call.accepted_at.0.to_string())),
        ("Identifier", text(call.service.clone())),
        ("Name", text(name.unwrap_or_else(|| call.service.clone()))),
        ("InputData", text(call.args.clone().unwrap_or_default())),
        ("OutputData", text(call.data.clone().unwrap_or_default())),
    ]
}

/// The place of a call, as a page names it.
fn token_of(call: &KeptCall) -> String {
    let source = match call.source {
        CallSource::Journal => 'j',
        CallSource::Records => 'r',
    };
    format!("{}{source}{}", call.accepted_at.0, call.place)
}

fn place_of(token: &str) -> Option<CallPlace> {
    let (source, at, place) = match (token.split_once('j'), token.split_once('r')) {
        (Some((at, place)), None) => (CallSource::Journal, at, place),
        (None, Some((at, place))) => (CallSource::Records, at, place),
        _ => return None,
    };
    Some(CallPlace { at: UnixMillis(at.parse().ok()?), source, place: place.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_names_its_place_and_nothing_else_is_one() {
        let place = CallPlace { at: UnixMillis(15), source: CallSource::Records, place: 7 };
        assert_eq!(place_of("15r7"), Some(place));
        assert_eq!(place_of("15j7"), Some(CallPlace { source: CallSource::Journal, ..place }));
        for token in ["", "15", "r7", "15x7", "15r", "j1r2"] {
            assert_eq!(place_of(token), None, "{token}");
        }
    }
}
