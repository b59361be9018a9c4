//! Products and devices read, listed page by page, changed and removed.

use expect_test::expect;
use serde_json::{Value, json};
use thingcall_core::DeviceKey;

use super::bench::{Server, Setup};

const PRODUCT: (&str, &str) = ("ProductKey", "a1BwAGVxxxx");

async fn start() -> Server {
    Setup::default().start().await
}

async fn ok(server: &Server, action: &str, params: &[(&str, &str)]) -> Value {
    let received = server.acs3(action, params).await;
    let json = received.json();
    assert_eq!((received.status, &json["Success"]), (200, &true.into()), "{received:?}");
    json
}

/// What each of these is answered.
async fn refused(server: &Server, action: &str, params: &[(&str, &str)], cases: &[(&str, &str, &str, &str)]) {
    for (name, value, code, said) in cases {
        let mut params: Vec<_> = params.iter().copied().filter(|(other, _)| other != name).collect();
        params.push((name, value));
        let received = server.acs3(action, &params).await;
        assert_eq!(received.code(), *code, "{action} {name}={value}: {received:?}");
        assert!(received.body.contains(said), "{said}: {received:?}");
    }
}

#[tokio::test]
async fn a_product_is_read_with_all_that_is_known_of_it() {
    let server = start().await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"ProductKey":"a1BwAGVxxxx","ProductName":"lights","NodeType":0,"DataFormat":1,"AuthType":"secret","Description":"","AliyunCommodityCode":"iothub_senior","DeviceCount":2,"GmtCreate":1700000000000,"Id2":false,"NetType":3,"Owner":true,"ProductStatus":"DEVELOPMENT_STATUS","ValidateType":1}}"#]]
        .assert_eq(&server.acs3("QueryProduct", &[PRODUCT]).await.golden());
    let cases = [
        ("ProductKey", "", "iot.prod.NullProductKey", "ProductKey is missing"),
        ("ProductKey", "a/b", "iot.prod.InvalidFormattedProductkey", ""),
        ("ProductKey", "none", "iot.prod.NotExistedProduct", "none"),
    ];
    for action in ["QueryProduct", "DeleteProduct", "QueryDevice"] {
        refused(&server, action, &[], &cases).await;
    }
    refused(&server, "UpdateProduct", &[("ProductName", "pumps")], &cases).await;
    refused(&server, "BatchQueryDeviceDetail", &[("DeviceName.1", "light1")], &cases).await;
    let page = [("Status", "1"), ("CurrentPage", "1"), ("PageSize", "1")];
    refused(&server, "QueryDeviceByStatus", &page, &cases[1..]).await;
    refused(&server, "QueryDeviceStatistics", &[], &cases[1..]).await;
}

#[tokio::test]
async fn products_are_listed_page_by_page_the_newest_first() {
    let server = start().await;
    for name in ["pumps", "fans"] {
        let params = [("ProductName", name), ("NodeType", "0"), ("DataFormat", "0"), ("Description", "of steel")];
        ok(&server, "CreateProduct", &params).await;
    }
    let page = [("CurrentPage", "2"), ("PageSize", "2")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"CurrentPage":2,"PageCount":2,"PageSize":2,"Total":3,"List":{"ProductInfo":[{"ProductKey":"a1BwAGVxxxx","ProductName":"lights","NodeType":0,"DataFormat":1,"AuthType":"secret","Description":"","DeviceCount":2,"GmtCreate":1700000000000}]}}}"#]]
        .assert_eq(&server.acs3("QueryProductList", &page).await.golden());
    let first = ok(&server, "QueryProductList", &[("CurrentPage", "1"), ("PageSize", "2")]).await;
    let names: Vec<_> =
        first["Data"]["List"]["ProductInfo"].as_array().unwrap().iter().map(|it| &it["ProductName"]).collect();
    assert_eq!(names, ["fans", "pumps"]);
    for (kind, total) in [("iothub", 2), ("iothub_senior", 1)] {
        let of_kind = [("CurrentPage", "1"), page[1], ("AliyunCommodityCode", kind)];
        assert_eq!(ok(&server, "QueryProductList", &of_kind).await["Data"]["Total"], total, "{kind}");
    }
    let pages = "iot.common.InvalidPageParams";
    let cases = [
        ("PageSize", "", "MissingPageSize", ""),
        ("CurrentPage", "", "MissingCurrentPage", ""),
        ("PageSize", "201", pages, "right is 1 to 200"),
        ("PageSize", "0", pages, "right is 1 to 200"),
        ("CurrentPage", "0", pages, "right is 1 or more"),
        ("CurrentPage", "first", pages, "first"),
        ("AliyunCommodityCode", "senior", "iot.prod.InvalidAliyunCommodityCode", "iothub_senior"),
    ];
    refused(&server, "QueryProductList", &page, &cases).await;
}

