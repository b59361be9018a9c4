//! The store keeps the contract of journals.

use thingcall_core::testing::{UnderTest, assert_journal};

use super::*;

#[tokio::test]
async fn the_store_keeps_the_contract_of_journals() {
    let make = async || {
        let Bench { folder, store, .. } = bench().await.with_devices(&["d1", "d2"]).await;
        let devices = [found(&store, "d1").await.unwrap().device, found(&store, "d2").await.unwrap().device];
        UnderTest { journal: store.clone(), outbox: store, devices, keeps: Box::new(folder) }
    };
    Box::pin(assert_journal(make)).await;
}
