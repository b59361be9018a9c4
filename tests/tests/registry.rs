//! Products and devices, registered, read, listed and removed: by every official Python SDK, whose models read the answers.

use serde_json::{Value, json};
use thingcall_tests::{Answer, Credential, DeviceSecrets, MqttDevice, Sdk, Site, eventually, run};

use crate::sites::embedded;

/// An SDK, and a word that its products are named after.
pub(crate) const SDKS: [(Sdk, &str); 3] = [(Sdk::Tea, "tea"), (Sdk::TeaV1, "older"), (Sdk::Legacy, "legacy")];

/// A site, and who asks it.
#[derive(Clone, Copy)]
pub(crate) struct Application<'a> {
    pub(crate) site: &'a Site,
    pub(crate) sdk: Sdk,
}

impl Application<'_> {
    pub(crate) fn ask(&self, action: &str, params: &Value) -> Answer {
        self.site.ask_by(self.sdk, action, params)
    }

    /// What succeeds.
    pub(crate) fn ok(&self, action: &str, params: &Value) -> Answer {
        self.ask(action, params).ok()
    }

    /// What is refused, with this code and these words.
    pub(crate) fn refused(&self, action: &str, params: &Value, code: &str, said: &str) {
        let answer = self.ask(action, params);
        let (told, text) = answer.failure();
        assert!(told == code && text.contains(said), "{action} {params}: {code} {said}: {answer:?}");
    }

    /// What never came to the action.
    pub(crate) fn missing(&self, action: &str, params: &Value, parameter: &str) {
        let answer = self.ask(action, params);
        let (code, _, status) = answer.raised();
        assert_eq!((code, status), (&*format!("Missing{parameter}"), 400), "{action} {params}: {answer:?}");
    }

    pub(crate) fn product(&self, name: &str) -> String {
        let params = json!({ "ProductName": name, "NodeType": 0, "DataFormat": 1, "ValidateType": 1,
            "AliyunCommodityCode": "iothub_senior", "NetType": "CELLULAR", "Description": "of steel" });
        self.ok("CreateProduct", &params).text_at("ProductKey").to_owned()
    }
}

/// The values of a member in each of a list.
pub(crate) fn each(answer: &Answer, list: &str, member: &str) -> Vec<String> {
    let list = answer.at(list).as_array().unwrap_or_else(|| panic!("no list {list}: {answer:?}"));
    list.iter().map(|entry| entry[member].as_str().unwrap_or_default().to_owned()).collect()
}

pub(crate) fn numbers(answer: &Answer, names: [&str; 4]) -> [Option<u64>; 4] {
    names.map(|name| answer.at(name).as_u64())
}

#[test]
fn product_that_was_made_as_iothub_is_listed_so() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let basic = json!({ "ProductName": format!("{word}_basic"), "NodeType": 0, "AliyunCommodityCode": "iothub" });
        let basic = app.ok("CreateProduct", &basic);
        assert_eq!(basic.text_at("Data.AliyunCommodityCode"), "iothub", "{basic:?}");
        let basic = basic.text_at("ProductKey").to_owned();
        for (kind, is_there) in [("iothub", true), ("iothub_senior", false)] {
            let of_kind = json!({ "CurrentPage": 1, "PageSize": 200, "AliyunCommodityCode": kind });
            let listed = each(&app.ok("QueryProductList", &of_kind), "Data.List.ProductInfo", "ProductKey");
            assert_eq!(listed.contains(&basic), is_there, "{kind}: {listed:?}");
        }
        app.ok("DeleteProduct", &json!({ "ProductKey": basic }));
    }
}

