//! Thing models through the API: set module by module, read as they were set.

use super::bench::{Server, Setup};

const MAIN: &str = include_str!("../../fixtures/tsl/sample_tsl.json");
const MODULE: &str = include_str!("../../fixtures/tsl/sample_tsl_testFb.json");
const PRODUCT: (&str, &str) = ("ProductKey", "a1BwAGVxxxx");

async fn code(server: &Server, action: &str, params: &[(&str, &str)]) -> String {
    server.v1(action, &[&[PRODUCT], params].concat()).await.code()
}

async fn read(server: &Server, action: &str, member: &str, params: &[(&str, &str)]) -> String {
    let received = server.v1(action, &[&[PRODUCT], params].concat()).await;
    received.json()["Data"][member].as_str().unwrap_or_else(|| panic!("{received:?}")).to_owned()
}

const FB: [(&str, &str); 2] = [("FunctionBlockId", "testFb"), ("FunctionBlockName", "test module")];

#[tokio::test]
async fn a_model_is_set_module_by_module_and_read_as_it_was_set() {
    let server = Setup::default().start().await;
    assert_eq!(code(&server, "GetThingModelTsl", &[]).await, "iot.prod.NotSeniorProduct");
    assert_eq!(code(&server, "ImportThingModelTsl", &[("TslStr", MAIN)]).await, "");
    assert_eq!(code(&server, "ImportThingModelTsl", &[FB[0], FB[1], ("TslStr", MODULE)]).await, "");
    assert_eq!(code(&server, "ImportThingModelTsl", &[("TslStr", MAIN)]).await, "", "again");
    for (action, member) in [("GetThingModelTsl", "TslStr"), ("GetThingModelTslPublished", "TslStr")] {
        assert_eq!(read(&server, action, member, &[]).await, MAIN, "{action}");
        assert_eq!(read(&server, action, member, &FB[..1]).await, MODULE, "{action}");
        let version = [("ModelVersion", "0.0.0")];
        assert_eq!(code(&server, action, &version).await, "iot.system.IllegalRequest");
    }
    assert_eq!(code(&server, "GetThingModelTsl", &[("FunctionBlockId", "other")]).await, "iot.system.IllegalRequest");
}

#[tokio::test]
async fn a_model_is_queried_in_the_words_of_the_reference() {
    let server = Setup::default().start().await;
    json(&server, "ImportThingModelTsl", &[("TslStr", MAIN)]).await;
    json(&server, "ImportThingModelTsl", &[FB[0], FB[1], ("TslStr", MODULE)]).await;
    let model = async |more: &[(&str, &str)]| -> serde_json::Value {
        serde_json::from_str(&read(&server, "QueryThingModel", "ThingModelJson", more).await).unwrap()
    };
    let draft = model(&[]).await;
    assert_eq!((&draft["productKey"], &draft["_ppk"]), (&"a1BwAGVxxxx".into(), &serde_json::Value::Null));
    let block = serde_json::json!([{ "productKey": "a1BwAGVxxxx", "functionBlockId": "testFb", "functionBlockName": "Test module" }]);
    assert_eq!(draft["functionBlocks"], block);
    assert_eq!(
        (&draft["properties"][0]["rwFlag"], &draft["events"].as_array().unwrap().len()),
        (&"READ_WRITE".into(), &1)
    );
    json(&server, "PublishThingModel", &[("ModelVersion", "1.0.0"), ("Description", "first")]).await;
    let version = serde_json::json!({ "version": "1.0.0", "description": "first" });
    for more in [&[][..], &[("ModelVersion", "1.0.0")], &FB[..1]] {
        assert_eq!(model(more).await["_ppk"], version, "{more:?}");
    }
    let module = model(&FB[..1]).await;
    assert_eq!((&module["functionBlockId"], &module["functionBlocks"]), (&"testFb".into(), &serde_json::Value::Null));
    assert_eq!(module["services"][0]["inputParams"][0]["direction"], "PARAM_INPUT");
    assert_eq!(code(&server, "QueryThingModel", &[("ModelVersion", "0.0.0")]).await, "iot.system.IllegalRequest");
    // What comes back is taken again.
    let first = serde_json::json!({ "properties": [draft["properties"][0]] }).to_string();
    let id = draft["properties"][0]["identifier"].as_str().unwrap();
    json(&server, "UpdateThingModel", &[("Identifier", id), ("ThingModelJson", &first)]).await;
}

