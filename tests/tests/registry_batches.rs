//! Batches of devices, tags and versions of thing models: by every official Python SDK, whose models read the answers.

use serde_json::{Value, json};
use thingcall_tests::{Credential, DeviceSecrets, MqttDevice, Sdk, Site, eventually};

use crate::registry::{Application, SDKS, each, numbers};
use crate::sites::embedded;

#[test]
fn every_sdk_registers_devices_in_batches() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let product = app.product(&format!("{word}_batch"));
        let with = |id: &Value| json!({ "ProductKey": product, "ApplyId": id });
        let named = |names: &[&str]| json!({ "ProductKey": product, "DeviceName": names });
        let checked = app.ok("BatchCheckDeviceNames", &named(&["b1", "b2", "b3"]));
        let id = checked.at("Data.ApplyId").clone();
        assert!(id.as_i64().is_some_and(|id| id > 0), "{checked:?}");
        assert_eq!(app.ok("QueryBatchRegisterDeviceStatus", &with(&id)).at("Data.Status"), "CHECK_SUCCESS");
        for _ in 0..2 {
            assert_eq!(app.ok("BatchRegisterDeviceWithApplyId", &with(&id)).at("Data.ApplyId"), &id);
        }
        let status = app.ok("QueryBatchRegisterDeviceStatus", &with(&id));
        assert_eq!(status.at("Data.Status"), "CREATE_SUCCESS", "{status:?}");
        let page = app.ok("QueryPageByApplyId", &json!({ "ApplyId": id, "CurrentPage": 2, "PageSize": 2 }));
        assert_eq!(numbers(&page, ["Page", "PageSize", "PageCount", "Total"]), [2, 2, 2, 3].map(Some), "{page:?}");
        assert_eq!(each(&page, "ApplyDeviceList.ApplyDeviceInfo", "DeviceName"), ["b3"], "{page:?}");
        let [info] = [&page.at("ApplyDeviceList.ApplyDeviceInfo")[0]];
        let text = |name: &str| info[name].as_str().unwrap_or_default().to_owned();
        let device = DeviceSecrets {
            product: product.clone(),
            name: text("DeviceName"),
            secret: text("DeviceSecret"),
            iot_id: text("IotId"),
        };
        drop(MqttDevice::connect(site.broker(), &Credential::of(&device, Some(1))));

        let taken = app.ok("BatchCheckDeviceNames", &named(&["b1", "b4"])).at("Data.ApplyId").clone();
        let status = app.ok("QueryBatchRegisterDeviceStatus", &with(&taken));
        assert_eq!(status.at("Data.Status"), "CHECK_FAILED", "{status:?}");
        let lists = (status.at("Data.ValidList.Name"), status.at("Data.InvalidList.Name"));
        assert_eq!(lists, (&json!(["b4"]), &json!(["b1"])), "{status:?}");
        let detail = &status.at("Data.InvalidDetailList.invalidDetailList")[0];
        assert_eq!(detail["DeviceName"], "b1", "{status:?}");
        let incorrect = "iot.device.IncorrentDeviceApplyInfo";
        app.refused("BatchRegisterDeviceWithApplyId", &with(&taken), incorrect, "taken");

        let some = app.ok("BatchRegisterDevice", &json!({ "ProductKey": product, "Count": 12 }));
        let some = some.at("Data.ApplyId").clone();
        let page = app.ok("QueryPageByApplyId", &json!({ "ApplyId": some, "CurrentPage": 1, "PageSize": 50 }));
        let names = each(&page, "ApplyDeviceList.ApplyDeviceInfo", "DeviceName");
        assert!(names.len() == 12 && names.iter().all(|name| name.len() == 20), "{page:?}");
        assert_eq!(app.ok("QueryProduct", &json!({ "ProductKey": product })).at("Data.DeviceCount"), 15);

        let malformed = app.ask("BatchCheckDeviceNames", &named(&["b/5", "b6", "b6"]));
        let (code, _) = malformed.failure();
        assert_eq!(code, "iot.device.InvalidFormattedDeviceName", "{malformed:?}");
        let lists = ["InvalidDeviceNameList.InvalidDeviceName", "RepeatedDeviceNameList.RepeatDevieNameList"];
        let lists = lists.map(|list| malformed.at(&format!("Data.{list}")).clone());
        assert_eq!(lists, [json!(["b/5"]), json!(["b6"])], "{malformed:?}");
        let none = json!({ "ProductKey": product });
        app.refused("BatchCheckDeviceNames", &none, "iot.device.NoneDeviceNameElement", "DeviceName.1");
        app.missing("BatchRegisterDevice", &none, "Count");
        let many = json!({ "ProductKey": product, "Count": 10_001 });
        app.refused("BatchRegisterDevice", &many, "iot.device.DeviceCountExceeded", "1 to 10000");
        app.refused("QueryBatchRegisterDeviceStatus", &none, "iot.device.NullApplyId", "ApplyId");
        app.refused("QueryPageByApplyId", &json!({ "ApplyId": 77 }), "iot.device.DeviceApplyIsNotFound", "77");
        let malformed = json!({ "ProductKey": product, "ApplyId": -1 });
        app.refused("QueryBatchRegisterDeviceStatus", &malformed, "iot.device.InvalidFormattedApplyId", "-1");
    }
}