#[test]
fn every_sdk_manages_products() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let key = app.product(&format!("{word}_pumps"));
        let of_it = json!({ "ProductKey": key });
        let read = app.ok("QueryProduct", &of_it);
        let words = ["ProductKey", "ProductName", "Description", "AuthType", "AliyunCommodityCode", "ProductStatus"];
        let words = words.map(|name| read.text_at(&format!("Data.{name}")));
        let right = [&*key, &*format!("{word}_pumps"), "of steel", "secret", "iothub_senior", "DEVELOPMENT_STATUS"];
        assert_eq!(words, right, "{read:?}");
        let counts = ["DeviceCount", "DataFormat", "NodeType", "NetType", "ValidateType"];
        let counts = counts.map(|name| read.at(&format!("Data.{name}")).as_u64());
        assert_eq!(counts, [Some(0), Some(1), Some(0), Some(6), Some(1)], "{read:?}");
        assert_eq!((read.at("Data.Owner"), read.at("Data.Id2")), (&json!(true), &json!(false)), "{read:?}");
        assert!(read.at("Data.GmtCreate").as_u64() > Some(1_700_000_000_000), "{read:?}");

        let other = app.product(&format!("{word}_fans"));
        let list = app.ok("QueryProductList", &json!({ "CurrentPage": 1, "PageSize": 200 }));
        let names = ["Data.CurrentPage", "Data.PageSize", "Data.PageCount"];
        assert_eq!(names.map(|name| list.at(name).as_u64()), [Some(1), Some(200), Some(1)], "{list:?}");
        let keys = each(&list, "Data.List.ProductInfo", "ProductKey");
        let place = |key: &str| keys.iter().position(|other| other == key).expect("it is listed");
        assert!(place(&other) < place(&key), "the newest first: {list:?}");
        assert_eq!(list.at("Data.Total").as_u64(), u64::try_from(keys.len()).ok(), "{list:?}");
        let second = app.ok("QueryProductList", &json!({ "CurrentPage": 2, "PageSize": 1 }));
        assert_eq!(each(&second, "Data.List.ProductInfo", "ProductKey").len(), 1, "{second:?}");

        let update = json!({ "ProductKey": key, "ProductName": format!("{word}_水泵"), "Description": "of brass" });
        app.ok("UpdateProduct", &update);
        let read = app.ok("QueryProduct", &of_it);
        let told = (read.text_at("Data.ProductName"), read.text_at("Data.Description"));
        assert_eq!(told, (&*format!("{word}_水泵"), "of brass"), "{read:?}");

        app.missing("UpdateProduct", &of_it, "ProductName");
        app.missing("QueryProductList", &json!({ "CurrentPage": 1 }), "PageSize");
        let pages = "iot.common.InvalidPageParams";
        app.refused("QueryProductList", &json!({ "CurrentPage": 1, "PageSize": 201 }), pages, "1 to 200");
        app.refused("QueryProduct", &json!({}), "iot.prod.NullProductKey", "ProductKey");
        app.refused("QueryProduct", &json!({ "ProductKey": "a/b" }), "iot.prod.InvalidFormattedProductkey", "");
        let long = json!({ "ProductKey": key, "ProductName": "x", "Description": "x".repeat(101) });
        app.refused("UpdateProduct", &long, "iot.prod.LongProductDesc", "100");

        let group = app.ok("CreateConsumerGroup", &json!({ "GroupName": format!("{word}_registry") }));
        let subscribed = json!({ "ProductKey": key, "Type": "AMQP", "DeviceDataFlag": true,
            "ConsumerGroupIds": [group.text_at("GroupId")] });
        app.ok("CreateSubscribeRelation", &subscribed);
        let named = json!({ "ProductKey": key, "DeviceName": "pump1" });
        app.ok("RegisterDevice", &named);
        app.refused("DeleteProduct", &of_it, "iot.system.IllegalRequest", "has 1 devices; delete them first");
        app.ok("DeleteDevice", &named);
        app.ok("DeleteProduct", &of_it);
        for action in ["QueryProduct", "DeleteProduct", "QueryDevice"] {
            app.refused(action, &of_it, "iot.prod.NotExistedProduct", &key);
        }
        app.ok("DeleteConsumerGroup", &json!({ "GroupId": group.text_at("GroupId") }));
        app.ok("DeleteProduct", &json!({ "ProductKey": other }));
    }
}

