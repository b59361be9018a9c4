//! What devices reported in the past, page by page.

use expect_test::expect;
use serde_json::{Value, json};
use thingcall_core::{Past, PastKind, UnixMillis};
use thingcall_tsl::{Directory, ThingModel};

use super::bench::{Server, Setup};

const LIGHT: [(&str, &str); 2] = [("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")];
const ALL: [(&str, &str); 2] = [("StartTime", "0"), ("EndTime", "9000")];

const MAIN: &str = r#"{"services":[],"properties":[
    {"identifier":"temp","name":"T","accessMode":"r","dataType":{"type":"float"}},
    {"identifier":"label","name":"L","accessMode":"r","dataType":{"type":"text"}}],
    "events":[{"identifier":"alarm","name":"Alarm","type":"alert","outputData":[]},
    {"identifier":"note","name":"Note","type":"info","outputData":[]}]}"#;

async fn server() -> Server {
    let server = Setup::default().start().await;
    let one = |kind, name: &str, value: &str, at| Past {
        kind,
        name: name.to_owned(),
        value: value.to_owned(),
        at: UnixMillis(at),
    };
    let mut past: Vec<Past> = (1..=5).map(|n| one(PastKind::Property, "temp", &format!("{n}.0"), n * 1000)).collect();
    past.push(one(PastKind::Property, "label", r#""a""#, 2500));
    past.push(one(PastKind::Event, "alarm", r#"{"x":1}"#, 1000));
    past.push(one(PastKind::Event, "note", "{}", 2000));
    *server.directory.past.lock().unwrap() = past;
    let model = ThingModel::parse(MAIN, &[]).unwrap();
    server.directory.set_model(&"a1BwAGVxxxx".parse().unwrap(), model).await.unwrap();
    server
}

async fn ask(server: &Server, action: &str, more: &[(&str, &str)]) -> Value {
    let answer = server.acs3(action, &[&LIGHT[..], more].concat()).await.json();
    assert_eq!(answer["Success"], true, "{answer}");
    answer
}

#[tokio::test]
async fn property_is_told_newest_first_or_as_asked() {
    let server = server().await;
    let params = [&LIGHT[..], &ALL, &[("Identifier", "temp"), ("PageSize", "2")]].concat();
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"List":{"PropertyInfo":[{"Time":"5000","Value":"5.0"},{"Time":"4000","Value":"4.0"}]},"NextValid":true,"NextTime":3000}}"#]]
        .assert_eq(&server.acs3("QueryDevicePropertyData", &params).await.golden());
}

#[tokio::test]
async fn pages_go_on_with_the_next_time_until_there_is_none() {
    let server = server().await;
    for (asc, bound, expected) in
        [("0", "EndTime", ["5.0", "4.0", "3.0", "2.0", "1.0"]), ("1", "StartTime", ["1.0", "2.0", "3.0", "4.0", "5.0"])]
    {
        let (mut told, mut next) = (Vec::new(), None::<String>);
        loop {
            let mut params = vec![("Identifier", "temp"), ("PageSize", "2"), ("Asc", asc)];
            params.extend(
                ALL.map(|(name, value)| (name, if name == bound { next.as_deref().unwrap_or(value) } else { value })),
            );
            let data = ask(&server, "QueryDevicePropertyData", &params).await["Data"].clone();
            let list = data["List"]["PropertyInfo"].as_array().unwrap();
            told.extend(list.iter().map(|one| one["Value"].as_str().unwrap().to_owned()));
            if data["NextValid"] == false {
                assert!(data["NextTime"].is_null(), "{data}");
                break;
            }
            next = Some(data["NextTime"].to_string());
        }
        assert_eq!(told, expected, "Asc={asc}");
    }
}

#[tokio::test]
async fn several_properties_end_where_the_first_has_a_full_page() {
    let server = server().await;
    let params =
        [&ALL[..], &[("Identifier.1", "temp"), ("Identifier.2", "label"), ("PageSize", "2"), ("Asc", "1")]].concat();
    let answer = ask(&server, "QueryDevicePropertiesData", &params).await;
    let infos = &answer["PropertyDataInfos"]["PropertyDataInfo"];
    assert_eq!(
        infos[0]["List"]["PropertyInfo"],
        json!([{ "Time": 1000, "Value": "1.0" }, { "Time": 2000, "Value": "2.0" }])
    );
    assert_eq!(infos[1]["List"]["PropertyInfo"], json!([{ "Time": 2500, "Value": "a" }]));
    assert_eq!((&answer["NextValid"], &answer["NextTime"]), (&json!(true), &json!(3000)));
    // Backwards, as the reference has it: the start is the later one.
    let params = [
        ("StartTime", "9000"),
        ("EndTime", "0"),
        ("Identifier.1", "temp"),
        ("Identifier.2", "label"),
        ("PageSize", "3"),
    ];
    let answer = ask(&server, "QueryDevicePropertiesData", &params).await;
    let infos = &answer["PropertyDataInfos"]["PropertyDataInfo"];
    assert_eq!(infos[0]["List"]["PropertyInfo"][2], json!({ "Time": 3000, "Value": "3.0" }));
    assert_eq!(infos[1]["List"]["PropertyInfo"], json!([{ "Time": 2500, "Value": "a" }]));
    assert_eq!(answer["NextTime"], 2000);
}

#[tokio::test]
async fn events_are_told_with_what_the_model_says_of_them() {
    let server = server().await;
    let list = async |more: &[(&str, &str)]| {
        let data = ask(&server, "QueryDeviceEventData", &[&ALL[..], more].concat()).await["Data"].clone();
        data["List"]["EventInfo"].clone()
    };
    let note = json!({ "Identifier": "note", "Name": "Note", "EventType": "info", "OutputData": "{}", "Time": "2000" });
    let alarm = json!({ "Identifier": "alarm", "Name": "Alarm", "EventType": "alert", "OutputData": r#"{"x":1}"#, "Time": "1000" });
    assert_eq!(list(&[]).await, json!([note, alarm]));
    assert_eq!(list(&[("EventType", "alert")]).await, json!([alarm]));
    assert_eq!(list(&[("Identifier", "note")]).await, json!([note]));
    assert_eq!(list(&[("Identifier", "note"), ("EventType", "error")]).await, json!([]));
}

/// What came in one millisecond was told again for ever, where it filled a page.
#[tokio::test]
async fn events_of_one_millisecond_are_each_told_once_by_pages_of_any_size() {
    let server = server().await;
    let one = |name: &str, at| Past {
        kind: PastKind::Event,
        name: name.to_owned(),
        value: "{}".to_owned(),
        at: UnixMillis(at),
    };
    let all = [("a", 10), ("b", 10), ("c", 10), ("d", 15), ("e", 16), ("f", 16)].map(|(name, at)| one(name, at));
    *server.directory.past.lock().unwrap() = all.to_vec();
    for (size, asc, bound) in
        ["1", "2", "3", "4", "5", "6"].into_iter().flat_map(|size| [(size, "1", "StartTime"), (size, "0", "EndTime")])
    {
        let (mut told, mut next) = (Vec::new(), None::<String>);
        for _ in 0..7 {
            let mut params = vec![("PageSize", size), ("Asc", asc)];
            params.extend(
                ALL.map(|(name, value)| (name, if name == bound { next.as_deref().unwrap_or(value) } else { value })),
            );
            let data = ask(&server, "QueryDeviceEventData", &params).await["Data"].clone();
            let list = data["List"]["EventInfo"].as_array().unwrap();
            told.extend(list.iter().map(|one| one["Identifier"].as_str().unwrap().to_owned()));
            if data["NextValid"] == false {
                break;
            }
            next = Some(data["NextTime"].to_string());
        }
        if asc == "0" {
            told.reverse();
        }
        assert_eq!(told, ["a", "b", "c", "d", "e", "f"], "PageSize={size} Asc={asc}");
    }
    *server.directory.past.lock().unwrap() = (0..1001).map(|number| one(&format!("e{number}"), 10)).collect();
    let refused = server.acs3("QueryDeviceEventData", &[&LIGHT[..], &ALL].concat()).await;
    assert_eq!(refused.code(), "iot.system.IllegalRequest");
}

#[tokio::test]
async fn what_is_wrong_is_said() {
    let server = server().await;
    let code = async |action: &str, more: &[(&str, &str)]| {
        server.acs3(action, &[&LIGHT[..], &ALL, more].concat()).await.code()
    };
    let of = ("Identifier", "temp");
    assert_eq!(code("QueryDevicePropertyData", &[]).await, "MissingIdentifier");
    let gone = code("QueryDevicePropertyData", &[("Identifier", "gone")]).await;
    assert_eq!(gone, "iot.device.QueryDeviceAttrDataHistoryFailed");
    for (wrong, right) in [
        (("PageSize", "51"), "iot.common.InvalidPageParams"),
        (("PageSize", "0"), "iot.common.InvalidPageParams"),
        (("Asc", "2"), "iot.system.IllegalRequest"),
    ] {
        assert_eq!(code("QueryDevicePropertyData", &[of, wrong]).await, right, "{wrong:?}");
    }
    assert_eq!(code("QueryDevicePropertiesData", &[]).await, "iot.system.IllegalRequest");
    let twice = [("Identifier.1", "temp"), ("Identifier.2", "temp")];
    assert_eq!(code("QueryDevicePropertiesData", &twice).await, "iot.system.IllegalRequest");
    assert_eq!(code("QueryDeviceEventData", &[("Identifier", "temp")]).await, "iot.system.IllegalRequest");
    let of_time = async |action: &str, start: &str, end: &str, asc: &str| {
        let named = if action == "QueryDevicePropertyData" { of } else { ("Identifier.1", "temp") };
        let params = [LIGHT[0], LIGHT[1], named, ("StartTime", start), ("EndTime", end), ("Asc", asc)];
        let received = server.acs3(action, &params).await;
        (received.code(), received.json()["ErrorMessage"].as_str().unwrap_or_default().to_owned())
    };
    for (action, start, end, asc, said) in [
        ("QueryDevicePropertyData", "9000", "0", "0", "later than EndTime"),
        ("QueryDevicePropertyData", "9000", "0", "1", "later than EndTime"),
        ("QueryDevicePropertiesData", "9000", "0", "1", "later than EndTime"),
        ("QueryDevicePropertyData", "1700000000", "1800000000", "0", "not seconds"),
        ("QueryDevicePropertiesData", "0", "1700000000", "0", "not seconds"),
        ("QueryDevicePropertyData", "-1", "9000", "0", "milliseconds"),
    ] {
        let (code, told) = of_time(action, start, end, asc).await;
        assert!(code == "iot.system.IllegalRequest" && told.contains(said), "{action} {start} {end}: {code} {told}");
    }
    assert_eq!(code("QueryDeviceEventData", &[("EventType", "warn")]).await, "iot.system.IllegalRequest");
    let timeless = server.acs3("QueryDevicePropertyData", &[LIGHT[0], LIGHT[1], of, ("EndTime", "1")]).await;
    assert_eq!(timeless.code(), "MissingStartTime");
}
