//! What an entry says of a request.

use super::*;

fn target(params: &[(&str, &str)]) -> String {
    audit_target(params.iter().copied())
}

#[test]
fn a_request_is_told_by_what_it_is_about_and_not_by_what_it_holds() {
    let params = [
        ("Args", r#"{"pin":"1234"}"#),
        ("DeviceName", "d\n1"),
        ("DeviceSecret", "topsecret"),
        ("ProductKey", "p"),
        ("TslStr", "{}"),
        ("Identifier", ""),
    ];
    assert_eq!(target(&params), "ProductKey=p DeviceName=d\\n1");
    assert_eq!(target(&[("PageSize", "1")]), "");
}

#[test]
fn of_a_list_the_first_few_are_told_in_their_order() {
    let params = [
        ("DeviceName.10", "j"),
        ("DeviceName.2", "b"),
        ("DeviceName.1", "a"),
        ("DeviceName.3", "c"),
        ("ProductKey", "p"),
    ];
    assert_eq!(target(&params), "ProductKey=p DeviceName=a,b,c and 1 more");
    let long = "ä".repeat(1000);
    assert!(target(&[("ProductName", &long)]).len() < 300);
}

#[test]
fn an_action_that_asks_is_no_change() {
    for action in
        ["QueryProduct", "GetDeviceStatus", "BatchQueryDeviceDetail", "BatchGetDeviceState", "ListThingModelVersion"]
    {
        assert!(only_reads(action), "{action}");
    }
    for action in ["CreateProduct", "BatchCheckDeviceNames", "InvokeThingService", "RRpc", "Pub", ""] {
        assert!(!only_reads(action), "{action}");
    }
}

#[test]
fn only_what_comes_in_from_outside_is_of_a_stranger() {
    let entry = |door, key: Option<&str>| AuditEntry {
        at: UnixMillis(0),
        door,
        key: key.map(str::to_owned),
        action: String::new(),
        target: String::new(),
        outcome: String::new(),
        address: None,
    };
    assert!(entry(AuditDoor::Console, None).is_of_a_stranger());
    assert!(!entry(AuditDoor::Console, Some("k")).is_of_a_stranger());
    assert!(!entry(AuditDoor::Command, None).is_of_a_stranger());
}