#[tokio::test]
async fn a_product_gets_another_name_and_description_and_goes_once_it_has_no_devices() {
    let server = start().await;
    let params = [PRODUCT, ("ProductName", "lamps"), ("Description", "warm")];
    ok(&server, "UpdateProduct", &params).await;
    ok(&server, "UpdateProduct", &[PRODUCT, ("ProductName", "lamps2")]).await;
    let data = ok(&server, "QueryProduct", &[PRODUCT]).await["Data"].clone();
    assert_eq!((&data["ProductName"], &data["Description"]), (&json!("lamps2"), &json!("warm")));
    let long = "x".repeat(101);
    let cases = [
        ("ProductName", "", "MissingProductName", ""),
        ("ProductName", &long[..31], "iot.system.IllegalRequest", "30"),
        ("Description", &long, "iot.prod.LongProductDesc", "100"),
    ];
    refused(&server, "UpdateProduct", &params, &cases).await;
    let make = [("ProductName", "pumps"), ("NodeType", "0"), ("NetType", "CELLULAR")];
    let cases = [
        ("Description", &*long, "iot.prod.LongProductDesc", "100"),
        ("NetType", "ZIGBEE", "iot.system.IllegalRequest", "CELLULAR"),
    ];
    refused(&server, "CreateProduct", &make, &cases).await;
    let made = ok(&server, "CreateProduct", &make).await["ProductKey"].clone();
    let key = ("ProductKey", made.as_str().unwrap());
    assert_eq!(ok(&server, "QueryProduct", &[key]).await["Data"]["NetType"], 6);

    let refused = server.acs3("DeleteProduct", &[PRODUCT]).await;
    assert!(refused.code() == "iot.system.IllegalRequest" && refused.body.contains("has 2 devices"), "{refused:?}");
    for name in ["light1", "light2"] {
        ok(&server, "DeleteDevice", &[PRODUCT, ("DeviceName", name)]).await;
    }
    ok(&server, "DeleteProduct", &[PRODUCT]).await;
    assert_eq!(server.acs3("QueryProduct", &[PRODUCT]).await.code(), "iot.prod.NotExistedProduct");
}

#[tokio::test]
async fn devices_are_listed_page_by_page_and_by_tokens() {
    let server = start().await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"DeviceInfo":[{"ProductKey":"a1BwAGVxxxx","DeviceName":"light2","DeviceSecret":"devicesecret","IotId":"Q7uOhVRdZRRlDnTLv00200","Nickname":"","DeviceStatus":"UNACTIVE","GmtCreate":"2023-11-14 22:13:20","UtcCreate":"2023-11-14T22:13:20.000Z","DeviceId":"Q7uOhVRdZRRlDnTLv00200"}]},"Page":1,"PageSize":1,"PageCount":2,"Total":2,"NextToken":"1700000000000.light2"}"#]]
        .assert_eq(&server.acs3("QueryDevice", &[PRODUCT, ("PageSize", "1")]).await.golden());
    let name = |page: &Value| page["Data"]["DeviceInfo"][0]["DeviceName"].clone();
    let second = ok(&server, "QueryDevice", &[PRODUCT, ("PageSize", "1"), ("CurrentPage", "2")]).await;
    assert_eq!((name(&second), &second["NextToken"]), (json!("light1"), &json!("")));
    let token = ("NextToken", "1700000000000.light2");
    let by_token = ok(&server, "QueryDevice", &[PRODUCT, ("PageSize", "1"), ("CurrentPage", "9"), token]).await;
    assert_eq!((name(&by_token), &by_token["Page"], &by_token["Total"]), (json!("light1"), &json!(9), &json!(2)));
    let defaults = ok(&server, "QueryDevice", &[PRODUCT]).await;
    assert_eq!((&defaults["Page"], &defaults["PageSize"], &defaults["PageCount"]), (&json!(1), &json!(10), &json!(1)));
    let pages = "iot.common.InvalidPageParams";
    let cases = [
        ("PageSize", "51", pages, "right is 1 to 50"),
        ("CurrentPage", "-1", pages, "right is 1 or more"),
        ("CurrentPage", "201", pages, "NextToken"),
        ("NextToken", "x", pages, "as it is"),
        ("NextToken", "1.a/b", pages, "as it is"),
    ];
    refused(&server, "QueryDevice", &[PRODUCT, ("PageSize", "50")], &cases).await;
    let far = ("CurrentPage", "20001", pages, "1000000");
    refused(&server, "QueryDevice", &[PRODUCT, ("PageSize", "50"), token], &[far]).await;
    ok(&server, "QueryDevice", &[PRODUCT, ("PageSize", "50"), ("CurrentPage", "200")]).await;
}

