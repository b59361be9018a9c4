//! Subscriptions through the API, in the words of Alibaba's reference.

use expect_test::expect;
use serde_json::json;

use super::bench::{Received, Server, Setup};

const PRODUCT: (&str, &str) = ("ProductKey", "a1BwAGVxxxx");
const AMQP: (&str, &str) = ("Type", "AMQP");
const GROUP: (&str, &str) = ("ConsumerGroupIds.1", "DEFAULT_GROUP");
/// As the SDK for Python writes it.
const DATA: (&str, &str) = ("DeviceDataFlag", "True");
/// The first two that are made.
const MADE: [&str; 2] = ["00000000000000000000000001", "00000000000000000000000002"];
const ILLEGAL: &str = "iot.system.IllegalRequest";

async fn start() -> Server {
    let server = Setup::default().start().await;
    for name in ["first", "second"] {
        done(&server.acs3("CreateConsumerGroup", &[("GroupName", name)]).await);
    }
    server
}

fn done(received: &Received) {
    assert_eq!(received.json()["Success"], true, "{received:?}");
}

fn refused(received: &Received, said: &str) {
    let text = received.json()["ErrorMessage"].as_str().unwrap_or_default().to_owned();
    assert!(received.status == 200 && received.code() == ILLEGAL && text.contains(said), "{said}: {received:?}");
}

async fn read(server: &Server) -> serde_json::Value {
    server.acs3("QuerySubscribeRelation", &[PRODUCT, AMQP]).await.json()
}

