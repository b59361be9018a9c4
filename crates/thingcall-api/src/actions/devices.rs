//! Many devices of a product: QueryDevice, QueryDeviceByStatus, QueryDeviceStatistics, BatchQueryDeviceDetail.
//!
//! **Invariant:** a page costs what it shows, wherever a page that is gone on from by `NextToken` begins.

use std::cmp::Reverse;

use thingcall_core::{DeviceKey, DeviceRef, UnixMillis};
use thingcall_tsl::{DeviceMark, DevicePage, DeviceRecord, DeviceStatus, Directory, DirectoryError, PageStart};

use super::page::{self, Page, Pages, count};
use super::{device, many, status, target};
use crate::answer::{Fields, Node, text};
use crate::error::{ActionError, wrong};
use crate::params::Params;

/// The pages of QueryDevice, as far as they reach without a token. Source: Alibaba's reference, as for the next three.
const PAGES: Pages = Pages { size_max: 50, size_default: Some(10), reach_max: 10_000 };
/// The same with a token.
const PAGES_BY_TOKEN: Pages = Pages { reach_max: 1_000_000, ..PAGES };
/// The pages of QueryDeviceByStatus; how far they reach, no document says.
const PAGES_BY_STATUS: Pages = Pages { reach_max: 1_000_000, ..PAGES };
/// How many devices BatchQueryDeviceDetail takes.
const DEVICES_MAX: usize = 100;

/// QueryDevice.
pub(super) async fn query(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    let page = PAGES.asked(params)?;
    let start = match params.get("NextToken") {
        Some(token) => {
            PAGES_BY_TOKEN.reach(page, "")?;
            PageStart::Behind(read_token(token)?)
        }
        None => {
            PAGES.reach(page, " without a NextToken; give the one of the page before")?;
            from(page)
        }
    };
    // One more tells whether there is a page behind it.
    let max = page.size + 1;
    let mut records = directory.page(&product, &DevicePage { status: None, start, max }).await?;
    let is_last = records.len() < max;
    records.truncate(page.size);
    let next = records.last().filter(|_| !is_last).map(token).unwrap_or_default();
    let total = directory.count_devices(&product).await?;
    let infos = records.iter().map(|record| {
        let mut info = listed("DeviceStatus", record);
        info.push(("DeviceId", text(record.device.iot_id.as_str())));
        Node::Object(info)
    });
    let mut fields = vec![("Data", Node::Object(vec![("DeviceInfo", Node::List(infos.collect()))]))];
    fields.extend(page.told(total));
    fields.push(("NextToken", text(next)));
    Ok(fields)
}

/// QueryDeviceByStatus: of a product, or of all, one product after the other.
pub(super) async fn by_status(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = params.get("ProductKey").map(|_| target::product(params)).transpose()?;
    let status = asked_status(params)?;
    let page = PAGES_BY_STATUS.asked(params)?;
    PAGES_BY_STATUS.reach(page, "")?;
    let (records, total) = match product {
        Some(product) => {
            let wanted = DevicePage { status: Some(status), start: from(page), max: page.size };
            let records = directory.page(&product, &wanted).await?;
            (records, directory.device_counts(Some(&product)).await?.of(status))
        }
        None => (of_all(directory, status, page).await?, directory.device_counts(None).await?.of(status)),
    };
    let infos = records.iter().map(|record| Node::Object(listed("Status", record))).collect();
    let mut fields = vec![("Data", Node::Object(vec![("SimpleDeviceInfo", Node::List(infos))]))];
    fields.extend(page.told(total));
    Ok(fields)
}

