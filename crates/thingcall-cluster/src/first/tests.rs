//! Who waits for another instance to be gone, and for how long.

use std::sync::Arc;

use thingcall_core::testing::{MemoryLeases, instance};

use super::*;

fn leases() -> Arc<MemoryLeases> {
    let began = Instant::now();
    Arc::new(MemoryLeases::new(move || began.elapsed()))
}

fn with_broker(name: &str) -> Instance {
    Instance { embedded: true, ..instance(name) }
}

#[tokio::test(start_paused = true)]
async fn beside_an_instance_that_lives_an_embedded_broker_is_refused_by_its_name() {
    let leases = leases();
    let (other, _) = lease(&*leases, &instance("other"), None).await.unwrap();
    let renewed = leases.clone();
    let renewing = tokio::spawn(async move {
        loop {
            sleep(Lease::RENEWED_EACH).await;
            renewed.renew(&instance("other"), &[other]).await.unwrap();
        }
    });
    let began = Instant::now();
    let refused = lease(&*leases, &with_broker("me"), None).await.unwrap_err();
    assert_eq!(refused, LeaseError::EmbeddedHere { other: "other".to_owned(), slot: 0 });
    assert!(began.elapsed() <= 2 * Lease::RENEWED_EACH, "{:?}", began.elapsed());
    assert!(refused.to_string().contains("broker.enabled = false"), "it says what to do: {refused}");
    renewing.abort();
}

#[tokio::test(start_paused = true)]
async fn one_that_was_killed_is_waited_for() {
    let leases = leases();
    lease(&*leases, &with_broker("me, before"), None).await.unwrap();
    let began = Instant::now();
    let me = Instance { run: 4711, ..with_broker("me") };
    let (taken, asked) = lease(&*leases, &me, None).await.unwrap();
    assert_eq!((taken.slot, taken.generation), (0, 2));
    assert!(began.elapsed() <= Lease::TIME + 2 * LOOKS_EACH, "{:?}", began.elapsed());
    assert!(asked.elapsed().is_zero(), "its time counts from the attempt that went well");
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_is_told_at_once() {
    let leases = leases();
    leases.fault(Some("no route"));
    assert_eq!(lease(&*leases, &instance("me"), None).await, Err(LeaseError::Store("no route".to_owned())));
}
