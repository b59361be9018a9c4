//! The calls of a device's services: QueryDeviceServiceData and QueryDeviceOriginalServiceData.
//!
//! **Invariant:** what is told is what the journal and the records of calls hold: which calls those are is a setting
//! (`[records] keep`), and so is how long.

use thingcall_core::{
    CallOrder, CallPlace, CallRecords, CallSource, ErrorCode, KeptCall, Outcome, ServiceCalls, ServiceId, UnixMillis,
};
use thingcall_tsl::Product;

use super::{page, target, time};
use crate::answer::{Fields, Node, text};
use crate::error::ActionError;
use crate::params::Params;
use crate::recorded::RecordDesk;

/// How many calls a page has. Source: Alibaba's reference says 50 at most.
const PAGE: usize = 10;
const PAGE_MAX: usize = 50;
/// How many it may have where they are of one millisecond.
const MOMENT_MAX: usize = 1000;

/// QueryDeviceServiceData. The next page begins at a time, so a page ends before a millisecond that it cannot hold whole; one that has
/// more than a page is a page by itself.
pub(super) async fn query(desk: &RecordDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let asked = Asked::read(desk, params).await?;
    let (calls, next) = page(&*desk.records, &asked.calls, asked.page).await?;
    let end = match asked.calls.order {
        CallOrder::OldestFirst => asked.calls.until,
        CallOrder::NewestFirst => asked.calls.since,
    };
    let place = ("NextTime", Node::Number(next.unwrap_or(end).0));
    asked.must_be_there(desk, &calls)?;
    Ok(answer(desk, &asked, &calls, [("NextValid", Node::Flag(next.is_some())), place]))
}

/// The page that begins these calls, and when the next one begins.
async fn page(
    records: &dyn CallRecords,
    asked: &ServiceCalls,
    size: usize,
) -> Result<(Vec<KeptCall>, Option<UnixMillis>), ActionError> {
    let mut calls = records.service_calls(asked, size + 1).await?;
    let Some(at) = calls.get(size).map(|call| call.accepted_at) else { return Ok((calls, None)) };
    calls.retain(|call| call.accepted_at != at);
    if !calls.is_empty() {
        return Ok((calls, Some(at)));
    }
    // More in one millisecond than a page has, and there is no time between them.
    let moment = ServiceCalls { since: at, until: at, ..asked.clone() };
    let calls = records.service_calls(&moment, MOMENT_MAX + 1).await?;
    if calls.len() > MOMENT_MAX {
        let text =
            format!("more than {MOMENT_MAX} calls are of {} alone; QueryDeviceOriginalServiceData tells them", at.0);
        return Err(ActionError::illegal(text));
    }
    let behind = match asked.order {
        CallOrder::OldestFirst => ServiceCalls { since: UnixMillis(at.0.saturating_add(1)), ..asked.clone() },
        CallOrder::NewestFirst => ServiceCalls { until: UnixMillis(at.0.saturating_sub(1)), ..asked.clone() },
    };
    let next = records.service_calls(&behind, 1).await?;
    Ok((calls, next.first().map(|call| call.accepted_at)))
}

/// QueryDeviceOriginalServiceData. The next page begins at a place.
pub(super) async fn original(desk: &RecordDesk, params: &Params<'_>) -> Result<Fields, ActionError> {
    let mut asked = Asked::read(desk, params).await?;
    if let Some(token) = params.get("NextPageToken") {
        let place = place_of(token);
        let right = "that of the page before, or to leave it out";
        asked.calls.behind = Some(place.ok_or_else(|| ActionError::wrong("NextPageToken", token, right))?);
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
            Some(other) => return Err(ActionError::wrong("Asc", other, "0 or 1")),
        };
        if order == CallOrder::OldestFirst {
            time::must_be_in_order(start, end)?;
        }
        let page = page::size(params, PAGE_MAX)?.unwrap_or(PAGE);
        let service = params.get("Identifier").map(ServiceId::try_from).transpose();
        let service = service.map_err(|why| ActionError::illegal(format!("Identifier: {why}")))?;
        let device = target::record(&*desk.directory, params).await?.device.key;
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
mod tests;
