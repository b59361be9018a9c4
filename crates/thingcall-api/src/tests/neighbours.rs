//! The actions around the call: what the SDK's models read.

use expect_test::expect;
use thingcall_core::{DeviceKey, UnixMillis};

use super::bench::{Received, Server, Setup};

const LIGHT: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];

async fn start() -> Server {
    Setup::default().start().await
}

fn change(server: &Server, name: &str, change: impl FnOnce(&mut thingcall_tsl::DeviceRecord)) {
    let key = DeviceKey { product: "a1BwAGVxxxx".try_into().unwrap(), name: name.try_into().unwrap() };
    change(server.directory.devices.lock().unwrap().get_mut(&key).unwrap());
}

fn set_seen(record: &mut thingcall_tsl::DeviceRecord) {
    record.activated_at = Some(UnixMillis(1_700_000_001_000));
    record.online_at = Some(UnixMillis(1_700_000_002_003));
    record.last_seen_at = Some(UnixMillis(1_700_000_009_000));
    record.online = true;
    record.address = Some("10.0.0.1:60265".to_owned());
}

async fn data(server: &Server, action: &str, params: &[(&str, &str)]) -> serde_json::Value {
    let received = server.acs3(action, params).await;
    let json = received.json();
    assert_eq!((received.status, &json["Success"]), (200, &true.into()), "{received:?}");
    json["Data"].clone()
}

fn xml_of(received: &Received) -> &str {
    received.body.as_str()
}

#[tokio::test]
async fn a_product_is_created_as_it_is_asked_for() {
    let server = start().await;
    let params = [("ProductName", "pumps"), ("NodeType", "0"), ("DataFormat", "0"), ("ValidateType", "2")];
    let received = server.acs3("CreateProduct", &params).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"ProductKey":"product1","ProductName":"pumps","NodeType":0,"DataFormat":0,"AuthType":"secret","Description":"","AliyunCommodityCode":"iothub","Id2":false},"ProductKey":"product1"}"#]]
        .assert_eq(&received.golden());
    for (name, value, code) in [
        ("NodeType", "1", "iot.system.IllegalRequest"),
        ("ValidateType", "3", "iot.system.IllegalRequest"),
        ("ProductName", "", "MissingProductName"),
    ] {
        let mut params: Vec<_> = params.into_iter().filter(|(other, _)| *other != name).collect();
        params.push((name, value));
        assert_eq!(server.acs3("CreateProduct", &params).await.code(), code, "{name}={value}");
    }
}

#[tokio::test]
async fn a_device_is_registered_once() {
    let server = start().await;
    let params = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "new"), ("Nickname", "neu")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"ProductKey":"a1BwAGVxxxx","DeviceName":"new","DeviceSecret":"devicesecret","IotId":"iot2","Nickname":"neu"}}"#]]
        .assert_eq(&server.acs3("RegisterDevice", &params).await.golden());
    assert_eq!(server.acs3("RegisterDevice", &params).await.code(), "iot.system.IllegalRequest");
    let made_up = data(&server, "RegisterDevice", &params[..1]).await;
    assert_eq!(made_up["DeviceName"], "device3");
    let nowhere = server.acs3("RegisterDevice", &[("ProductKey", "none")]).await;
    assert_eq!(nowhere.code(), "iot.prod.NotExistedProduct");
}

#[tokio::test]
async fn a_devices_detail_has_its_times_in_both_forms() {
    let server = start().await;
    change(&server, "light1", set_seen);
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"ProductKey":"a1BwAGVxxxx","DeviceName":"light1","DeviceSecret":"devicesecret","IotId":"Q7uOhVRdZRRlDnTLv00100","Nickname":"","ProductName":"lights","NodeType":0,"Region":"","Status":"ONLINE","GmtCreate":"2023-11-14 22:13:20","UtcCreate":"2023-11-14T22:13:20.000Z","GmtActive":"2023-11-14 22:13:21","UtcActive":"2023-11-14T22:13:21.000Z","Owner":true,"IpAddress":"10.0.0.1","GmtOnline":"2023-11-14 22:13:22","UtcOnline":"2023-11-14T22:13:22.003Z"}}"#]]
        .assert_eq(&server.acs3("QueryDeviceDetail", &LIGHT).await.golden());
}