#[test]
fn every_sdk_lists_and_counts_devices() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let product = app.product(&format!("{word}_listed"));
        let names = ["d1", "d2", "d3", "d4", "d5"];
        let named = |name: &str| json!({ "ProductKey": product, "DeviceName": name });
        let secrets = names.map(|name| {
            let made = app.ok("RegisterDevice", &named(name));
            let [secret, iot_id] = ["Data.DeviceSecret", "Data.IotId"].map(|member| made.text_at(member).to_owned());
            DeviceSecrets { product: product.clone(), name: name.to_owned(), secret, iot_id }
        });
        let list = |page: Value| {
            let mut params = json!({ "ProductKey": product });
            params.as_object_mut().expect("an object").extend(page.as_object().expect("an object").clone());
            app.ok("QueryDevice", &params)
        };
        let all = list(json!({}));
        assert_eq!(numbers(&all, ["Page", "PageSize", "PageCount", "Total"]), [1, 10, 1, 5].map(Some), "{all:?}");
        let mut listed = each(&all, "Data.DeviceInfo", "DeviceName");
        let newest_first = listed.clone();
        listed.sort_unstable();
        assert_eq!((listed, all.text_at("NextToken")), (names.map(str::to_owned).to_vec(), ""), "{all:?}");
        let first = &all.at("Data.DeviceInfo")[0];
        assert!(first["DeviceSecret"].as_str().is_some_and(|secret| secret.len() == 32), "{all:?}");
        assert_eq!((&first["DeviceStatus"], &first["DeviceId"]), (&json!("UNACTIVE"), &first["IotId"]), "{all:?}");

        let mut by_pages = Vec::new();
        let mut by_tokens = Vec::new();
        let mut token = Value::Null;
        for page in 1..=3 {
            let shown = list(json!({ "CurrentPage": page, "PageSize": 2 }));
            assert_eq!(shown.at("PageCount"), 3, "{shown:?}");
            by_pages.extend(each(&shown, "Data.DeviceInfo", "DeviceName"));
            let mut params = json!({ "PageSize": 2 });
            if !token.is_null() {
                params["NextToken"] = token;
            }
            let shown = list(params);
            by_tokens.extend(each(&shown, "Data.DeviceInfo", "DeviceName"));
            token = shown.at("NextToken").clone();
            assert_eq!(token == "", page == 3, "{shown:?}");
        }
        assert_eq!((&by_pages, &by_tokens), (&newest_first, &newest_first));
        let pages = "iot.common.InvalidPageParams";
        let asked = |page: Value| json!({ "ProductKey": product, "CurrentPage": page, "PageSize": 50 });
        app.refused("QueryDevice", &asked(json!(201)), pages, "NextToken");
        app.refused("QueryDevice", &json!({ "ProductKey": product, "PageSize": 51 }), pages, "1 to 50");

        counts_of_each_status(app, &secrets);

        let details = json!({ "ProductKey": product, "DeviceName": ["d1", "nobody", "d5"] });
        let details = app.ok("BatchQueryDeviceDetail", &details);
        assert_eq!(each(&details, "Data.Data", "DeviceName"), ["d1", "d5"], "{details:?}");
        assert_eq!(details.at("Data.Data")[0]["ProductName"], json!(format!("{word}_listed")), "{details:?}");
        let none = json!({ "ProductKey": product });
        app.refused("BatchQueryDeviceDetail", &none, "iot.device.NoneDeviceNameElement", "DeviceName.1");
        let many = json!({ "ProductKey": product, "DeviceName": vec!["d1"; 101] });
        app.refused("BatchQueryDeviceDetail", &many, "iot.system.IllegalRequest", "more than 100");
    }
}