#[test]
fn batches_are_kept_over_a_restart() {
    let mut site = Site::embedded(&[]);
    let app = Application { site: &site, sdk: Sdk::Tea };
    let product = app.product("kept_batches");
    let named = json!({ "ProductKey": product, "DeviceName": ["k1", "k2"] });
    let id = app.ok("BatchCheckDeviceNames", &named).at("Data.ApplyId").clone();
    site.program.kill();
    site.start_again();
    let app = Application { site: &site, sdk: Sdk::Tea };
    let with = json!({ "ProductKey": product, "ApplyId": id });
    app.ok("BatchRegisterDeviceWithApplyId", &with);
    site.program.kill();
    site.start_again();
    let app = Application { site: &site, sdk: Sdk::Tea };
    assert_eq!(app.ok("QueryBatchRegisterDeviceStatus", &with).at("Data.Status"), "CREATE_SUCCESS");
    let page = app.ok("QueryPageByApplyId", &json!({ "ApplyId": id, "CurrentPage": 1, "PageSize": 10 }));
    assert_eq!(each(&page, "ApplyDeviceList.ApplyDeviceInfo", "DeviceName"), ["k1", "k2"], "{page:?}");
}

#[test]
fn every_sdk_tags_devices() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let product = app.product(&format!("{word}_tagged"));
        let named = json!({ "ProductKey": product, "DeviceName": "lamp" });
        let id = app.ok("RegisterDevice", &named).text_at("Data.IotId").to_owned();
        let by_id = json!({ "IotId": id });
        let with = |member: &str, value: &str| {
            let mut params = named.clone();
            params[member] = json!(value);
            params
        };
        let read = |params: &Value| {
            let answer = app.ok("QueryDeviceProp", params);
            serde_json::from_str::<Value>(answer.text_at("Props")).expect("JSON in a text")
        };
        assert_eq!(read(&named), json!({}));
        app.ok("SaveDeviceProp", &with("Props", r#"{"color":"红","shape":"round"}"#));
        app.ok("SaveDeviceProp", &with("Props", r#"{"shape":"square"}"#));
        assert_eq!(read(&by_id), json!({ "color": "红", "shape": "square" }));
        app.ok("DeleteDeviceProp", &with("PropKey", "color"));
        app.ok("DeleteDeviceProp", &with("PropKey", "color"));
        assert_eq!(read(&named), json!({ "shape": "square" }));

        let many: serde_json::Map<_, _> = (0..100).map(|nth| (format!("t{nth}"), json!("x"))).collect();
        let many = Value::Object(many).to_string();
        let too_many = "iot.device.TooManyDevicePropertiesPerTime";
        app.refused("SaveDeviceProp", &with("Props", &many), too_many, "101 tags and 100 are allowed");
        let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(5 * 1024));
        app.refused("SaveDeviceProp", &with("Props", &long), "iot.device.LongDevicePropertiesString", "5120");
        let malformed = "iot.device.InvalidFormattedDevicePropertiesString";
        app.refused("SaveDeviceProp", &with("Props", "red"), malformed, "JSON object");
        app.refused("SaveDeviceProp", &named, "iot.device.NullDevicePropertiesString", "Props");
        app.refused("DeleteDeviceProp", &named, "iot.device.NullDevicePropertyKey", "PropKey");
        app.ok("DeleteDevice", &named);
        for action in ["SaveDeviceProp", "QueryDeviceProp", "DeleteDeviceProp"] {
            let mut params = with("Props", r#"{"a":"b"}"#);
            params["PropKey"] = json!("a");
            if action != "DeleteDeviceProp" {
                params.as_object_mut().expect("an object").remove("PropKey");
            }
            if action != "SaveDeviceProp" {
                params.as_object_mut().expect("an object").remove("Props");
            }
            app.refused(action, &params, "iot.device.NotExistedDevice", "lamp");
        }
    }
}

#[test]
fn every_sdk_reads_and_publishes_versions_of_models_and_changes_features() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let product = app.product(&format!("{word}_versions"));
        let with = |more: Value| {
            let mut params = json!({ "ProductKey": product });
            params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            params
        };
        let of_it = with(json!({}));
        app.refused("PublishThingModel", &of_it, "iot.prod.NotSeniorProduct", "no thing model");
        let lamp = r#"{"properties":[{"identifier":"bright","name":"bright","rwFlag":"READ_WRITE","dataType":"INT",
            "dataSpecs":{"min":"0","max":"100","step":"1"}}],
            "services":[{"identifier":"Blink","serviceName":"Blink","callType":"SYNC","inputParams":[],"outputParams":[]}]}"#;
        app.ok("CreateThingModel", &with(json!({ "ThingModelJson": lamp })));
        app.ok("PublishThingModel", &with(json!({ "ModelVersion": "1.0", "Description": "first" })));
        let glow = r#"{"services":[{"identifier":"Glow","serviceName":"Glow","callType":"SYNC"}]}"#;
        app.ok("UpdateThingModel", &with(json!({ "Identifier": "Blink", "ThingModelJson": glow })));
        app.ok("DeleteThingModel", &with(json!({ "PropertyIdentifier": ["bright"] })));
        let list = app.ok("ListThingModelVersion", &of_it);
        let numbers = each(&list, "Data.ModelVersions", "ModelVersion");
        assert!(numbers.len() == 3 && numbers[2] == "1.0", "{list:?}");
        assert_eq!(each(&list, "Data.ModelVersions", "Description"), ["", "", "first"], "{list:?}");
        assert!(list.at("Data.ModelVersions")[0]["GmtCreate"].as_u64() > Some(1_700_000_000_000), "{list:?}");

        let services = |action: &str, member: &str, more: Value| {
            let answer = app.ok(action, &with(more));
            let model: Value = serde_json::from_str(answer.text_at(member)).expect("JSON in a text");
            let features = model["properties"].as_array().into_iter().chain(model["services"].as_array()).flatten();
            features.map(|it| it["identifier"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
        };
        let old = json!({ "ModelVersion": "1.0" });
        assert_eq!(services("QueryThingModel", "Data.ThingModelJson", old.clone()), ["bright", "Blink"]);
        assert_eq!(services("GetThingModelTslPublished", "Data.TslStr", old), ["bright", "Blink"]);
        assert_eq!(services("QueryThingModel", "Data.ThingModelJson", json!({})), ["Glow"]);

        let illegal = "iot.system.IllegalRequest";
        app.refused("QueryThingModel", &with(json!({ "ModelVersion": "7" })), illegal, "1.0");
        app.refused("PublishThingModel", &with(json!({ "ModelVersion": "a b" })), illegal, "16 letters");
        app.refused("PublishThingModel", &with(json!({ "ModelVersion": "1.0" })), illegal, "exists already");
        app.refused("CreateThingModel", &with(json!({ "ThingModelJson": glow })), illegal, "has \"Glow\" already");
        app.missing("CreateThingModel", &of_it, "ThingModelJson");
        app.refused("DeleteThingModel", &with(json!({ "EventIdentifier": ["none"] })), illegal, "no \"none\"");
        let none = json!({ "ProductKey": "none" });
        app.refused("ListThingModelVersion", &none, "iot.prod.NotExistedProduct", "none");
        app.ok("DeleteThingModel", &of_it);
        assert_eq!(services("QueryThingModel", "Data.ThingModelJson", json!({})), [""; 0]);

        let listed = site.command(&["model", "list", &product]);
        assert!(listed.contains("1.0") && listed.contains("first"), "{listed}");
        let shown = site.command(&["model", "show", &product, "1.0"]);
        assert!(shown.contains("\"Blink\""), "{shown}");
        let restored = site.command_json(&["model", "restore", &product, "1.0"]);
        assert_eq!((&restored["restored"], &restored["productKey"]), (&json!("1.0"), &json!(product)), "{restored}");
        let is_back = || services("QueryThingModel", "Data.ThingModelJson", json!({})) == ["bright", "Blink"];
        eventually("the running server has it again", || is_back().then_some(()));
    }
}

