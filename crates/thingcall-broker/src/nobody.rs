//! A routing table that routes to nobody.
//!
//! **Invariant:** nothing a client publishes, will messages included, is forwarded to any client. Devices hear from
//! thingcall alone, and that goes straight into their sessions (`deliver`). So there is no echo, no double delivery
//! to a device that did subscribe, and no topic tree to walk.

use async_trait::async_trait;
use rmqtt::Result;
use rmqtt::router::Router;
use rmqtt::types::{
    AllRelationsMap, HashMap, Id, NodeId, Route, SubRelationsMap, SubsSearchParams, SubsSearchResult,
    SubscriptionOptions, TopicName,
};
use rmqtt::utils::Counter;

/// The router that knows no subscriber. Subscriptions are granted by the hook and otherwise forgotten.
#[derive(Default)]
pub(crate) struct Nobody {
    relations: AllRelationsMap,
}

#[async_trait]
impl Router for Nobody {
    async fn add(&self, _filter: &str, _id: Id, _opts: SubscriptionOptions) -> Result<()> {
        Ok(())
    }

    async fn remove(&self, _filter: &str, _id: Id) -> Result<bool> {
        Ok(true)
    }

    async fn matches(&self, _id: Id, _topic: &TopicName) -> Result<SubRelationsMap> {
        Ok(SubRelationsMap::default())
    }

    async fn is_online(&self, _node_id: NodeId, _client_id: &str) -> bool {
        false
    }

    async fn gets(&self, _limit: usize) -> Vec<Route> {
        Vec::new()
    }

    async fn get(&self, _topic: &str) -> Result<Vec<Route>> {
        Ok(Vec::new())
    }

    async fn query_subscriptions(&self, _query: &SubsSearchParams) -> Vec<SubsSearchResult> {
        Vec::new()
    }

    async fn topics_tree(&self) -> usize {
        0
    }

    fn topics(&self) -> Counter {
        Counter::new()
    }

    fn routes(&self) -> Counter {
        Counter::new()
    }

    fn merge_topics(&self, _topics: &HashMap<NodeId, Counter>) -> Counter {
        Counter::new()
    }

    fn merge_routes(&self, _routes: &HashMap<NodeId, Counter>) -> Counter {
        Counter::new()
    }

    async fn list_topics(&self, _top: usize) -> Vec<String> {
        Vec::new()
    }

    async fn list_relations(&self, _top: usize) -> Vec<serde_json::Value> {
        Vec::new()
    }

    fn relations(&self) -> &AllRelationsMap {
        &self.relations
    }
}
