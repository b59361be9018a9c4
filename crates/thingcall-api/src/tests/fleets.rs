//! Calls of many devices: which devices are meant, who sees them, and that a token makes one.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use thingcall_core::{
    AccessKey, FleetCall, FleetCallId, FleetCalls, FleetDevice, FleetEnd, FleetError, FleetLimits, FleetMark,
    FleetOrder, FleetOutcome, FleetState, Part, UnixMillis,
};
use thingcall_tsl::{Directory as _, ThingModel};

use super::bench::{Received, Server, Setup, acs3, signer, testid};
use super::once::MemoryTokens;

const LIGHTS: (&str, &str) = ("ProductKey", "a1BwAGVxxxx");

/// Fleet calls in memory, which nobody makes.
#[derive(Default)]
struct MemoryFleets(Mutex<Vec<FleetCall>>);

impl MemoryFleets {
    fn orders(&self) -> Vec<FleetOrder> {
        self.0.lock().unwrap().iter().map(|call| call.order.clone()).collect()
    }
}

#[async_trait]
impl FleetCalls for MemoryFleets {
    async fn create(&self, order: FleetOrder, _: FleetLimits) -> Result<FleetCall, FleetError> {
        let mut all = self.0.lock().unwrap();
        let id = FleetCallId::read(&format!("{:026}", all.len())).unwrap();
        let (total, created_at) = (order.devices.len() as u64, UnixMillis(1));
        let call = FleetCall {
            id,
            order,
            state: FleetState::Running,
            reason: None,
            total,
            begun: 0,
            succeeded: 0,
            failed: 0,
            unknown: 0,
            created_at,
            ended_at: None,
        };
        all.insert(0, call.clone());
        Ok(call)
    }

    async fn fleet_call(&self, account: &str, id: &FleetCallId) -> Result<FleetCall, FleetError> {
        let all = self.0.lock().unwrap();
        let found = all.iter().find(|call| call.id == *id && call.order.account == account);
        found.cloned().ok_or_else(|| FleetError::NotFound(id.clone()))
    }

    async fn fleet_calls(&self, _: &str, skip: u64, max: u64) -> Result<Part<FleetCall>, FleetError> {
        let all = self.0.lock().unwrap();
        let shown = all
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX))
            .take(usize::try_from(max).unwrap_or(usize::MAX))
            .cloned()
            .collect();
        Ok(Part { shown, total: all.len() as u64 })
    }

    async fn fleet_marks(&self, _: &str) -> Result<Vec<FleetMark>, FleetError> {
        let all = self.0.lock().unwrap();
        let mark = |call: &FleetCall| {
            let (product, key) = (call.order.product.clone(), call.order.key.clone());
            FleetMark { id: call.id.clone(), product, key }
        };
        Ok(all.iter().map(mark).collect())
    }

    async fn fleet_devices(
        &self,
        _: &FleetCallId,
        _: Option<FleetOutcome>,
        _: u64,
        _: u64,
    ) -> Result<Part<FleetDevice>, FleetError> {
        Ok(Part { shown: Vec::new(), total: 0 })
    }

    async fn cancel(&self, _: &str, _: &FleetCallId) -> Result<(), FleetError> {
        Ok(())
    }

    async fn give_up(&self, _: &FleetCallId, _: &str) -> Result<(), FleetError> {
        Ok(())
    }

    async fn take_fleet_calls(&self, _: &str, _: Duration) -> Result<Vec<FleetCall>, FleetError> {
        Ok(Vec::new())
    }

    async fn begin_devices(&self, _: &FleetCallId, _: &str, _: u32) -> Result<Vec<FleetDevice>, FleetError> {
        Ok(Vec::new())
    }

    async fn end_devices(&self, _: &FleetCallId, _: &[(i64, FleetEnd)]) -> Result<(), FleetError> {
        Ok(())
    }

    async fn let_go(&self, _: &str) -> Result<(), FleetError> {
        Ok(())
    }

    async fn forget_fleet_calls(&self, _: UnixMillis) -> Result<u64, FleetError> {
        Ok(0)
    }
}

const MODEL: &str = r#"{"services":[{"identifier":"blink","name":"b","callType":"async","inputData":[],"outputData":[]}],
    "events":[],"properties":[]}"#;

async fn start(fleets: &Arc<MemoryFleets>, rules: Option<&str>) -> Server {
    let rules = rules.map(|rules| Arc::new(rules.parse().unwrap()));
    let key = AccessKey { allow: rules, ..testid() };
    let tokens = Some(Arc::new(MemoryTokens::default()) as Arc<_>);
    let server = Setup { keys: vec![key], fleets: Some(fleets.clone()), tokens, ..Setup::default() }.start().await;
    let model = ThingModel::parse(MODEL, &[]).unwrap();
    server.directory.set_model(&LIGHTS.1.try_into().unwrap(), model).await.unwrap();
    server
}

async fn create(server: &Server, more: &[(&str, &str)]) -> Received {
    let order = [LIGHTS, ("Identifier", "blink"), ("Args", "{}")];
    server.acs3("CreateFleetCall", &[&order[..], more].concat()).await
}

