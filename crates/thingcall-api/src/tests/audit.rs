//! What is noted of requests that change something.

use std::sync::{Arc, Mutex};

use thingcall_core::{AuditDoor, AuditEntry, AuditLog};

use super::bench::Setup;

/// What was noted.
#[derive(Debug, Default)]
struct Noted(Mutex<Vec<AuditEntry>>);

impl AuditLog for Noted {
    fn audit(&self, entry: AuditEntry) {
        self.0.lock().unwrap().push(entry);
    }
}

impl Noted {
    fn last(&self) -> (String, String, String) {
        let entry = self.0.lock().unwrap().pop().unwrap();
        assert_eq!((entry.door, entry.key.as_deref()), (AuditDoor::Api, Some("testid")));
        assert!(entry.address.is_some_and(|address| address.is_loopback()));
        (entry.action, entry.target, entry.outcome)
    }
}

fn noted(action: &str, target: &str, outcome: &str) -> (String, String, String) {
    (action.to_owned(), target.to_owned(), outcome.to_owned())
}

#[tokio::test]
async fn a_change_is_noted_with_its_end_and_what_only_asks_is_not() {
    let audit = Arc::new(Noted::default());
    let server = Setup { audit: audit.clone(), ..Setup::default() }.start().await;
    server.acs3("DisableThing", &[("ProductKey", "a1BwAGVxxxx"), ("DeviceName", "light1")]).await;
    assert_eq!(audit.last(), noted("DisableThing", "ProductKey=a1BwAGVxxxx DeviceName=light1", "done"));
    server.acs3("DeleteProduct", &[("ProductKey", "a1nothing")]).await;
    let (action, target, outcome) = audit.last();
    assert_eq!((&*action, &*target), ("DeleteProduct", "ProductKey=a1nothing"));
    assert!(outcome.starts_with("iot."), "{outcome}");
    server.acs3("CreateProduct", &[("ProductName", "lamps"), ("NodeType", "x")]).await;
    assert_eq!(audit.last().0, "CreateProduct");
    server.acs3("QueryProduct", &[("ProductKey", "a1BwAGVxxxx")]).await;
    server.acs3("NoSuchAction", &[("ProductKey", "a1BwAGVxxxx")]).await;
    assert!(audit.0.lock().unwrap().is_empty(), "{audit:?}");
}