#[tokio::test]
async fn a_subscription_is_made_and_read_with_its_ten_flags() {
    let server = start().await;
    let status = [("DeviceStatusChangeFlag", "true"), ("DeviceLifeCycleFlag", "False"), ("OtaJobFlag", "TRUE")];
    let groups = [GROUP, ("ConsumerGroupIds.2", MADE[0])];
    let made = server.acs3("CreateSubscribeRelation", &[&[PRODUCT, AMQP, DATA][..], &status, &groups].concat()).await;
    expect![[r#"{"RequestId":"[id]","Success":true}"#]].assert_eq(&made.golden());

    let read = server.acs3("QuerySubscribeRelation", &[PRODUCT, AMQP]).await;

    expect![[r#"{"RequestId":"[id]","Success":true,"ProductKey":"a1BwAGVxxxx","Type":"AMQP","ConsumerGroupIds":["DEFAULT_GROUP","00000000000000000000000001"],"DeviceDataFlag":true,"DeviceStatusChangeFlag":true,"DeviceLifeCycleFlag":false,"DeviceTopoLifeCycleFlag":false,"FoundDeviceListFlag":false,"ThingHistoryFlag":false,"DeviceTagFlag":false,"OtaEventFlag":false,"OtaVersionFlag":false,"OtaJobFlag":true}"#]]
        .assert_eq(&read.golden());
    let xml = server.acs3("QuerySubscribeRelation", &[PRODUCT, AMQP, ("Format", "XML")]).await;
    let groups = format!("<ConsumerGroupIds><e>DEFAULT_GROUP</e><e>{}</e></ConsumerGroupIds>", MADE[0]);
    assert!(xml.body.contains(&groups) && xml.body.contains("<QuerySubscribeRelationResponse>"), "{xml:?}");
    refused(&server.acs3("CreateSubscribeRelation", &[PRODUCT, AMQP, DATA, GROUP]).await, "already");
}

#[tokio::test]
async fn an_update_replaces_flags_and_groups() {
    let server = start().await;
    done(&server.acs3("CreateSubscribeRelation", &[PRODUCT, DATA, GROUP]).await);
    let status = [("DeviceStatusChangeFlag", "true"), ("ConsumerGroupIds.1", MADE[1])];
    done(&server.acs3("UpdateSubscribeRelation", &[&[PRODUCT, AMQP][..], &status].concat()).await);

    let updated = read(&server).await;

    assert_eq!((&updated["DeviceDataFlag"], &updated["DeviceStatusChangeFlag"]), (&json!(false), &json!(true)));
    assert_eq!(updated["ConsumerGroupIds"], json!([MADE[1]]));
    assert_eq!(server.acs3("UpdateSubscribeRelation", &[PRODUCT, DATA, GROUP]).await.code(), "MissingType");
}

#[tokio::test]
async fn groups_join_and_leave_but_the_last() {
    let server = start().await;
    done(&server.acs3("CreateSubscribeRelation", &[PRODUCT, AMQP, DATA, GROUP]).await);
    let (first, default) = (("ConsumerGroupId", MADE[0]), ("ConsumerGroupId", "DEFAULT_GROUP"));
    done(&server.acs3("CreateConsumerGroupSubscribeRelation", &[PRODUCT, first]).await);
    assert_eq!(read(&server).await["ConsumerGroupIds"], json!(["DEFAULT_GROUP", MADE[0]]));
    refused(&server.acs3("DeleteConsumerGroup", &[("GroupId", MADE[0])]).await, "a1BwAGVxxxx");

    done(&server.acs3("DeleteConsumerGroupSubscribeRelation", &[PRODUCT, default]).await);
    assert_eq!(read(&server).await["ConsumerGroupIds"], json!([MADE[0]]));
    refused(&server.acs3("DeleteConsumerGroupSubscribeRelation", &[PRODUCT, default]).await, "does not go to");
    refused(&server.acs3("DeleteConsumerGroupSubscribeRelation", &[PRODUCT, first]).await, "last one");

    done(&server.acs3("DeleteSubscribeRelation", &[PRODUCT, AMQP]).await);
    done(&server.acs3("DeleteConsumerGroup", &[("GroupId", MADE[0])]).await);
}

#[tokio::test]
async fn what_is_no_subscription_is_refused_in_words() {
    let server = start().await;
    let nobody = ("ConsumerGroupIds.1", "nobodynobodynobodynobody01");
    for (params, said) in [
        (&[AMQP, GROUP][..], "at least one of DeviceDataFlag"),
        (&[AMQP, ("DeviceDataFlag", "False"), GROUP], "at least one of DeviceDataFlag"),
        (&[AMQP, ("DeviceDataFlag", "1"), GROUP], "true or false"),
        (&[AMQP, DATA], "ConsumerGroupIds.1 is missing"),
        (&[AMQP, DATA, nobody], "no consumer group nobody"),
        (&[AMQP, DATA, ("ConsumerGroupIds.1", "nobody")], "26 letters and digits"),
        (&[AMQP, DATA, GROUP, ("ConsumerGroupIds.2", "DEFAULT_GROUP")], "twice"),
        (&[("Type", "MNS"), DATA, ("MnsConfiguration", "{}")], "no queues of Message Service"),
        (&[("Type", "amqp"), DATA, GROUP], "right is AMQP"),
    ] {
        refused(&server.acs3("CreateSubscribeRelation", &[&[PRODUCT], params].concat()).await, said);
    }
}

#[tokio::test]
async fn a_product_without_a_subscription_or_that_is_none_is_told() {
    let server = start().await;
    let group = ("ConsumerGroupId", "DEFAULT_GROUP");
    let nowhere = ("ProductKey", "nowhere");
    for action in [
        "UpdateSubscribeRelation",
        "QuerySubscribeRelation",
        "DeleteSubscribeRelation",
        "CreateConsumerGroupSubscribeRelation",
        "DeleteConsumerGroupSubscribeRelation",
    ] {
        let with = |product| [product, AMQP, DATA, GROUP, group];
        refused(&server.acs3(action, &with(PRODUCT)).await, "product a1BwAGVxxxx has no subscription");
        assert_eq!(server.acs3(action, &with(nowhere)).await.code(), "iot.prod.NotExistedProduct", "{action}");
        assert_eq!(server.acs3(action, &with(nowhere)[1..]).await.code(), "iot.prod.NullProductKey", "{action}");
    }
    let made = server.acs3("CreateSubscribeRelation", &[nowhere, AMQP, DATA, GROUP]).await;
    assert_eq!(made.code(), "iot.prod.NotExistedProduct");
}
