//! What devices reported, as callers are told it.

use expect_test::expect;
use thingcall_core::{LastValue, UnixMillis};
use thingcall_tsl::{Directory, ThingModel};

use super::bench::{Server, Setup};

const LIGHT: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];

const MAIN: &str = r#"{"services":[],"events":[],"properties":[
    {"identifier":"temp","name":"Temperature","accessMode":"r","dataType":{"type":"float","specs":{"unit":"°C"}}},
    {"identifier":"label","name":"Label","accessMode":"rw","dataType":{"type":"text","specs":{"length":"9"}}},
    {"identifier":"spot","name":"Spot","accessMode":"r","dataType":{"type":"struct","specs":[
        {"identifier":"x","name":"X","dataType":{"type":"int"}}]}}]}"#;

const MODULE: &str = r#"{"functionBlockId":"fb","functionBlockName":"f","services":[],"events":[],"properties":[
    {"identifier":"temp","name":"T","accessMode":"r","dataType":{"type":"int"}}]}"#;

async fn server() -> Server {
    let server = Setup::default().start().await;
    let one = |(property, value): (&str, &str)| LastValue {
        property: property.to_owned(),
        value: value.to_owned(),
        at: UnixMillis(1_700_000_000_123),
    };
    let last = [("temp", "20.50"), ("label", r#""a \"b\"""#), ("fb:temp", "7"), ("unheard", "1")].map(one);
    *server.directory.last.lock().unwrap() = last.to_vec();
    server
}

async fn modelled() -> Server {
    let server = server().await;
    let model = ThingModel::parse(MAIN, &[MODULE]).unwrap();
    server.directory.set_model(&"a1BwAGVxxxx".parse().unwrap(), model).await.unwrap();
    server
}

#[tokio::test]
async fn properties_of_a_module_are_told_with_what_the_model_says_of_them() {
    let server = modelled().await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"List":{"PropertyStatusInfo":[{"Identifier":"label","Name":"Label","DataType":"text","Unit":"","Value":"a \"b\"","Time":"1700000000123"},{"Identifier":"spot","Name":"Spot","DataType":"struct","Unit":""},{"Identifier":"temp","Name":"Temperature","DataType":"float","Unit":"°C","Value":"20.50","Time":"1700000000123"}]}}}"#]]
        .assert_eq(&server.acs3("QueryDevicePropertyStatus", &LIGHT).await.golden());
    let of_module = [LIGHT[0], LIGHT[1], ("FunctionBlockId", "fb")];
    let list = server.acs3("QueryDevicePropertyStatus", &of_module).await.json()["Data"]["List"].clone();
    assert_eq!(
        (&list["PropertyStatusInfo"][0]["Identifier"], &list["PropertyStatusInfo"][0]["Value"]),
        (&"temp".into(), &"7".into())
    );
}

#[tokio::test]
async fn of_a_product_without_a_model_what_was_reported_is_told() {
    let server = server().await;
    let list =
        server.acs3("QueryDevicePropertyStatus", &LIGHT).await.json()["Data"]["List"]["PropertyStatusInfo"].clone();
    let names: Vec<_> = list.as_array().unwrap().iter().map(|one| one["Identifier"].as_str().unwrap()).collect();
    assert_eq!(names, ["temp", "label", "unheard"], "not those of modules");
}

#[tokio::test]
async fn what_is_not_there_is_said() {
    let server = modelled().await;
    let code = async |params: &[(&str, &str)]| server.acs3("QueryDevicePropertyStatus", params).await.code();
    assert_eq!(code(&[LIGHT[0]]).await, "iot.device.NullDeviceName");
    assert_eq!(code(&[LIGHT[0], ("DeviceName", "nobody")]).await, "iot.device.NotExistedDevice");
    assert_eq!(
        code(&[LIGHT[0], LIGHT[1], ("FunctionBlockId", "gone")]).await,
        "iot.device.QueryDeviceAttrStatusFailed"
    );
    assert_eq!(code(&[LIGHT[0], LIGHT[1], ("FunctionBlockId", "a b")]).await, "iot.system.IllegalRequest");
}