/// Of five devices one is connected, one was, one may not, and two were never there.
fn counts_of_each_status(app: Application<'_>, devices: &[DeviceSecrets; 5]) {
    let [first, second, third, ..] = devices;
    let (product, broker) = (&first.product, app.site.broker());
    let here = MqttDevice::connect(broker, &Credential::of(first, Some(1)));
    drop(MqttDevice::connect(broker, &Credential::of(second, Some(1))));
    app.ok("DisableThing", &json!({ "ProductKey": product, "DeviceName": third.name }));
    let of_status = |status: i64| {
        let page = json!({ "ProductKey": product, "Status": status, "CurrentPage": 1, "PageSize": 50 });
        let list = app.ok("QueryDeviceByStatus", &page);
        let [mut names, words] = ["DeviceName", "Status"].map(|member| each(&list, "Data.SimpleDeviceInfo", member));
        names.sort_unstable();
        (names.join(" "), words, list.at("Total").as_u64())
    };
    let right = [(1, "d1", "ONLINE", 1), (3, "d2", "OFFLINE", 1), (8, "d3", "DISABLE", 1), (0, "d4 d5", "UNACTIVE", 2)];
    for (status, names, word, total) in right {
        eventually(&format!("what has status {status}"), || {
            let (told, words, count) = of_status(status);
            (told == names && words.iter().all(|told| told == word) && count == Some(total)).then_some(())
        });
    }
    let short = app.ok("QueryDeviceByStatus", &json!({ "ProductKey": product, "Status": 1 }));
    let pages = numbers(&short, ["Page", "PageSize", "PageCount", "Total"]);
    assert_eq!(pages, [Some(1), Some(10), Some(1), Some(1)], "{short:?}");
    let all = app.ok("QueryDeviceByStatus", &json!({ "Status": 8, "PageSize": 50 }));
    assert!(each(&all, "Data.SimpleDeviceInfo", "DeviceName").contains(&"d3".to_owned()), "{all:?}");
    let statistics = app.ok("QueryDeviceStatistics", &json!({ "ProductKey": product }));
    let right = json!({ "deviceCount": 5, "activeCount": 2, "onlineCount": 1 });
    assert_eq!(statistics.at("Data"), &right, "{statistics:?}");
    let all = app.ok("QueryDeviceStatistics", &json!({}));
    assert!(all.at("Data.deviceCount").as_u64() >= Some(5), "{all:?}");
    drop(here);

    let page = |status: &str| json!({ "ProductKey": product, "Status": status, "CurrentPage": 1, "PageSize": 50 });
    app.refused("QueryDeviceByStatus", &page("2"), "iot.system.IllegalRequest", "8 (disabled)");
    app.missing("QueryDeviceByStatus", &json!({ "ProductKey": product, "CurrentPage": 1, "PageSize": 50 }), "Status");
    let groups = json!({ "GroupId": "somewhere" });
    app.refused("QueryDeviceStatistics", &groups, "iot.system.IllegalRequest", "no device groups");
}

#[test]
fn a_product_without_devices_is_removed_by_a_command_and_the_running_server_forgets_it() {
    let site = embedded();
    site.import("removedproduct", &[]);
    let of_it = json!({ "ProductKey": "removedproduct" });
    eventually("the server knows the product", || site.ask("QueryProduct", &of_it).succeeded().then_some(()));
    let told = site.command_json(&["product", "registration", "removedproduct", "registered"]);
    eventually("an application is told the secret that the product has now", || {
        (site.ask("QueryProduct", &of_it).at("Data.ProductSecret") == &told["productSecret"]).then_some(())
    });
    site.command(&["device", "add", "--product", "removedproduct", "--name", "lamp"]);
    let data = site.data().to_str().expect("a plain name");
    let refused = run(["product", "remove", "removedproduct", "--data", data]);
    assert!(refused.code == Some(1) && refused.stderr.contains("has 1 devices"), "{refused:?}");
    site.command(&["device", "remove", "removedproduct/lamp"]);
    site.command(&["product", "remove", "removedproduct"]);
    eventually("the server has forgotten it", || {
        let answer = site.ask("QueryProduct", &of_it);
        (!answer.succeeded() && answer.failure().0 == "iot.prod.NotExistedProduct").then_some(())
    });
    let gone = run(["product", "remove", "removedproduct", "--data", data]);
    assert!(gone.code == Some(1) && gone.stderr.contains("does not exist"), "{gone:?}");
}
