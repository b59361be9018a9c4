//! Consumer groups through the API, in the words of Alibaba's reference.

use bytes::Bytes;
use expect_test::expect;
use serde_json::json;
use thingcall_core::{
    Consumer, Consumption, DeviceKey, GroupId, MessageKind, MessageLog, NewMessage, PerMinute, UnixMillis, Wanted,
    Words,
};

use super::bench::{Received, Server, Setup};

const DEFAULT: (&str, &str) = ("GroupId", "DEFAULT_GROUP");
/// The first that is made.
const MADE: (&str, &str) = ("GroupId", "00000000000000000000000001");
const ILLEGAL: &str = "iot.system.IllegalRequest";

async fn start() -> Server {
    Setup::default().start().await
}

async fn made(server: &Server, name: &str) {
    let received = server.acs3("CreateConsumerGroup", &[("GroupName", name)]).await;
    assert_eq!(received.json()["Success"], true, "{received:?}");
}

fn refused(received: &Received, said: &str) {
    let text = received.json()["ErrorMessage"].as_str().unwrap_or_default().to_owned();
    assert!(received.status == 200 && received.code() == ILLEGAL && text.contains(said), "{said}: {received:?}");
}

async fn queued(server: &Server, count: usize) {
    let reader = GroupId::default_group().reader();
    server.log.want(&reader, Wanted { of: vec![(None, [MessageKind::Status].into_iter().collect())] });
    let device = DeviceKey { product: "a1BwAGVxxxx".try_into().unwrap(), name: "light1".try_into().unwrap() };
    let words =
        Words { topic: "/as/mqtt/status/a1BwAGVxxxx/light1".to_owned(), body: Bytes::from_static(b"{}"), trace: None };
    let message = NewMessage { kind: MessageKind::Status, device, at: UnixMillis(0), words };
    server.log.append(vec![message; count]).await.unwrap();
}

#[tokio::test]
async fn a_group_is_made_and_read_by_its_id() {
    let server = start().await;
    let made = server.acs3("CreateConsumerGroup", &[("GroupName", "orders")]).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"GroupId":"00000000000000000000000001"}"#]]
        .assert_eq(&made.golden());
    let read = server.acs3("QueryConsumerGroupByGroupId", &[MADE]).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"Data":{"GroupId":"00000000000000000000000001","GroupName":"orders","CreateTime":"1970-01-01T00:00:01.000Z"}}"#]]
        .assert_eq(&read.golden());
    let default = server.acs3("QueryConsumerGroupByGroupId", &[DEFAULT]).await.json();
    assert_eq!(default["Data"]["GroupName"], "DEFAULT_GROUP");
}

#[tokio::test]
async fn groups_are_listed_page_by_page_and_by_a_part_of_their_names() {
    let server = start().await;
    made(&server, "orders").await;
    made(&server, "disorder").await;
    made(&server, "alarms").await;
    let page = [("CurrentPage", "2"), ("PageSize", "2"), ("Fuzzy", "False"), ("GroupName", "orders")];
    let second = server.acs3("QueryConsumerGroupList", &page).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"CurrentPage":2,"PageSize":2,"PageCount":2,"Total":4,"Data":{"ConsumerGroupDTO":[{"GroupId":"00000000000000000000000002","GroupName":"disorder","CreateTime":"1970-01-01T00:00:02.000Z"},{"GroupId":"00000000000000000000000003","GroupName":"alarms","CreateTime":"1970-01-01T00:00:03.000Z"}]}}"#]]
        .assert_eq(&second.golden());

    let found = server.acs3("QueryConsumerGroupList", &[("Fuzzy", "True"), ("GroupName", "order")]).await.json();
    assert_eq!((&found["Total"], &found["PageCount"]), (&json!(2), &json!(1)), "{found}");
    let none = server.acs3("QueryConsumerGroupList", &[("Fuzzy", "true"), ("GroupName", "nothing")]).await.json();
    assert_eq!((&none["Total"], &none["Data"]), (&json!(0), &json!({"ConsumerGroupDTO": []})), "{none}");
    for (params, said) in [(&[("Fuzzy", "true")][..], "GroupName"), (&[("Fuzzy", "yes")], "true or false")] {
        refused(&server.acs3("QueryConsumerGroupList", params).await, said);
    }
    for page in [("PageSize", "1001"), ("CurrentPage", "0")] {
        assert_eq!(server.acs3("QueryConsumerGroupList", &[page]).await.code(), "iot.common.InvalidPageParams");
    }
}

