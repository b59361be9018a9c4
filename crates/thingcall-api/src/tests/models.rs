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
    for (action, member) in
        [("QueryThingModel", "ThingModelJson"), ("GetThingModelTsl", "TslStr"), ("GetThingModelTslPublished", "TslStr")]
    {
        assert_eq!(read(&server, action, member, &[]).await, MAIN, "{action}");
        assert_eq!(read(&server, action, member, &FB[..1]).await, MODULE, "{action}");
        let version = [("ModelVersion", "0.0.0")];
        assert_eq!(code(&server, action, &version).await, "iot.system.IllegalRequest");
    }
    assert_eq!(code(&server, "GetThingModelTsl", &[("FunctionBlockId", "other")]).await, "iot.system.IllegalRequest");
}

#[tokio::test]
async fn a_custom_module_may_come_first() {
    let server = Setup::default().start().await;
    assert_eq!(code(&server, "ImportThingModelTsl", &[FB[0], FB[1], ("TslStr", MODULE)]).await, "");
    assert_eq!(read(&server, "QueryThingModel", "ThingModelJson", &FB[..1]).await, MODULE);
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
        (vec![], "MissingTslStr"),
    ] {
        assert_eq!(code(&server, "ImportThingModelTsl", &params).await, expected, "{params:?}");
    }
    assert_eq!(read(&server, "GetThingModelTsl", "TslStr", &[]).await, MAIN);
}