#[tokio::test]
async fn a_custom_module_may_come_first() {
    let server = Setup::default().start().await;
    assert_eq!(code(&server, "ImportThingModelTsl", &[FB[0], FB[1], ("TslStr", MODULE)]).await, "");
    assert_eq!(read(&server, "GetThingModelTsl", "TslStr", &FB[..1]).await, MODULE);
}

#[tokio::test]
async fn a_model_that_does_not_fit_leaves_the_old_one() {
    let server = Setup::default().start().await;
    code(&server, "ImportThingModelTsl", &[("TslStr", MAIN)]).await;
    let other = ("FunctionBlockId", "other");
    for (params, expected) in [
        (vec![("TslStr", "{")], "iot.system.IllegalRequest"),
        (vec![("TslStr", r#"{"services":1}"#)], "iot.system.IllegalRequest"),
        (vec![other, FB[1], ("TslStr", MODULE)], "iot.system.IllegalRequest"),
        (vec![("FunctionBlockId", "a-b"), FB[1], ("TslStr", MODULE)], "iot.system.IllegalRequest"),
        (vec![FB[0], ("TslStr", MODULE)], "MissingFunctionBlockName"),
        (vec![("TslStr", MODULE)], "iot.system.IllegalRequest"),
        (vec![], "MissingTslStr"),
    ] {
        assert_eq!(code(&server, "ImportThingModelTsl", &params).await, expected, "{params:?}");
    }
    assert_eq!(read(&server, "GetThingModelTsl", "TslStr", &[]).await, MAIN);
    let unnamed = server.v1("ImportThingModelTsl", &[PRODUCT, ("TslStr", MODULE)]).await;
    assert!(unnamed.body.contains("right is to give that as the parameter FunctionBlockId"), "{unnamed:?}");
}

async fn json(server: &Server, action: &str, params: &[(&str, &str)]) -> serde_json::Value {
    let received = server.v1(action, &[&[PRODUCT], params].concat()).await;
    assert_eq!((received.status, &*received.code()), (200, ""), "{action}: {received:?}");
    received.json()
}

#[tokio::test]
async fn versions_are_listed_published_and_read_again() {
    let server = Setup::default().start().await;
    assert_eq!(json(&server, "ListThingModelVersion", &[]).await["Data"]["ModelVersions"], serde_json::json!([]));
    assert_eq!(code(&server, "PublishThingModel", &[]).await, "iot.prod.NotSeniorProduct");
    json(&server, "ImportThingModelTsl", &[("TslStr", MAIN)]).await;
    json(&server, "PublishThingModel", &[("ModelVersion", "1.0.0"), ("Description", "first")]).await;
    for again in [&[("ModelVersion", "1.0.1")][..], &[]] {
        let again = server.v1("PublishThingModel", &[&[PRODUCT], again].concat()).await;
        assert!(again.body.contains("nothing has changed since version 1.0.0"), "{again:?}");
    }
    json(&server, "ImportThingModelTsl", &[FB[0], FB[1], ("TslStr", MODULE)]).await;
    json(&server, "PublishThingModel", &[]).await;
    let versions = json(&server, "ListThingModelVersion", &[]).await["Data"]["ModelVersions"].clone();
    let right = serde_json::json!([
        { "ModelVersion": "1700000000001", "Description": "", "GmtCreate": 1_700_000_000_000_i64 },
        { "ModelVersion": "1.0.0", "Description": "first", "GmtCreate": 1_700_000_000_000_i64 },
    ]);
    assert_eq!(versions, right);
    let old = [("ModelVersion", "1.0.0")];
    assert_eq!(read(&server, "GetThingModelTsl", "TslStr", &old).await, MAIN);
    assert_eq!(code(&server, "GetThingModelTsl", &[old[0], FB[0]]).await, "iot.system.IllegalRequest");
    let new = [("ModelVersion", "1700000000001"), FB[0]];
    assert_eq!(read(&server, "GetThingModelTslPublished", "TslStr", &new).await, MODULE);
    let unknown = server.v1("QueryThingModel", &[PRODUCT, ("ModelVersion", "7")]).await;
    assert!(unknown.body.contains("those that are: 1700000000001, 1.0.0"), "{unknown:?}");
    let long = "x".repeat(101);
    for params in [("ModelVersion", "1 0"), ("ModelVersion", "12345678901234567"), ("Description", &long)] {
        assert_eq!(code(&server, "PublishThingModel", &[params]).await, "iot.system.IllegalRequest", "{params:?}");
    }
    let nowhere = server.v1("ListThingModelVersion", &[("ProductKey", "none")]).await;
    assert_eq!(nowhere.code(), "iot.prod.NotExistedProduct");
}

#[tokio::test]
async fn features_are_created_changed_and_deleted_one_by_one() {
    let server = Setup::default().start().await;
    let feature = |json: &'static str| ("ThingModelJson", json);
    let lamp = r#"{"properties":[{"identifier":"on","name":"on","rwFlag":"READ_WRITE","dataType":"BOOL",
        "dataSpecsList":[{"name":"off","value":0},{"name":"on","value":1}]}],
        "services":[{"identifier":"Blink","serviceName":"Blink","callType":"SYNC","inputParams":[],"outputParams":[]}]}"#;
    json(&server, "CreateThingModel", &[feature(lamp)]).await;
    let tsl = async |params: &[(&str, &str)]| -> serde_json::Value {
        serde_json::from_str(&read(&server, "GetThingModelTsl", "TslStr", params).await).unwrap()
    };
    let model = tsl(&[]).await;
    assert_eq!(model["properties"][0]["dataType"]["specs"], serde_json::json!({ "0": "off", "1": "on" }));
    assert_eq!(model["services"][0]["callType"], "sync");
    assert_eq!(code(&server, "CreateThingModel", &[feature(lamp)]).await, "iot.system.IllegalRequest", "it is there");
    let slow = r#"{"services":[{"identifier":"Glow","serviceName":"Glow","callType":"ASYNC"}]}"#;
    json(&server, "UpdateThingModel", &[("Identifier", "Blink"), feature(slow)]).await;
    let model = tsl(&[]).await;
    assert_eq!(
        (&model["services"][0]["identifier"], &model["services"][0]["callType"]),
        (&"Glow".into(), &"async".into())
    );
    json(&server, "CreateThingModel", &[FB[0], FB[1], feature(slow)]).await;
    json(&server, "UpdateThingModel", &[FB[0], ("FunctionBlockName", "another")]).await;
    let module = tsl(&FB[..1]).await;
    let told = (&module["functionBlockName"], &module["services"][0]["identifier"]);
    assert_eq!(told, (&"another".into(), &"Glow".into()));
    json(&server, "DeleteThingModel", &[("PropertyIdentifier.1", "on")]).await;
    let model = tsl(&[]).await;
    assert_eq!((&model["properties"], model["services"].as_array().unwrap().len()), (&serde_json::json!([]), 1));
    json(&server, "DeleteThingModel", &FB[..1]).await;
    assert_eq!(code(&server, "GetThingModelTsl", &FB[..1]).await, "iot.system.IllegalRequest");
    // It once took who names none that it reads for one who means all.
    for unread in [("ServiceIdentifier.2", "Blink"), ("ServiceIdentifier", "Blink"), ("EventIdentifier.1", "")] {
        assert_eq!(code(&server, "DeleteThingModel", &[unread]).await, "InvalidParameter", "{unread:?}");
    }
    assert_eq!(tsl(&[]).await["services"].as_array().unwrap().len(), 1);
    json(&server, "DeleteThingModel", &[]).await;
    assert_eq!(tsl(&[]).await["services"], serde_json::json!([]));
    let many = format!(r#"{{"services":[{}]}}"#, [r#"{"identifier":"a"}"#; 11].join(","));
    for (action, params) in [
        ("CreateThingModel", vec![("ThingModelJson", "{")]),
        ("CreateThingModel", vec![("ThingModelJson", "{}")]),
        ("CreateThingModel", vec![("ThingModelJson", &*many)]),
        ("CreateThingModel", vec![feature(r#"{"properties":[{"identifier":"x","dataType":"FISH"}]}"#)]),
        ("UpdateThingModel", vec![feature(slow)]),
        ("UpdateThingModel", vec![feature(lamp)]),
        ("DeleteThingModel", vec![("ServiceIdentifier.1", "Glow")]),
        ("DeleteThingModel", vec![FB[0]]),
    ] {
        assert_eq!(code(&server, action, &params).await, "iot.system.IllegalRequest", "{action} {params:?}");
    }
    for action in ["CreateThingModel", "UpdateThingModel"] {
        assert_eq!(code(&server, action, &[]).await, "MissingThingModelJson");
    }
    assert_eq!(code(&server, "CreateThingModel", &[FB[0], feature(slow)]).await, "MissingFunctionBlockName");
}
