//! What devices report.

use serde::Serialize;
use thingcall_core::{Device, EventItem, Item, Misfit, Report, Tag, UnixMillis, Words};

use super::values::{Object, Verbatim};
use super::words;

/// The category of a product that has none of the platform's.
const CATEGORY: &str = "CustomCategory";

pub(super) fn report(device: &Device, id: &str, at: UnixMillis, report: &Report) -> Words {
    let of = Post { device, id, at };
    match report {
        Report::Properties(items) => of.properties("thing/event/property/post", items),
        Report::PropertyHistory(items) => of.properties("thing/event/property/history/post", items),
        Report::Event(event) => of.event(&format!("thing/event/{}/post", event.item.id), event),
        Report::EventHistory(event) => of.event(&format!("thing/event/{}/history/post", event.item.id), event),
        Report::PropertyBatch(items) => of.batch("thing/property/batch/post", items),
        Report::EventBatch(items) => of.batch("thing/event/batch/post", items),
        Report::TagsSet(tags) => of.tags("thing/deviceinfo/update", tags.iter().map(set).collect()),
        Report::TagsRemoved(names) => of.tags("thing/deviceinfo/delete", names.iter().map(|n| removed(n)).collect()),
        Report::Custom { topic, payload } => Words { topic: topic.clone(), body: payload.clone(), trace: None },
    }
}

/// Whose report it is, and how it came.
#[derive(Clone, Copy)]
struct Post<'a> {
    device: &'a Device,
    id: &'a str,
    at: UnixMillis,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Properties<'a> {
    device_type: &'static str,
    iot_id: &'a str,
    request_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    gmt_create: i64,
    items: Object<&'a str, Timed<'a>>,
    check_failed_data: Object<&'a str, Unfit<'a>>,
}

#[derive(Serialize)]
struct Timed<'a> {
    value: Verbatim<'a>,
    time: i64,
}

#[derive(Serialize)]
struct Unfit<'a> {
    value: Verbatim<'a>,
    time: i64,
    code: i64,
    message: &'a str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    identifier: &'a str,
    name: &'a str,
    r#type: &'a str,
    device_type: &'static str,
    iot_id: &'a str,
    request_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    gmt_create: i64,
    value: Verbatim<'a>,
    check_failed_data: EventUnfit<'a>,
    time: i64,
}

/// An empty object where it fits.
#[derive(Serialize)]
struct EventUnfit<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    value: Option<Verbatim<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    product_key: &'a str,
    device_name: &'a str,
    request_id: &'a str,
    iot_id: &'a str,
    gmt_create: i64,
    payload: Object<&'a str, Vec<Timed<'a>>>,
    check_failed_data: Object<&'a str, Vec<Unfit<'a>>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tags<'a> {
    iot_id: &'a str,
    product_key: &'a str,
    device_name: &'a str,
    value: Vec<TagBody<'a>>,
    message_create_time: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TagBody<'a> {
    attr_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    attr_value: Option<&'a str>,
}

fn set(tag: &Tag) -> TagBody<'_> {
    TagBody { attr_key: &tag.key, attr_value: Some(&tag.value) }
}

fn removed(name: &str) -> TagBody<'_> {
    TagBody { attr_key: name, attr_value: None }
}

impl Post<'_> {
    fn properties(self, topic: &str, items: &[Item]) -> Words {
        let fits = items.iter().filter(|item| item.misfit.is_none()).map(|item| (item.id.as_str(), timed(item)));
        let unfit = items.iter().filter_map(|item| Some((item.id.as_str(), unfit(item, item.misfit.as_ref()?))));
        let body = Properties {
            device_type: CATEGORY,
            iot_id: self.device.iot_id.as_str(),
            request_id: self.id,
            product_key: self.device.key.product.as_str(),
            device_name: self.device.key.name.as_str(),
            gmt_create: self.at.0,
            items: Object(fits.collect()),
            check_failed_data: Object(unfit.collect()),
        };
        words(&self.device.key, topic, &body)
    }

    fn event(self, topic: &str, event: &EventItem) -> Words {
        let EventItem { item, name, level } = event;
        let misfit = item.misfit.as_ref();
        let value = Verbatim(&item.value);
        let body = Event {
            identifier: &item.id,
            name,
            r#type: level,
            device_type: CATEGORY,
            iot_id: self.device.iot_id.as_str(),
            request_id: self.id,
            product_key: self.device.key.product.as_str(),
            device_name: self.device.key.name.as_str(),
            gmt_create: self.at.0,
            value: if misfit.is_some() { Verbatim("{}") } else { Verbatim(&item.value) },
            check_failed_data: EventUnfit {
                value: misfit.map(|_| value),
                code: misfit.map(|misfit| misfit.code),
                message: misfit.map(|misfit| misfit.message.as_str()),
            },
            time: item.at.0,
        };
        words(&self.device.key, topic, &body)
    }

    fn batch(self, topic: &str, items: &[Item]) -> Words {
        let body = Batch {
            product_key: self.device.key.product.as_str(),
            device_name: self.device.key.name.as_str(),
            request_id: self.id,
            iot_id: self.device.iot_id.as_str(),
            gmt_create: self.at.0,
            payload: by_id(items, |item| item.misfit.is_none().then(|| timed(item))),
            check_failed_data: by_id(items, |item| Some(unfit(item, item.misfit.as_ref()?))),
        };
        words(&self.device.key, topic, &body)
    }

    fn tags(self, topic: &str, value: Vec<TagBody<'_>>) -> Words {
        let body = Tags {
            iot_id: self.device.iot_id.as_str(),
            product_key: self.device.key.product.as_str(),
            device_name: self.device.key.name.as_str(),
            value,
            message_create_time: self.at.0,
        };
        words(&self.device.key, topic, &body)
    }
}

fn timed(item: &Item) -> Timed<'_> {
    Timed { value: Verbatim(&item.value), time: item.at.0 }
}

fn unfit<'a>(item: &'a Item, misfit: &'a Misfit) -> Unfit<'a> {
    Unfit { value: Verbatim(&item.value), time: item.at.0, code: misfit.code, message: &misfit.message }
}

/// What is kept of the items, by identifier, in the order in which each came first. Those of one stand together, as the
/// device sends them.
fn by_id<'a, T>(items: &'a [Item], keep: impl Fn(&'a Item) -> Option<T>) -> Object<&'a str, Vec<T>> {
    let mut of: Vec<(&str, Vec<T>)> = Vec::new();
    for item in items {
        let Some(kept) = keep(item) else { continue };
        match of.last_mut() {
            Some((id, values)) if *id == item.id => values.push(kept),
            Some(_) | None => of.push((&item.id, vec![kept])),
        }
    }
    Object(of)
}