/// Where no device was read, all were called, whatever else named some.
#[tokio::test]
async fn what_names_devices_and_is_not_read_is_refused() {
    let fleets = Arc::default();
    let server = start(&fleets, None).await;
    for more in [
        &[("IotId.1", "Q7uOhVRdZRRlDnTLv00100")][..],
        &[("IotId", "Q7uOhVRdZRRlDnTLv00100")],
        &[("DeviceName.2", "light1")],
        &[("DeviceName.0", "light1")],
        &[("DeviceName.1", ""), ("DeviceName.2", "light1")],
        &[("DeviceName.1", "")],
        &[("DeviceName", "light1")],
        &[("DeviceName", "")],
        &[("DeviceName.1", "light1"), ("DeviceName.3", "light2")],
        &[("DeviceName.1", "light1"), ("DeviceName.01", "light2")],
        &[("DeviceNames.1", "light1")],
        &[("devicename.1", "light1")],
        &[("DeviceNameList.1.DeviceName", "light1")],
    ] {
        let received = create(&server, more).await;
        assert!(received.status == 400 || received.json()["Success"] == false, "{more:?}: {received:?}");
        assert!(received.body.contains("DeviceName.1"), "{more:?}: {received:?}");
    }
    assert_eq!(fleets.orders(), []);
    assert_eq!(create(&server, &[("DeviceName.2", "b"), ("DeviceName.1", "a")]).await.json()["Success"], true);
    assert_eq!(create(&server, &[]).await.json()["Success"], true);
    let counts: Vec<_> = fleets.orders().iter().map(|order| (order.devices.len(), order.key.clone())).collect();
    assert_eq!(counts, [(0, Some("testid".to_owned())), (2, Some("testid".to_owned()))]);
}

#[tokio::test]
async fn a_token_makes_one_fleet_call() {
    let fleets = Arc::default();
    let server = start(&fleets, None).await;
    let one = [("DeviceName.1", "light1"), ("ClientToken", "t1")];
    let first = create(&server, &one).await;
    assert_eq!(first.json()["Success"], true, "{first:?}");
    assert_eq!(create(&server, &one).await.json()["Data"], first.json()["Data"]);
    let order = [LIGHTS, ("Identifier", "blink"), ("Args", "{}"), ("DeviceName.1", "light1")];
    let with_header = acs3("CreateFleetCall", &order, &signer()).replace("\r\n\r\n", "\r\nIdempotency-Key: t1\r\n\r\n");
    assert_eq!(server.send(with_header).await.json()["Data"], first.json()["Data"]);
    assert_eq!(fleets.orders().len(), 1);
    let other = create(&server, &[("DeviceName.1", "light2"), ("ClientToken", "t1")]).await;
    assert_eq!((other.status, &*other.code()), (400, "IdempotentParameterMismatch"), "{other:?}");
    create(&server, &[("DeviceName.1", "light1"), ("ClientToken", "t2")]).await;
    assert_eq!(fleets.orders().len(), 2);
}

#[tokio::test]
async fn a_key_sees_its_own_and_those_of_products_that_its_rules_allow() {
    let fleets: Arc<MemoryFleets> = Arc::default();
    for (product, key) in
        [("a1BwAGVxxxx", "other"), ("a1BwAGVxxxx", "testid"), ("elsewhere", "other"), ("elsewhere", "testid")]
    {
        let order = FleetOrder {
            account: "account".to_owned(),
            key: Some(key.to_owned()),
            product: product.try_into().unwrap(),
            devices: Vec::new(),
            service: "blink".try_into().unwrap(),
            args: "{}".to_owned(),
            qos: thingcall_core::Qos::AtMostOnce,
            calls_per_second: 1,
            in_flight: 1,
        };
        fleets.create(order, FleetLimits { calls_max: 9, devices_max: 9 }).await.unwrap();
    }
    let ids: Vec<_> = (0..4).map(|nth| format!("{nth:026}")).collect();
    // Which of them it sees, and how many a list has.
    for (rules, seen) in [
        (None, "1111"),
        (Some("products=*"), "1111"),
        (Some("products=a1BwAGVxxxx"), "1100"),
        (Some("devices=a1BwAGVxxxx/light1"), "0100"),
        (Some("devices=*/light1"), "0101"),
        (Some("groups=*"), "0000"),
        (Some("actions=CreateFleetCall"), "0000"),
    ] {
        let server = start(&fleets, rules).await;
        for (id, right) in ids.iter().zip(seen.chars()) {
            for action in ["QueryFleetCall", "QueryFleetCallDevices", "CancelFleetCall"] {
                let received = server.acs3(action, &[("FleetCallId", id)]).await;
                assert_eq!(received.status == 200, right == '1', "{rules:?} {action} {id}: {received:?}");
            }
        }
        let nobodys = server.acs3("QueryFleetCall", &[("FleetCallId", "99999999999999999999999999")]).await;
        assert_eq!(nobodys.status == 200, seen == "1111", "{rules:?}: {nobodys:?}");
        let list = server.acs3("QueryFleetCallList", &[("PageSize", "1")]).await;
        if rules == Some("actions=CreateFleetCall") {
            assert_eq!(list.code(), "Forbidden.RAM", "{list:?}");
            continue;
        }
        let (count, json) = (seen.matches('1').count(), list.json());
        assert_eq!(json["Total"], count, "{rules:?}: {list:?}");
        let newest = seen.rfind('1').map(|nth| ids[nth].clone());
        assert_eq!(json["Data"]["FleetCallInfo"][0]["FleetCallId"].as_str(), newest.as_deref(), "{rules:?}: {list:?}");
    }
}
