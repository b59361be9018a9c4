//! Batches of devices and tags, as the API has them.

use expect_test::expect;
use serde_json::{Value, json};

use super::bench::{Server, Setup};

const PRODUCT: (&str, &str) = ("ProductKey", "a1BwAGVxxxx");
const LIGHT: [(&str, &str); 2] = [PRODUCT, ("DeviceName", "light1")];

async fn start() -> Server {
    Setup::default().start().await
}

async fn ok(server: &Server, action: &str, params: &[(&str, &str)]) -> Value {
    let received = server.acs3(action, params).await;
    let json = received.json();
    assert_eq!((received.status, &json["Success"]), (200, &true.into()), "{received:?}");
    json
}

async fn refused(server: &Server, action: &str, params: &[(&str, &str)], code: &str, said: &str) {
    let received = server.acs3(action, params).await;
    assert!(received.code() == code && received.body.contains(said), "{code} {said}: {received:?}");
}

#[tokio::test]
async fn a_batch_is_checked_registered_and_read() {
    let server = start().await;
    let names = [("DeviceNameList.1.DeviceName", "lamp1"), ("DeviceNameList.1.DeviceNickname", "lamp")];
    let checked = [PRODUCT, names[0], names[1], ("DeviceNameList.2.DeviceName", "lamp2"), ("DeviceName.1", "other")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"ApplyId":1}}"#]]
        .assert_eq(&server.acs3("BatchCheckDeviceNames", &checked).await.golden());
    let of_it = [PRODUCT, ("ApplyId", "1")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"Status":"CHECK_SUCCESS","ValidList":{"Name":[]},"InvalidList":{"Name":[]},"InvalidDetailList":{"invalidDetailList":[]}}}"#]]
        .assert_eq(&server.acs3("QueryBatchRegisterDeviceStatus", &of_it).await.golden());
    assert_eq!(ok(&server, "QueryPageByApplyId", &of_it).await["Total"], 0);
    for _ in 0..2 {
        assert_eq!(ok(&server, "BatchRegisterDeviceWithApplyId", &of_it).await["Data"]["ApplyId"], 1);
    }
    assert_eq!(ok(&server, "QueryBatchRegisterDeviceStatus", &of_it).await["Data"]["Status"], "CREATE_SUCCESS");
    expect![[r#"{"RequestId":"[id]","Success":true,"ApplyDeviceList":{"ApplyDeviceInfo":[{"DeviceId":"iot3","DeviceName":"lamp2","DeviceSecret":"devicesecret","IotId":"iot3"}]},"Page":2,"PageSize":1,"PageCount":2,"Total":2}"#]]
        .assert_eq(&server.acs3("QueryPageByApplyId", &[of_it[1], ("CurrentPage", "2"), ("PageSize", "1")]).await.golden());
    let detail = ok(&server, "QueryDeviceDetail", &[PRODUCT, ("DeviceName", "lamp1")]).await;
    assert_eq!(detail["Data"]["Nickname"], "lamp");
    let again = ok(&server, "BatchCheckDeviceNames", &[PRODUCT, ("DeviceName.1", "lamp1"), ("DeviceName.2", "lamp3")]);
    assert_eq!(again.await["Data"]["ApplyId"], 2);
    let taken = [PRODUCT, ("ApplyId", "2")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"Status":"CHECK_FAILED","ValidList":{"Name":["lamp3"]},"InvalidList":{"Name":["lamp1"]},"InvalidDetailList":{"invalidDetailList":[{"DeviceName":"lamp1","NickName":"","ErrorMsg":"taken"}]}}}"#]]
        .assert_eq(&server.acs3("QueryBatchRegisterDeviceStatus", &taken).await.golden());
    refused(&server, "BatchRegisterDeviceWithApplyId", &taken, "iot.device.IncorrentDeviceApplyInfo", "check").await;
    let made = ok(&server, "BatchRegisterDevice", &[PRODUCT, ("Count", "3")]).await["Data"]["ApplyId"].clone();
    let made = made.to_string();
    assert_eq!(ok(&server, "QueryPageByApplyId", &[("ApplyId", &made)]).await["Total"], 3);
    let all = server.acs3("QueryBatchRegisterDeviceStatus", &[PRODUCT, ("ApplyId", "2"), ("Format", "XML")]).await;
    assert!(all.body.contains("<InvalidList><Name>lamp1</Name></InvalidList>"), "{all:?}");
}

