//! Calls of many devices that the server makes by itself: CreateFleetCall, QueryFleetCall, QueryFleetCallList,
//! QueryFleetCallDevices, CancelFleetCall. The platform has none of them.
//!
//! **Invariants:** an account sees its own alone, and a key with rules those of products that they allow, and its own. Nothing
//! that could name a device is passed over: where none is named, all are called.

use thingcall_core::{
    AccessKey, DeviceName, ErrorCode, FleetCall, FleetCallId, FleetDevice, FleetOrder, FleetOutcome, FleetState,
    ServiceId,
};

use super::invoke::qos;
use super::page::{Page, Pages, count};
use super::target;
use crate::answer::{Fields, Node, text};
use crate::clock;
use crate::error::ActionError;
use crate::fleets::FleetDesk;
use crate::params::Params;

/// How many are under way at once, where nothing is said.
const IN_FLIGHT: u32 = 100;
const IN_FLIGHT_MAX: u32 = 1000;
/// How many calls begin a second, where nothing is said.
const RATE: u32 = 50;
/// Names in one request.
const NAMES_MAX: usize = 1000;
/// The pages of both lists.
const PAGES: Pages = Pages { size_max: 50, size_default: Some(10), reach_max: 1_000_000_000 };

/// CreateFleetCall.
pub(super) async fn create(desk: &FleetDesk, params: &Params<'_>, key: &AccessKey) -> Result<Fields, ActionError> {
    make(desk, read(desk, params, key)?).await
}

/// What CreateFleetCall is asked for.
pub(crate) fn read(desk: &FleetDesk, params: &Params<'_>, key: &AccessKey) -> Result<FleetOrder, ActionError> {
    let (identifier, args) = (params.need("Identifier")?, params.need("Args")?);
    let malformed = |why| ActionError::malformed(ErrorCode::InvokeThingServiceFailed, "Identifier", &why);
    let rate_max = u64::from(desk.fleets.calls_per_second_max);
    let order = FleetOrder {
        account: key.account.to_string(),
        key: Some(key.id.clone()),
        product: target::product(params)?,
        devices: names(params)?,
        service: ServiceId::try_from(identifier).map_err(malformed)?,
        args: args.to_owned(),
        qos: qos(params.get("Qos"))?,
        calls_per_second: small(params, "CallsPerSecond", rate_max, u64::from(RATE).min(rate_max))?,
        in_flight: small(params, "InFlight", u64::from(IN_FLIGHT_MAX), u64::from(IN_FLIGHT))?,
    };
    desk.check(&order)?;
    Ok(order)
}

/// Makes it.
pub(crate) async fn make(desk: &FleetDesk, order: FleetOrder) -> Result<Fields, ActionError> {
    let made = desk.fleets.calls.create(order, desk.fleets.limits).await?;
    Ok(vec![("Data", Node::Object(vec![("FleetCallId", text(made.id.as_str())), ("Total", count(made.total))]))])
}

/// QueryFleetCall.
pub(super) async fn query(desk: &FleetDesk, params: &Params<'_>, key: &AccessKey) -> Result<Fields, ActionError> {
    let call = desk.seen("QueryFleetCall", key, &id(params)?).await?;
    Ok(vec![("Data", Node::Object(described(&call)))])
}

/// QueryFleetCallList: the newest first.
pub(super) async fn list(desk: &FleetDesk, params: &Params<'_>, key: &AccessKey) -> Result<Fields, ActionError> {
    let page = asked(params)?;
    let part = desk.all_seen("QueryFleetCallList", key, part(page)).await?;
    let shown = part.shown.iter().map(|call| Node::Object(described(call))).collect();
    Ok(listed(page, part.total, ("FleetCallInfo", shown)))
}

/// QueryFleetCallDevices: in their order.
pub(super) async fn devices(desk: &FleetDesk, params: &Params<'_>, key: &AccessKey) -> Result<Fields, ActionError> {
    let (page, id) = (asked(params)?, id(params)?);
    let (skip, size) = part(page);
    let outcome = params.get("Outcome").map(|word| {
        let wrong = |_| ActionError::wrong("Outcome", word, "SUCCEEDED, FAILED or UNKNOWN");
        word.parse::<FleetOutcome>().map_err(wrong)
    });
    let outcome = outcome.transpose()?;
    let call = desk.seen("QueryFleetCallDevices", key, &id).await?;
    let part = desk.fleets.calls.fleet_devices(&id, outcome, skip, size).await?;
    let shown = part.shown.iter().map(|device| Node::Object(of_device(device, call.state))).collect();
    Ok(listed(page, part.total, ("FleetCallDevice", shown)))
}

/// CancelFleetCall: those under way end as they do.
pub(super) async fn cancel(desk: &FleetDesk, params: &Params<'_>, key: &AccessKey) -> Result<Fields, ActionError> {
    let call = desk.seen("CancelFleetCall", key, &id(params)?).await?;
    desk.fleets.calls.cancel(&key.account, &call.id).await?;
    Ok(Fields::new())
}