#[tokio::test]
async fn what_is_said_of_a_products_kind_is_kept_until_it_has_a_model() {
    let server = start().await;
    let make = async |more: &[(&str, &str)]| {
        let params = [&[("ProductName", "pumps"), ("NodeType", "0")], more].concat();
        let made = ok(&server, "CreateProduct", &params).await;
        (made["ProductKey"].as_str().unwrap().to_owned(), made["Data"]["AliyunCommodityCode"].clone())
    };
    assert_eq!(make(&[("AliyunCommodityCode", "iothub_senior")]).await.1, "iothub_senior");
    assert_eq!(make(&[]).await.1, "iothub");
    let (key, kind) = make(&[("AliyunCommodityCode", "iothub")]).await;
    let of_it = ("ProductKey", &*key);
    assert_eq!((&kind, &ok(&server, "QueryProduct", &[of_it]).await["Data"]["AliyunCommodityCode"]), (&kind, &kind));
    ok(&server, "ImportThingModelTsl", &[of_it, ("TslStr", r#"{"properties":[],"events":[],"services":[]}"#)]).await;
    assert_eq!(ok(&server, "QueryProduct", &[of_it]).await["Data"]["AliyunCommodityCode"], "iothub_senior");
    let make = [("ProductName", "pumps"), ("NodeType", "0")];
    let other = [("AliyunCommodityCode", "basic", "iot.prod.InvalidAliyunCommodityCode", "iothub_senior or iothub")];
    refused(&server, "CreateProduct", &make, &other).await;
}

#[tokio::test]
async fn devices_of_a_status_are_listed_over_all_products() {
    let server = start().await;
    ok(&server, "CreateProduct", &[("ProductName", "pumps"), ("NodeType", "0")]).await;
    for name in ["p1", "p2"] {
        ok(&server, "RegisterDevice", &[("ProductKey", "product1"), ("DeviceName", name)]).await;
    }
    let of = async |page: &str| {
        let params = [("Status", "0"), ("CurrentPage", page), ("PageSize", "3")];
        let list = ok(&server, "QueryDeviceByStatus", &params).await;
        let infos = list["Data"]["SimpleDeviceInfo"].as_array().unwrap().clone();
        let names = infos.iter().map(|info| info["DeviceName"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        (names, list["Total"].clone(), list["PageCount"].clone())
    };
    let (first, second, third) = (of("1").await, of("2").await, of("3").await);
    assert_eq!(first, (["p2", "p1", "light2"].map(str::to_owned).to_vec(), json!(4), json!(2)));
    assert_eq!((second.0, third.0), (vec!["light1".to_owned()], Vec::new()));
}

#[tokio::test]
async fn devices_are_listed_and_counted_by_status() {
    let server = start().await;
    let key = |name: &str| DeviceKey { product: "a1BwAGVxxxx".try_into().unwrap(), name: name.try_into().unwrap() };
    server.directory.devices.lock().unwrap().get_mut(&key("light1")).unwrap().online = true;
    let page = [PRODUCT, ("CurrentPage", "1"), ("PageSize", "50")];
    let of = async |status| {
        let list = ok(&server, "QueryDeviceByStatus", &[page[0], page[1], page[2], ("Status", status)]).await;
        let infos = list["Data"]["SimpleDeviceInfo"].as_array().unwrap().clone();
        let told = infos.iter().map(|info| format!("{} {}", info["DeviceName"], info["Status"])).collect::<Vec<_>>();
        (told, list["Total"].clone())
    };
    assert_eq!(of("1").await, (vec![r#""light1" "ONLINE""#.to_owned()], json!(1)));
    assert_eq!(of("0").await, (vec![r#""light2" "UNACTIVE""#.to_owned()], json!(1)));
    assert_eq!((of("3").await.1, of("8").await.1), (json!(0), json!(0)));
    ok(&server, "DisableThing", &[PRODUCT, ("DeviceName", "light2")]).await;
    assert_eq!(of("8").await, (vec![r#""light2" "DISABLE""#.to_owned()], json!(1)));
    for params in [&[PRODUCT][..], &[]] {
        let data = ok(&server, "QueryDeviceStatistics", params).await["Data"].clone();
        assert_eq!(data, json!({ "deviceCount": 2, "activeCount": 0, "onlineCount": 1 }));
    }
    let with_status = [page[0], page[1], page[2], ("Status", "1")];
    let cases = [
        ("Status", "", "MissingStatus", ""),
        ("Status", "2", "iot.system.IllegalRequest", "8 (disabled)"),
        ("PageSize", "51", "iot.common.InvalidPageParams", "right is 1 to 50"),
        ("CurrentPage", "20001", "iot.common.InvalidPageParams", "how far pages reach"),
    ];
    refused(&server, "QueryDeviceByStatus", &with_status, &cases).await;
    let short = ok(&server, "QueryDeviceByStatus", &[PRODUCT, ("Status", "1")]).await;
    assert_eq!((&short["Page"], &short["PageSize"], &short["Total"]), (&json!(1), &json!(10), &json!(1)));
    let groups = [("GroupId", "g", "iot.system.IllegalRequest", "there are no device groups")];
    refused(&server, "QueryDeviceStatistics", &[], &groups).await;
}

#[tokio::test]
async fn details_of_several_devices_leave_out_those_that_are_not_there() {
    let server = start().await;
    let params = [PRODUCT, ("DeviceName.1", "light2"), ("DeviceName.2", "none")];
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"Data":[{"ProductKey":"a1BwAGVxxxx","DeviceName":"light2","DeviceSecret":"devicesecret","IotId":"Q7uOhVRdZRRlDnTLv00200","Nickname":"","ProductName":"lights","NodeType":0,"Region":"","Status":"UNACTIVE","GmtCreate":"2023-11-14 22:13:20","UtcCreate":"2023-11-14T22:13:20.000Z","GmtActive":"","UtcActive":""}]}}"#]]
        .assert_eq(&server.acs3("BatchQueryDeviceDetail", &params).await.golden());
    let cases = [
        ("DeviceName.1", "", "iot.device.NoneDeviceNameElement", "DeviceName.1"),
        ("DeviceName.1", "a/b", "iot.device.InvalidFormattedDeviceName", ""),
    ];
    refused(&server, "BatchQueryDeviceDetail", &params[..2], &cases).await;
    let many: Vec<_> = (1..=101).map(|i| format!("DeviceName.{i}")).collect();
    let mut many: Vec<_> = many.iter().map(|name| (name.as_str(), "light1")).collect();
    many.push(PRODUCT);
    assert_eq!(server.acs3("BatchQueryDeviceDetail", &many).await.code(), "iot.system.IllegalRequest");
    many.remove(100);
    assert_eq!(ok(&server, "BatchQueryDeviceDetail", &many).await["Data"]["Data"].as_array().unwrap().len(), 100);
}

#[tokio::test]
async fn every_list_exists_in_xml() {
    let server = start().await;
    for (action, inside) in [
        ("QueryProduct", "<Data><ProductKey>a1BwAGVxxxx<"),
        ("QueryProductList", "<List><ProductInfo><ProductKey>a1BwAGVxxxx<"),
        ("QueryDevice", "<Data><DeviceInfo><ProductKey>a1BwAGVxxxx<"),
        ("QueryDeviceByStatus", "<Data><SimpleDeviceInfo><ProductKey>a1BwAGVxxxx<"),
        ("BatchQueryDeviceDetail", "<Data><Data><ProductKey>a1BwAGVxxxx<"),
        ("QueryDeviceStatistics", "<Data><deviceCount>2<"),
    ] {
        let params = [
            PRODUCT,
            ("CurrentPage", "1"),
            ("PageSize", "10"),
            ("Status", "0"),
            ("DeviceName.1", "light1"),
            ("Format", "XML"),
        ];
        let received = server.acs3(action, &params).await;
        assert!(received.body.contains(inside), "{action}: {received:?}");
    }
}