#[tokio::test]
async fn a_device_has_one_status() {
    let server = start().await;
    assert_eq!(data(&server, "GetDeviceStatus", &LIGHT).await, serde_json::json!({"Status": "UNACTIVE"}));
    change(&server, "light1", set_seen);
    let online = data(&server, "GetDeviceStatus", &LIGHT).await;
    assert_eq!(online, serde_json::json!({"Status": "ONLINE", "Timestamp": 1_700_000_002_003_i64}));
    change(&server, "light1", |record| record.online = false);
    assert_eq!(data(&server, "GetDeviceStatus", &LIGHT).await["Status"], "OFFLINE");
    data(&server, "DisableThing", &LIGHT).await;
    assert_eq!(data(&server, "GetDeviceStatus", &LIGHT).await["Status"], "DISABLE");
    data(&server, "EnableThing", &[("IotId", "Q7uOhVRdZRRlDnTLv00100")]).await;
    assert_eq!(data(&server, "GetDeviceStatus", &LIGHT).await["Status"], "OFFLINE");
    data(&server, "DeleteDevice", &LIGHT).await;
    for action in ["GetDeviceStatus", "DeleteDevice", "DisableThing", "QueryDeviceDetail"] {
        assert_eq!(server.acs3(action, &LIGHT).await.code(), "iot.device.NotExistedDevice", "{action}");
    }
}

#[tokio::test]
async fn the_states_of_several_devices_are_a_list_in_both_forms() {
    let server = start().await;
    change(&server, "light2", set_seen);
    let params = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName.1", "light1"), ("DeviceName.2", "light2")];
    expect![[r#"{"RequestId":"[id]","Success":true,"DeviceStatusList":{"DeviceStatus":[{"IotId":"Q7uOhVRdZRRlDnTLv00100","DeviceId":"Q7uOhVRdZRRlDnTLv00100","DeviceName":"light1","Status":"UNACTIVE"},{"IotId":"Q7uOhVRdZRRlDnTLv00200","DeviceId":"Q7uOhVRdZRRlDnTLv00200","DeviceName":"light2","Status":"ONLINE","AsAddress":"10.0.0.1","LastOnlineTime":"2023-11-14T22:13:22.003Z","Timestamp":1700000002003}]}}"#]]
        .assert_eq(&server.acs3("BatchGetDeviceState", &params).await.golden());
    let mut with_format = params.to_vec();
    with_format.push(("Format", "xml"));
    let received = server.acs3("BatchGetDeviceState", &with_format).await;
    let inside = "<DeviceStatusList><DeviceStatus><IotId>Q7uOhVRdZRRlDnTLv00100</IotId>";
    assert!(xml_of(&received).contains(inside), "{received:?}");
    assert_eq!(xml_of(&received).matches("<DeviceStatus>").count(), 2);
    assert_eq!(server.acs3("BatchGetDeviceState", &params[..1]).await.code(), "iot.device.NoneDeviceNameElement");
    let many: Vec<_> = (1..=51).map(|i| format!("IotId.{i}")).collect();
    let many: Vec<_> = many.iter().map(|name| (name.as_str(), "x")).collect();
    assert_eq!(server.acs3("BatchGetDeviceState", &many).await.code(), "iot.system.IllegalRequest");
}

#[tokio::test]
async fn every_answer_exists_in_xml() {
    let server = start().await;
    for action in ["GetDeviceStatus", "QueryDeviceDetail", "DisableThing", "EnableThing", "DeleteDevice"] {
        let received = server.acs3(action, &[LIGHT[0], LIGHT[1], ("Format", "XML")]).await;
        assert_eq!(received.header("content-type"), Some("text/xml;charset=utf-8"));
        let root = format!("<{action}Response><RequestId>");
        assert!(
            xml_of(&received).contains(&root) && xml_of(&received).contains("<Success>true</Success>"),
            "{received:?}"
        );
    }
}