#[tokio::test]
async fn names_that_cannot_be_are_listed_with_the_refusal() {
    let server = start().await;
    let long = "n".repeat(65);
    let params = [
        PRODUCT,
        ("DeviceNameList.1.DeviceName", "lamp/1"),
        ("DeviceNameList.2.DeviceName", "lamp2"),
        ("DeviceNameList.2.DeviceNickname", &long),
        ("DeviceNameList.3.DeviceName", "lamp3"),
        ("DeviceNameList.4.DeviceName", "lamp3"),
    ];
    let received = server.acs3("BatchCheckDeviceNames", &params).await;
    let data = received.json()["Data"].clone();
    assert_eq!(received.code(), "iot.device.InvalidFormattedDeviceName", "{received:?}");
    assert_eq!(data["InvalidDeviceNameList"], json!({ "InvalidDeviceName": ["lamp/1"] }));
    assert_eq!(data["InvalidDeviceNicknameList"], json!({ "InvalidDeviceNickname": [long] }));
    assert_eq!(data["RepeatedDeviceNameList"], json!({ "RepeatDevieNameList": ["lamp3"] }));
    assert_eq!(data["InvalidDetailList"]["InvalidDetailList"].as_array().unwrap().len(), 2, "{data}");
    let none = "iot.device.NoneDeviceNameElement";
    refused(&server, "BatchCheckDeviceNames", &[PRODUCT], none, "DeviceName.1").await;
    let many: Vec<_> = (1..=1001).map(|i| (format!("DeviceName.{i}"), format!("n{i}"))).collect();
    let mut many: Vec<_> = many.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    many.push(PRODUCT);
    refused(&server, "BatchCheckDeviceNames", &many, "iot.device.DeviceCountExceeded", "1000").await;
    let unknown = [("ProductKey", "none"), ("DeviceName.1", "x")];
    refused(&server, "BatchCheckDeviceNames", &unknown, "iot.prod.NotExistedProduct", "none").await;
    for count in ["0", "10001", "x"] {
        let params = [PRODUCT, ("Count", count)];
        refused(&server, "BatchRegisterDevice", &params, "iot.device.DeviceCountExceeded", "1 to 10000").await;
    }
    refused(&server, "BatchRegisterDevice", &[PRODUCT], "MissingCount", "").await;
    for action in ["BatchRegisterDeviceWithApplyId", "QueryBatchRegisterDeviceStatus", "QueryPageByApplyId"] {
        refused(&server, action, &[PRODUCT], "iot.device.NullApplyId", "BatchCheckDeviceNames").await;
        for id in ["x", "-1", "1.5"] {
            let params = [PRODUCT, ("ApplyId", id)];
            refused(&server, action, &params, "iot.device.InvalidFormattedApplyId", id).await;
        }
        refused(&server, action, &[PRODUCT, ("ApplyId", "77")], "iot.device.DeviceApplyIsNotFound", "77").await;
    }
    ok(&server, "BatchRegisterDevice", &[PRODUCT, ("Count", "1")]).await;
    let other = ok(&server, "CreateProduct", &[("ProductName", "pumps"), ("NodeType", "0")]).await;
    let others = [("ProductKey", other["ProductKey"].as_str().unwrap()), ("ApplyId", "1")];
    refused(&server, "QueryBatchRegisterDeviceStatus", &others, "iot.device.DeviceApplyIsNotFound", "1").await;
    let pages = [("ApplyId", "1"), ("PageSize", "51")];
    refused(&server, "QueryPageByApplyId", &pages, "iot.common.InvalidPageParams", "1 to 50").await;
}

#[tokio::test]
async fn tags_are_saved_read_and_deleted() {
    let server = start().await;
    let with = |props: &'static str| [LIGHT[0], LIGHT[1], ("Props", props)];
    ok(&server, "SaveDeviceProp", &with(r#"{"color":"red","abc":"x","floor":3,"on":true}"#)).await;
    ok(&server, "SaveDeviceProp", &with(r#"{"color":"blue"}"#)).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Props":"{\"color\":\"blue\",\"floor\":\"3\",\"on\":\"true\"}"}"#]]
        .assert_eq(&server.acs3("QueryDeviceProp", &LIGHT).await.golden());
    for name in ["color", "nothing"] {
        ok(&server, "DeleteDeviceProp", &[LIGHT[0], LIGHT[1], ("PropKey", name)]).await;
    }
    let by_id = [("IotId", "Q7uOhVRdZRRlDnTLv00100")];
    assert_eq!(ok(&server, "QueryDeviceProp", &by_id).await["Props"], r#"{"floor":"3","on":"true"}"#);
    assert_eq!(ok(&server, "QueryDeviceProp", &[PRODUCT, ("DeviceName", "light2")]).await["Props"], "{}");
    for (props, code, said) in [
        ("", "iot.device.NullDevicePropertiesString", "color"),
        ("red", "iot.device.InvalidFormattedDevicePropertiesString", "JSON object"),
        (r#"{"a":{}}"#, "iot.device.InvalidFormattedDevicePropertiesString", "neither a text"),
        ("{}", "iot.device.NoneDeviceProperties", "no tag"),
        (r#"{"":"x"}"#, "iot.device.InvalidFormattedDevicePropertyKey", "1 to 64"),
        (r#"{"a\nb":"x"}"#, "iot.device.InvalidFormattedDevicePropertyKey", "1 to 64"),
    ] {
        refused(&server, "SaveDeviceProp", &with(props), code, said).await;
    }
    let long = format!(r#"{{"a":"{}"}}"#, "x".repeat(5 * 1024));
    let long = [LIGHT[0], LIGHT[1], ("Props", &*long)];
    refused(&server, "SaveDeviceProp", &long, "iot.device.LongDevicePropertiesString", "5120").await;
    let many: serde_json::Map<_, _> = (0..101).map(|nth| (format!("t{nth}"), json!("x"))).collect();
    let many = Value::Object(many).to_string();
    let many = [LIGHT[0], LIGHT[1], ("Props", &*many)];
    refused(&server, "SaveDeviceProp", &many, "iot.device.TooManyDevicePropertiesPerTime", "101").await;
    refused(&server, "DeleteDeviceProp", &LIGHT, "iot.device.NullDevicePropertyKey", "PropKey").await;
    for action in ["SaveDeviceProp", "QueryDeviceProp", "DeleteDeviceProp"] {
        let nobody = [PRODUCT, ("DeviceName", "nobody"), ("Props", r#"{"a":"b"}"#), ("PropKey", "a")];
        refused(&server, action, &nobody, "iot.device.NotExistedDevice", "nobody").await;
    }
}