fn described(call: &FleetCall) -> Fields {
    let order = &call.order;
    let mut fields = vec![
        ("FleetCallId", text(call.id.as_str())),
        ("Status", text(call.state.as_str())),
        ("ProductKey", text(order.product.as_str())),
        ("Identifier", text(order.service.to_string())),
        ("Args", text(&order.args)),
        ("Qos", count(u64::from(order.qos.level()))),
        ("CallsPerSecond", count(u64::from(order.calls_per_second))),
        ("InFlight", count(u64::from(order.in_flight))),
        ("Total", count(call.total)),
        ("Begun", count(call.begun)),
        ("Succeeded", count(call.succeeded)),
        ("Failed", count(call.failed)),
        ("Unknown", count(call.unknown)),
        ("UtcCreate", text(clock::utc(call.created_at))),
    ];
    fields.extend(order.key.as_ref().map(|id| ("AccessKeyId", text(id))));
    fields.extend(call.reason.as_ref().map(|why| ("Reason", text(why))));
    fields.extend(call.ended_at.map(|at| ("UtcEnd", text(clock::utc(at)))));
    fields
}

fn of_device(device: &FleetDevice, state: FleetState) -> Fields {
    let mut fields = vec![("DeviceName", text(device.name.as_str()))];
    fields.extend(device.begun_at.map(|at| ("UtcBegin", text(clock::utc(at)))));
    let status = match (&device.end, device.begun_at) {
        (Some(end), _) => end.outcome.as_str(),
        (None, Some(_)) => "UNDER_WAY",
        (None, None) if state == FleetState::Running => "WAITING",
        (None, None) => "NOT_CALLED",
    };
    fields.push(("Status", text(status)));
    let Some(end) = &device.end else { return fields };
    let told =
        [("Code", &end.code), ("ErrorMessage", &end.message), ("MessageId", &end.message_id), ("Result", &end.result)];
    fields.extend(told.into_iter().filter_map(|(name, told)| Some((name, text(told.clone()?)))));
    fields.push(("UtcEnd", text(clock::utc(end.at))));
    fields
}

fn id(params: &Params<'_>) -> Result<FleetCallId, ActionError> {
    let given = params.need("FleetCallId")?;
    FleetCallId::read(given).ok_or_else(|| {
        let right = format!("the {} letters and digits that CreateFleetCall answers", FleetCallId::CHARS);
        ActionError::wrong("FleetCallId", given, &right)
    })
}

/// `DeviceName.1` and so on.
fn names(params: &Params<'_>) -> Result<Vec<DeviceName>, ActionError> {
    let given = params.list("DeviceName")?;
    if given.is_empty() {
        params.has_none("DeviceName", "it is blank, and without any DeviceName.1, DeviceName.2, ... all are called")?;
    }
    if let Some((other, _)) = params.all().find(|(name, _)| may_name_devices(name)) {
        let shown: String = other.chars().take(64).collect();
        return Err(ActionError::illegal(format!(
            "{shown:?} is not read; devices are named by DeviceName.1, DeviceName.2, ..., and without any, all are called"
        )));
    }
    if given.len() > NAMES_MAX {
        return Err(ActionError::illegal(format!(
            "DeviceName.N: more than {NAMES_MAX} devices are named; without any, all are called"
        )));
    }
    let mut names = given.into_iter().map(target::device_name).collect::<Result<Vec<_>, _>>()?;
    names.sort();
    names.dedup();
    Ok(names)
}

/// Whether a parameter that is no `DeviceName.N` looks as if it named devices.
fn may_name_devices(parameter: &str) -> bool {
    let small = parameter.to_ascii_lowercase();
    let is_like = small.starts_with("device") || small.starts_with("iotid");
    is_like && !parameter.starts_with("DeviceName.")
}

fn number(params: &Params<'_>, name: &'static str, max: u64, default: u64) -> Result<u64, ActionError> {
    let Some(given) = params.get(name) else { return Ok(default) };
    let number = given.parse().ok().filter(|number| (1..=max).contains(number));
    number.ok_or_else(|| ActionError::wrong(name, given, &format!("1 to {max}")))
}

fn small(params: &Params<'_>, name: &'static str, max: u64, default: u64) -> Result<u32, ActionError> {
    number(params, name, max, default).map(|number| u32::try_from(number).unwrap_or(u32::MAX))
}

fn asked(params: &Params<'_>) -> Result<Page, ActionError> {
    let page = PAGES.asked(params)?;
    PAGES.reach(page, "")?;
    Ok(page)
}

/// How many stand before it, and how many it shows at most.
fn part(page: Page) -> (u64, u64) {
    let wide = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    (wide(page.skipped()), wide(page.size))
}

fn listed(page: Page, total: u64, (name, shown): (&'static str, Vec<Node>)) -> Fields {
    vec![
        ("CurrentPage", count(page.number)),
        ("PageSize", count(page.size)),
        ("PageCount", page.pages(total)),
        ("Total", count(total)),
        ("Data", Node::Object(vec![(name, Node::List(shown))])),
    ]
}
