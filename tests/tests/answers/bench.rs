//! What the table of actions is held against: a server with everything in it that an action can be about.
//!
//! **Invariant:** what rows read (`past`, the batches, the fleet call, the subscription) changes no more once a bench has
//! started; what they change, they make for themselves.

use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};
use thingcall_tests::{Answer, DeviceSecrets, LinkkitDevice, PRODUCT, Sdk, Site, eventually};

/// A service that answers at once.
pub(crate) const SERVICE: (&str, &str) = ("testFb:testService", r#"{"param1":3}"#);
/// `hello`.
pub(crate) const HELLO: &str = "aGVsbG8=";

/// A server, and what rows are about: beside what has a field the connected device `whole` that is called, and `past` with a past
/// that stays as it is.
pub(crate) struct Bench {
    pub(crate) site: Site,
    /// A product whose thing model is changed.
    pub(crate) modelled: String,
    /// A product with a subscription.
    pub(crate) subscribed: String,
    /// A consumer group that nothing waits for.
    pub(crate) quiet_group: String,
    /// A batch whose names were not all free.
    pub(crate) refused_batch: Value,
    /// A batch that was registered.
    pub(crate) made_batch: Value,
    /// A call of many devices that has ended.
    pub(crate) fleet_call: String,
    seq: AtomicU32,
    _connected: [LinkkitDevice; 2],
}

impl Bench {
    /// Starts one; nothing else may be asked of it meanwhile.
    pub(crate) fn start() -> Self {
        let site = Site::embedded(&[
            ("API__CALLS_PER_SECOND_MAX", "0"),
            ("API__BATCH_CALLS_PER_SECOND_MAX", "0"),
            ("API__BROADCASTS_PER_SECOND_MAX", "0"),
            ("API__BROADCASTS_TO_ALL_PER_MINUTE_MAX", "0"),
            ("STORE__HISTORY_RECORDS_PER_PRODUCT_MAX", "1000"),
        ]);
        let (_, called) = site.linkkit("whole");
        let (past, spoke) = site.linkkit("past");
        has_a_past(&site, &past, &spoke);
        let mut bench = Self {
            site,
            modelled: String::new(),
            subscribed: String::new(),
            quiet_group: String::new(),
            refused_batch: Value::Null,
            made_batch: Value::Null,
            fleet_call: String::new(),
            seq: AtomicU32::new(1),
            _connected: [called, spoke],
        };
        bench.modelled = bench.with_model();
        bench.subscribed = bench.with_subscription(&["DEFAULT_GROUP".to_owned()]);
        bench.made_batch = bench.batch();
        let named = json!({ "ProductKey": PRODUCT, "DeviceName": ["whole", "free"] });
        bench.refused_batch = bench.ok("BatchCheckDeviceNames", &named).at("Data.ApplyId").clone();
        let of_it = json!({ "ProductKey": PRODUCT, "ApplyId": bench.made_batch });
        bench.ok("BatchRegisterDeviceWithApplyId", &of_it);
        bench.quiet_group = bench.group();
        bench.fleet_call = bench.fleet_call(&["past"], 50);
        let of_it = json!({ "FleetCallId": bench.fleet_call });
        eventually("the fleet call has ended", || {
            let told = bench.site.ask_by(Sdk::PopPost, "QueryFleetCall", &of_it).ok();
            (told.text_at("Data.Status") == "ENDED").then_some(())
        });
        bench
    }

    /// A word that nothing else here is called.
    pub(crate) fn fresh(&self, word: &str) -> String {
        format!("{word}{}", self.seq.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn ok(&self, action: &str, params: &Value) -> Answer {
        self.site.ask(action, params).ok()
    }

    /// A new product.
    pub(crate) fn product(&self) -> String {
        let named = json!({ "ProductName": self.fresh("product"), "NodeType": 0 });
        self.ok("CreateProduct", &named).text_at("ProductKey").to_owned()
    }

    fn with_model(&self) -> String {
        let product = self.product();
        self.ok("ImportThingModelTsl", &json!({ "ProductKey": product, "TslStr": tsl() }));
        product
    }

    /// A new product whose messages go to these groups.
    pub(crate) fn with_subscription(&self, groups: &[String]) -> String {
        let product = self.product();
        let of_it =
            json!({ "ProductKey": product, "Type": "AMQP", "DeviceDataFlag": true, "ConsumerGroupIds": groups });
        self.ok("CreateSubscribeRelation", &of_it);
        product
    }

    /// A new device of this product.
    pub(crate) fn device_of(&self, product: &str) -> String {
        let name = self.fresh("device");
        self.ok("RegisterDevice", &json!({ "ProductKey": product, "DeviceName": name }));
        name
    }

    /// A new consumer group.
    pub(crate) fn group(&self) -> String {
        self.ok("CreateConsumerGroup", &json!({ "GroupName": self.fresh("group") })).text_at("GroupId").to_owned()
    }

    /// A new batch of one device, which is checked.
    pub(crate) fn batch(&self) -> Value {
        let named = json!({ "ProductKey": PRODUCT, "DeviceName": [self.fresh("of-batch")] });
        self.ok("BatchCheckDeviceNames", &named).at("Data.ApplyId").clone()
    }

    /// A new feature of `modelled`.
    pub(crate) fn feature(&self) -> String {
        let id = self.fresh("Feature");
        self.ok("CreateThingModel", &json!({ "ProductKey": self.modelled, "ThingModelJson": property(&id) }));
        id
    }

    /// A new call of these devices, so many a second.
    pub(crate) fn fleet_call(&self, names: &[&str], a_second: u32) -> String {
        let order = json!({ "ProductKey": PRODUCT, "DeviceName": names, "Identifier": SERVICE.0, "Args": SERVICE.1,
            "CallsPerSecond": a_second, "InFlight": 1 });
        let made = self.site.ask_by(Sdk::PopPost, "CreateFleetCall", &order).ok();
        made.text_at("Data.FleetCallId").to_owned()
    }
}

/// It reported each of its properties twice and two events, and was called.
fn has_a_past(site: &Site, device: &DeviceSecrets, connected: &LinkkitDevice) {
    for value in [1, 2] {
        connected.says(&json!({ "post": { "LightSwitch": 1, "Brightness": value, "Temperature": 20.5 } }));
        connected.says(&json!({ "event": ["Overheat", { "Temperature": 99.5 }] }));
        site.invoke(device, "testFb:resetLater", "{}").ok();
    }
    let of_it =
        json!({ "ProductKey": PRODUCT, "DeviceName": device.name, "StartTime": 1, "EndTime": 9_999_999_999_999_u64 });
    eventually("its calls have ended", || {
        let answer = site.ask("QueryDeviceServiceData", &of_it).ok();
        let calls = answer.at("Data.List.ServiceInfo").as_array().expect("a list").clone();
        (calls.len() == 2 && calls.iter().all(|call| call["OutputData"] != "")).then_some(())
    });
    let tags = json!({ "ProductKey": PRODUCT, "DeviceName": device.name, "Props": r#"{"color":"red"}"# });
    site.ask("SaveDeviceProp", &tags).ok();
}

/// A thing model with one property.
pub(crate) fn tsl() -> String {
    let lamp = json!({ "identifier": "Lamp", "name": "Lamp", "accessMode": "rw", "required": false,
        "dataType": { "type": "bool", "specs": { "0": "off", "1": "on" } } });
    json!({ "profile": { "version": "1.5" }, "properties": [lamp], "events": [], "services": [] }).to_string()
}

/// A property as CreateThingModel and UpdateThingModel take it.
pub(crate) fn property(id: &str) -> String {
    properties(&[id.to_owned()])
}

/// Several.
pub(crate) fn properties(ids: &[String]) -> String {
    let of_one = |id: &String| {
        json!({ "identifier": id, "name": id, "dataType": "INT", "rwFlag": "READ_WRITE",
            "dataSpecs": { "dataType": "INT", "min": "0", "max": "9", "step": "1" } })
    };
    json!({ "properties": ids.iter().map(of_one).collect::<Vec<_>>() }).to_string()
}
