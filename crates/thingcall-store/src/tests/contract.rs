//! The store keeps the contracts of journals, and of keepers of subscriptions.

use thingcall_core::testing::{SubscriptionsUnderTest, UnderTest, assert_journal, assert_subscriptions, tight_limits};

use super::*;
use crate::MessagesConfig;

#[tokio::test]
async fn the_store_keeps_the_contract_of_journals() {
    let make = async || {
        let Bench { folder, store, .. } = bench().await.with_devices(&["d1", "d2"]).await;
        let devices = [found(&store, "d1").await.unwrap().device, found(&store, "d2").await.unwrap().device];
        UnderTest { journal: store.clone(), outbox: store, devices, keeps: Box::new(folder) }
    };
    Box::pin(assert_journal(make)).await;
}

#[tokio::test]
async fn the_store_keeps_the_contract_of_keepers_of_subscriptions() {
    let make = async || {
        let messages = MessagesConfig { subscriptions: tight_limits(), ..MessagesConfig::default() };
        let bench = bench_with(Config { messages, ..Config::default() }).await;
        bench.serves(&bench.store, 0).await;
        for key in ["p", "q"] {
            bench.store.create_product(product(key)).await.unwrap();
        }
        let Bench { folder, store, .. } = bench;
        let products = ["p".try_into().unwrap(), "q".try_into().unwrap()];
        SubscriptionsUnderTest { subscriptions: store.clone(), log: store, products, keeps: Box::new(folder) }
    };
    Box::pin(assert_subscriptions(make)).await;
}