/// A page of the devices of all products; those of one that was created later come first.
async fn of_all(directory: &dyn Directory, status: DeviceStatus, page: Page) -> Result<Vec<DeviceRecord>, ActionError> {
    let mut products = directory.products();
    products.sort_by_cached_key(|product| Reverse((product.created_at, product.key.clone())));
    let (mut records, mut skip) = (Vec::new(), u64::try_from(page.skipped()).unwrap_or(u64::MAX));
    for product in products {
        let count = directory.device_counts(Some(&product.key)).await?.of(status);
        if skip >= count {
            skip -= count;
            continue;
        }
        let wanted = DevicePage { status: Some(status), start: PageStart::Skip(skip), max: page.size - records.len() };
        records.extend(directory.page(&product.key, &wanted).await?);
        skip = 0;
        if records.len() >= page.size {
            break;
        }
    }
    Ok(records)
}

/// QueryDeviceStatistics: of a product, or of all.
pub(super) async fn statistics(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    if params.get("GroupId").is_some() {
        return Err(ActionError::illegal("GroupId is given; there are no device groups here: leave it out"));
    }
    let product = params.get("ProductKey").map(|_| target::product(params)).transpose()?;
    let counts = directory.device_counts(product.as_ref()).await?;
    let data = vec![
        ("deviceCount", count(counts.all())),
        ("activeCount", count(counts.activated)),
        ("onlineCount", count(counts.online)),
    ];
    Ok(vec![("Data", Node::Object(data))])
}

/// BatchQueryDeviceDetail. A device that does not exist is left out, as Alibaba's reference says.
pub(super) async fn details(directory: &dyn Directory, params: &Params<'_>) -> Result<Fields, ActionError> {
    let product = target::product(params)?;
    let names = params.list("DeviceName")?;
    if names.is_empty() {
        return Err(many::none_named("give DeviceName.1, DeviceName.2, ..."));
    }
    if names.len() > DEVICES_MAX {
        return Err(many::too_many(DEVICES_MAX));
    }
    if directory.product(&product).is_none() {
        return Err(DirectoryError::NoProduct(product).into());
    }
    let names = names.into_iter().map(target::device_name).collect::<Result<Vec<_>, _>>()?;
    let mut details = Vec::with_capacity(names.len());
    for name in names {
        let key = DeviceKey { product: product.clone(), name };
        match directory.device(&DeviceRef::Key(key)).await {
            Ok(record) => details.push(Node::Object(device::detailed(directory, &record))),
            Err(DirectoryError::NoDevice(_)) => {}
            Err(other) => return Err(other.into()),
        }
    }
    Ok(vec![("Data", Node::Object(vec![("Data", Node::List(details))]))])
}

fn from(page: Page) -> PageStart {
    PageStart::Skip(u64::try_from(page.skipped()).unwrap_or(u64::MAX))
}

/// A device in a list.
fn listed(status: &'static str, record: &DeviceRecord) -> Fields {
    let mut fields = device::identity(record);
    fields.push((status, text(status::word(record))));
    fields.extend(device::times("GmtCreate", "UtcCreate", Some(record.created_at)));
    fields
}

/// Where the next page begins: behind this device.
fn token(last: &DeviceRecord) -> String {
    format!("{}.{}", last.created_at.0, last.device.key.name)
}

fn read_token(token: &str) -> Result<DeviceMark, ActionError> {
    let (at, name) = token.split_once('.').unwrap_or_default();
    let mark = at.parse().ok().zip(name.try_into().ok());
    let mark = mark.map(|(at, name)| DeviceMark { created_at: UnixMillis(at), name });
    mark.ok_or_else(|| page::refused(wrong("NextToken", token, "the NextToken of an answer, as it is")))
}

fn asked_status(params: &Params<'_>) -> Result<DeviceStatus, ActionError> {
    match params.need("Status")? {
        "0" => Ok(DeviceStatus::Unactive),
        "1" => Ok(DeviceStatus::Online),
        "3" => Ok(DeviceStatus::Offline),
        "8" => Ok(DeviceStatus::Disabled),
        other => {
            let right = "0 (never connected), 1 (online), 3 (offline) or 8 (disabled)";
            Err(ActionError::wrong("Status", other, right))
        }
    }
}