#[tokio::test]
async fn the_status_tells_what_waits_and_who_consumes() {
    let consumed = PerMinute { fresh: 30, backlog: 4 };
    let client = Consumer {
        client: "app-0".to_owned(),
        address: "10.0.0.7:52314".to_owned(),
        since: UnixMillis(1_700_000_000_123),
        consumed: PerMinute { fresh: 20, backlog: 1 },
    };
    let last_at = Some(UnixMillis(1_700_000_002_003));
    let consumption = Consumption { clients: vec![client], consumed, last_at };
    let server = Setup { consumption, ..Setup::default() }.start().await;
    queued(&server, 13).await;

    let status = server.acs3("QueryConsumerGroupStatus", &[DEFAULT]).await;

    expect![[r#"{"RequestId":"[id]","Success":true,"AccumulationCount":13,"ConsumerSpeed":34,"RealTimeConsumeCountPerMinute":30,"AccumulatedConsumeCountPerMinute":4,"LastConsumerTime":"2023-11-14T22:13:22.003Z","ClientConnectionStatusList":{"ConsumerGroupClientConnectionInfo":[{"ClientId":"app-0","ClientIpPort":"10.0.0.7:52314","OnlineTime":1700000000123,"RealTimeConsumeCountPerMinute":20,"AccumulatedConsumeCountPerMinute":1}]}}"#]]
        .assert_eq(&status.golden());
}

#[tokio::test]
async fn where_nobody_consumes_the_status_says_so() {
    let server = start().await;
    let status = server.acs3("QueryConsumerGroupStatus", &[DEFAULT]).await;
    expect![[r#"{"RequestId":"[id]","Success":true,"AccumulationCount":0,"ConsumerSpeed":0,"RealTimeConsumeCountPerMinute":0,"AccumulatedConsumeCountPerMinute":0,"ClientConnectionStatusList":{"ConsumerGroupClientConnectionInfo":[]}}"#]]
        .assert_eq(&status.golden());
}

#[tokio::test]
async fn a_reset_drops_what_waits() {
    let server = start().await;
    queued(&server, 3).await;
    let status = async || server.acs3("QueryConsumerGroupStatus", &[DEFAULT]).await.json()["AccumulationCount"].clone();
    assert_eq!(status().await, 3);
    let reset = server.acs3("ResetConsumerGroupPosition", &[DEFAULT]).await;
    expect![[r#"{"RequestId":"[id]","Success":true}"#]].assert_eq(&reset.golden());
    assert_eq!(status().await, 0);
}

#[tokio::test]
async fn a_group_is_renamed_and_removed_and_the_default_one_never() {
    let server = start().await;
    made(&server, "orders").await;
    let renamed = server.acs3("UpdateConsumerGroup", &[MADE, ("NewGroupName", "消费组")]).await;
    assert_eq!(renamed.json()["Success"], true, "{renamed:?}");
    let read = server.acs3("QueryConsumerGroupByGroupId", &[MADE]).await;
    assert_eq!(read.json()["Data"]["GroupName"], "消费组");
    assert_eq!(server.acs3("DeleteConsumerGroup", &[MADE]).await.json()["Success"], true);

    refused(&server.acs3("UpdateConsumerGroup", &[DEFAULT, ("NewGroupName", "another")]).await, "DEFAULT_GROUP");
    refused(&server.acs3("DeleteConsumerGroup", &[DEFAULT]).await, "DEFAULT_GROUP");
}

#[tokio::test]
async fn wrong_names_and_unknown_groups_are_refused_in_words() {
    let server = start().await;
    for (name, said) in [("abc", "4 to 30"), ("a group", "letters, digits"), (&"消".repeat(16), "4 to 30")] {
        refused(&server.acs3("CreateConsumerGroup", &[("GroupName", name)]).await, said);
    }
    assert_eq!(server.acs3("CreateConsumerGroup", &[]).await.code(), "MissingGroupName");
    let named = ("NewGroupName", "another");
    for action in [
        "QueryConsumerGroupByGroupId",
        "QueryConsumerGroupStatus",
        "ResetConsumerGroupPosition",
        "UpdateConsumerGroup",
        "DeleteConsumerGroup",
    ] {
        refused(&server.acs3(action, &[MADE, named]).await, "no consumer group 00000000000000000000000001");
        refused(&server.acs3(action, &[("GroupId", "short"), named]).await, "26 letters and digits");
        assert_eq!(server.acs3(action, &[named]).await.code(), "MissingGroupId", "{action}");
    }
}

#[tokio::test]
async fn the_roots_of_xml_are_those_of_the_reference() {
    let server = start().await;
    made(&server, "orders").await;
    let xml = ("Format", "XML");
    for (action, params, root) in [
        ("QueryConsumerGroupList", &[][..], "QueryConsumerGroupListResponse"),
        ("QueryConsumerGroupByGroupId", &[MADE], "QueryConsumerGroupByGroupIdResponse"),
        ("QueryConsumerGroupStatus", &[MADE], "QueryConsumerGroupStatusResponse"),
        ("UpdateConsumerGroup", &[MADE, ("NewGroupName", "another")], "UpdateConsumerGroupNameResponse"),
        ("ResetConsumerGroupPosition", &[MADE], "ResetConsumerPositionResponse"),
        ("DeleteConsumerGroup", &[MADE], "DeleteConsumerGroupResponse"),
    ] {
        let received = server.acs3(action, &[params, &[xml]].concat()).await;
        let start = format!("<?xml version='1.0' encoding='UTF-8'?><{root}><RequestId>");
        assert!(received.body.starts_with(&start), "{received:?}");
        assert!(received.body.contains("<Success>true</Success>") && received.body.ends_with(&format!("</{root}>")));
    }
    let failed = server.acs3("UpdateConsumerGroup", &[MADE, ("NewGroupName", "another"), xml]).await;
    assert!(failed.body.contains("<UpdateConsumerGroupNameResponse>") && failed.code() == ILLEGAL, "{failed:?}");
    let list = server.acs3("QueryConsumerGroupList", &[xml]).await;
    let one = "<Data><ConsumerGroupDTO><GroupId>DEFAULT_GROUP</GroupId><GroupName>DEFAULT_GROUP</GroupName>";
    assert!(list.body.contains(one), "{list:?}");
}

#[tokio::test]
async fn where_nobody_keeps_groups_there_are_no_such_actions() {
    let server = Setup { keeps: false, ..Setup::default() }.start().await;
    let received = server.acs3("QueryConsumerGroupList", &[]).await;
    assert_eq!((received.status, &*received.code()), (404, "InvalidAction.NotFound"));
}