#[test]
fn published_version_stays_as_it_is_and_is_pushed_out_by_no_edit() {
    let site = embedded();
    for (sdk, word) in SDKS {
        let app = Application { site, sdk };
        let product = app.product(&format!("{word}_published"));
        let with = |more: Value| {
            let mut params = json!({ "ProductKey": product });
            params.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
            params
        };
        let of_it = with(json!({}));
        let bright = r#"{"properties":[{"identifier":"bright","name":"bright","rwFlag":"READ_WRITE","dataType":"INT",
            "dataSpecs":{"min":"0","max":"100","step":"1"}}]}"#;
        app.ok("CreateThingModel", &with(json!({ "ThingModelJson": bright })));
        app.ok("PublishThingModel", &with(json!({ "ModelVersion": "1.0", "Description": "first" })));
        for again in [json!({ "ModelVersion": "1.0.1" }), json!({ "ModelVersion": "1.0" }), json!({})] {
            let said = "nothing has changed since version 1.0";
            app.refused("PublishThingModel", &with(again), "iot.system.IllegalRequest", said);
        }
        let told = app.ok("QueryThingModel", &with(json!({ "ModelVersion": "1.0" })));
        let told: Value = serde_json::from_str(told.text_at("Data.ThingModelJson")).expect("JSON in a text");
        assert_eq!(told["_ppk"], json!({ "version": "1.0", "description": "first" }), "{told}");
        let of_bright = ["rwFlag", "dataType", "productKey"].map(|name| told["properties"][0][name].as_str());
        assert_eq!(of_bright, [Some("READ_WRITE"), Some("INT"), Some(&*product)], "{told}");
        let glow = r#"{"services":[{"identifier":"Glow","serviceName":"Glow","callType":"SYNC"}]}"#;
        let add = json!({ "ThingModelJson": glow });
        for _ in 0..6 {
            app.ok("CreateThingModel", &with(add.clone()));
            app.ok("DeleteThingModel", &with(json!({ "ServiceIdentifier": ["Glow"] })));
        }
        let list = app.ok("ListThingModelVersion", &of_it);
        let numbers = each(&list, "Data.ModelVersions", "ModelVersion");
        assert!(numbers.len() == 11 && numbers[10] == "1.0", "no edit pushes out what was published: {list:?}");
    }
}
